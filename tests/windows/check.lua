--- What only a real Windows can confirm, piece by piece: see docs/porting.md.
package.cpath = (arg[0]:match "^.*[/\\]" or "./") .. "?.dll;" .. package.cpath

local xpio = require "xpio"

local SELF = { (arg[0]:match "^.*[/\\]" or ".\\") .. "lua.exe", arg[0] }
local checks = {}

--- A child that runs one of the parts below, in this file.
local function child(part, files, attrs)
  return assert(xpio.spawn({ SELF[1], SELF[2], part }, nil, files, attrs))
end

--- Run functions as tasks, to their ends.
local function run(...)
  local queue = xpio.tqueue()
  local function resume(task)
    xpio.setCurrentTask(task)
    assert(coroutine.resume(task.coroutine))
  end
  for _, f in ipairs { ... } do resume { _queue = queue, coroutine = coroutine.create(f) } end
  for ready in function() return queue:wait() end do
    for _, task in ipairs(ready) do resume(task) end
  end
end

--- A line is echoed when it is typed, and a clock goes on meanwhile. An empty line ends it.
function checks.console()
  local input = assert(xpio.fdopen(assert(io.open("CONIN$", "r+"))))
  local queue = xpio.tqueue()
  local task = { _queue = queue }
  print "type lines; an empty one ends this"
  local start = xpio.gettime()
  while true do
    if not task._dequeue then assert(input:when_read(task)) end
    if #queue:wait(1) == 0 then
      io.write(("%d s\n"):format(xpio.gettime() - start))
    else
      local line = input:try_read(1000)
      if not line or not line:find "%C" then return end
      io.write("got: ", line)
    end
  end
end

function checks.copy()
  local input, output = assert(xpio.fdopen(0)), assert(xpio.fdopen(1))
  for piece in function() return (input:read(65536)) end do assert(output:write(piece)) end
end

--- 200 MB to a child and back.
function checks.pipe()
  local far_input, input = assert(xpio.pipe())
  local output, far_output = assert(xpio.pipe())
  local process = child("copy", { [0] = far_input, far_output })
  local start, sent, got, same = xpio.gettime(), 0, 0, true
  local block = ("0123456789abcdef"):rep(4096)
  run(function()
    for _ = 1, 200000000 // #block do sent = sent + assert(input:write(block)) end
    input:close()
  end, function()
    while true do
      local piece = output:read(65536)
      if not piece then return end
      local first = got % 16 + 1
      same = same and piece == block:rep(2):sub(first, first + #piece - 1)
      got = got + #piece
    end
  end)
  print(("sent %d, came back %d, %s: %.0f MB/s"):format(sent, got, same and "the same" or "NOT THE SAME",
    got / 1e6 / (xpio.gettime() - start)))
  print(process:wait())
end

function checks.line()
  io.write("read by the C library: ", io.read())
end

--- A child whose standard input is a socket, which it reads by the C runtime.
function checks.socket()
  local near, far = assert(xpio.socketpair())
  local process = child("line", { [0] = far, 1 })
  xpio.tqueue():wait(0.5) -- it waits for the line by now
  near:write "a line\n"
  print("", process:wait())
end

--- What a read and a write say of a connection that was reset, and a write to nobody.
function checks.reset()
  local listener = assert(xpio.socket "TCP")
  assert(listener:bind "127.0.0.1:0")
  assert(listener:listen())
  local client = assert(xpio.socket "TCP":connect(listener:getsockname()))
  local server = assert(listener:accept())
  server:write "unread"
  xpio.tqueue():wait(0.2)
  client:close()
  xpio.tqueue():wait(0.2)
  print("read", server:read(1))
  print("write", server:write "x")
  local reader, writer = assert(xpio.pipe())
  reader:close()
  print("pipe", writer:write "x")
end

function checks.sleep() xpio.tqueue():wait(5) end

function checks.parent()
  child "sleep"
  local survivor = child("sleep", nil, { session = true })
  print(survivor:pid())
end

--- Of two children of a process that ends, the one in a session of its own stays.
function checks.job()
  local output, far = assert(xpio.pipe())
  child("parent", { [1] = far }):wait()
  local pid = output:read(100):match "%d+"
  xpio.tqueue():wait(1)
  print(("these are left; expected is one, number %s:"):format(pid))
  os.execute('tasklist /fi "imagename eq lua.exe" /nh')
end

--- A write that nobody reads must not hold up the end of the program.
function checks.blocked()
  local reader, writer = assert(xpio.pipe())
  print("written", writer:try_write(("x"):rep(65536)), writer:try_write(("x"):rep(65536)))
  xpio.tqueue():wait(0.1)
  print("written", writer:try_write(("x"):rep(65536)))
  print "this program is to end within two seconds"
  _G.kept = { reader, writer }
end

function checks.server()
  local listener = assert(xpio.socket "TCP")
  assert(listener:bind "127.0.0.1:0")
  assert(listener:listen())
  print(listener:getsockname())
  io.stdout:flush()
  local queue, left = xpio.tqueue(), 50
  local function resume(task)
    xpio.setCurrentTask(task)
    assert(coroutine.resume(task.coroutine))
  end
  local function serve()
    local socket <close> = assert(listener:accept())
    for piece in function() return (socket:read(1000)) end do socket:write(piece) end
    left = left - 1
  end
  for _ = 1, 50 do resume { _queue = queue, coroutine = coroutine.create(serve) } end
  while left > 0 do
    for _, task in ipairs(queue:wait()) do resume(task) end
  end
end

--- 50 connections, 64 bytes there and back, for three seconds.
function checks.echo()
  local output, far = assert(xpio.pipe())
  local server = child("server", { [1] = far })
  local address = output:read(100):match "%S+"
  local messages, deadline = 0, xpio.gettime() + 3
  local clients = {}
  for i = 1, 50 do
    clients[i] = function()
      local socket <close> = assert(xpio.socket "TCP":connect(address))
      local message = ("x"):rep(64)
      while xpio.gettime() < deadline do
        assert(socket:write(message))
        assert(socket:read(1000))
        messages = messages + 1
      end
    end
  end
  run(table.unpack(clients))
  print(("%d messages a second"):format(messages // 3), server:wait())
end

function checks.nothing() end

--- A thousand children: watch the handles of this process meanwhile.
function checks.spawn()
  local start = xpio.gettime()
  for _ = 1, 1000 do assert(child("nothing"):wait() == "exit") end
  print(("%.1f ms each"):format((xpio.gettime() - start)))
  xpio.tqueue():wait(10)
end

local check = checks[arg[1]]
if not check then
  local names = {}
  for name in pairs(checks) do names[#names + 1] = name end
  table.sort(names)
  io.stderr:write("usage: lua.exe check.lua PART\nparts: ", table.concat(names, " "), "\n")
  os.exit(2)
end
check()

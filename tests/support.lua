--- What the test files share: tasks, connected sockets, other interpreters.
local xpio = require "xpio"

local support = {}

--- How long a test waits for what must happen, in seconds. Not a measure of
--- speed: only a hang takes so long.
support.patience = 30

--- Valgrind does not do all that the kernel does.
support.under_valgrind = os.getenv "XPIO_UNDER_VALGRIND" ~= nil

--- Resume a task's coroutine with the task as the current one.
---@return boolean ok
---@return any ... what coroutine.resume returns
function support.resume(task, ...)
  local previous = xpio.getCurrentTask()
  xpio.setCurrentTask(task)
  local results = table.pack(coroutine.resume(task.coroutine, ...))
  xpio.setCurrentTask(previous)
  return table.unpack(results, 1, results.n)
end

--- A task that runs `f` when it is resumed.
---@return table task
function support.task(queue, f)
  return { _queue = queue, coroutine = coroutine.create(f) }
end

--- A task that has run `f` up to the first call that blocks.
---@return table task
function support.blocked(queue, f)
  local task = support.task(queue, f)
  local ok, value = support.resume(task)
  assert(ok, value)
  assert(value == xpio.waiting, "the task does not block")
  return task
end

--- Wait until this task is ready, and nothing but it.
function support.wait_for(queue, task)
  local ready = queue:wait(support.patience)
  assert(#ready == 1, "one ready task expected, got " .. #ready)
  assert(ready[1] == task, "another task is ready")
end

--- Run functions as tasks, all to their ends. An error in one is raised here.
function support.run(...)
  local queue = xpio.tqueue()
  local function step(task)
    local ok, message = support.resume(task)
    if not ok then error(debug.traceback(task.coroutine, message), 0) end
  end
  for _, f in ipairs { ... } do step(support.task(queue, f)) end
  while not queue:isEmpty() do
    local ready = queue:wait(support.patience)
    assert(#ready > 0, "no task became ready")
    for _, task in ipairs(ready) do step(task) end
  end
end

--- A listening TCP socket on a free port of the loopback, and its address.
function support.listener()
  local listener = assert(xpio.socket "TCP")
  assert(listener:bind "127.0.0.1:0")
  assert(listener:listen())
  return listener, assert(listener:getsockname())
end

--- Two connected TCP sockets: the one that connected, the one accepted.
function support.connected_pair()
  local listener, address = support.listener()
  local client = assert(xpio.socket "TCP")
  assert(client:connect(address))
  local server = assert(listener:accept())
  listener:close()
  return client, server
end

--- Write until the socket takes no more; returns how many bytes it took.
function support.fill(socket)
  local block, total = ("x"):rep(65536), 0
  repeat
    local count = socket:try_write(block)
    total = total + (count or 0)
  until not count
  while true do
    -- What is left of its room may be less than a block.
    local count = socket:try_write "x"
    if not count then return total end
    total = total + count
  end
end

--- Everything up to the end of the stream, read in pieces of at most `size` bytes.
function support.read_all(socket, size)
  local pieces = {}
  local piece = socket:read(size)
  while piece do
    pieces[#pieces + 1] = piece
    piece = socket:read(size)
  end
  return table.concat(pieces)
end

--- The path of the interpreter that runs the tests.
support.interpreter = arg and arg[-1] or "lua5.4"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end
support.quote = quote

--- Run a script in an interpreter of its own, after these shell commands, for which it
--- is the file "$script", and by way of a command that starts others.
---@param script string
---@param before string?
---@param through string?
---@return string output of stdout and stderr together
---@return integer status
function support.lua(script, before, through)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(script))
  file:close()
  local command = ('script=%s\n%s\nexec timeout %d %s %s "$script" 2>&1'):format(
    quote(path), before or "", support.patience, through or "", quote(support.interpreter))
  local process <close> = assert(io.popen(command))
  local output = process:read "a"
  local _, _, status = process:close()
  os.remove(path)
  return output, status
end

--- The path of the module under test.
support.module = package.searchpath("xpio", package.cpath)

function support.is_root()
  local process <close> = assert(io.popen "id -u")
  return process:read "n" == 0
end

--- The flags of a descriptor, as fcntl(F_GETFL) and O_CLOEXEC give them; nil
--- where there is no /proc.
function support.flags(number)
  local file <close> = io.open("/proc/self/fdinfo/" .. number)
  if not file then return nil end
  return tonumber(file:read "a":match "flags:%s*(%d+)", 8)
end

support.O_NONBLOCK, support.O_CLOEXEC = 0x800, 0x80000

--- How many descriptors below 256 this process has open. Not by `ls`, before
--- which io.popen may or may not have closed the other end of its pipe.
function support.count_descriptors()
  local count = 0
  for number = 0, 255 do
    if support.flags(number) then count = count + 1 end
  end
  return count
end

local kept = {} -- what must not be collected

--- A child that runs until it is killed or the pipe is closed or this process ends,
--- and what closes the pipe.
function support.sleeper(attrs)
  local reader, writer = assert(xpio.pipe())
  kept[#kept + 1] = writer
  return assert(xpio.spawn({ "cat" }, nil, { [0] = reader }, attrs)), writer
end

--- Wait until a child is in this state of /proc: "Z" when it has ended and nobody has
--- been told, "T" when it is stopped.
function support.wait_for_state(process, expected)
  local path = ("/proc/%d/status"):format(process:pid())
  repeat
    local file <close> = assert(io.open(path))
    local state = file:read "a":match "State:%s*(%a)"
  until state == expected
end

--- How many children this process has, zombies too. The grep that looks is one.
function support.count_children()
  local process <close> = assert(io.popen [==[exec grep -lsE "^PPid:[[:space:]]*$PPID$" /proc/[0-9]*/status]==])
  local count = -1
  for _ in process:lines() do count = count + 1 end
  return count
end

return support

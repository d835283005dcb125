--- What each thread runs, in one state after the other: spawns and waits at once, sockets that are
--- connected to itself, several queues. All of it can be told from what other threads do.
---@param thread integer number of the thread: 0 to 3
---@param count integer children that it starts
---@param can_be_another boolean whether children may be given another user
local thread, count, can_be_another = ...
local dispatcher = require "xpio.dispatcher"
local xpio = require "xpio"

local AT_A_TIME <const> = 8
local MESSAGES <const> = 20
local failure

local function start(f, ...)
  dispatcher.start(function(...)
    local ok, message = xpcall(f, debug.traceback, ...)
    if not ok then failure = failure or message end
  end, ...)
end

local function read_all(socket)
  local pieces = {}
  for piece in function() return socket:read(4096) end do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

--- A child whose status tells the thread and the number, and that says which process it is.
local function run_child(number)
  local status = thread * 60 + number % 60
  local reader <close>, writer = xpio.pipe()
  local script = ("echo $$ %d %d; exit %d"):format(thread, number, status)
  local attrs = can_be_another and number % 3 == 0 and { uid = 65534, gid = 65534, groups = {} }
    or number % 3 == 1 and { pgroup = true } or nil
  local arguments = { "/bin/sh", "-c", script }
  local process <close> = assert(xpio.spawn(arguments, nil, { [1] = writer }, attrs))
  local how, got = process:wait()
  assert(how == "exit" and got == status, "another child's status")
  assert(read_all(reader) == ("%d %d %d\n"):format(process:pid(), thread, number))
end

local function run_children()
  local started = 0
  for _ = 1, AT_A_TIME do
    start(function()
      while started < count do
        started = started + 1
        run_child(started)
      end
    end)
  end
end

--- Ends by a signal, which is the thread's too.
local function kill_child()
  local reader, writer <close> = xpio.pipe()
  local process <close> = assert(xpio.spawn({ "cat" }, nil, { [0] = reader }))
  assert(process:kill(10 + thread % 2 * 2)) -- USR1 or USR2
  local how, signal = process:wait()
  assert(how == "signal" and signal == 10 + thread % 2 * 2 and writer:fileno())
end

--- A connection to itself, on which messages go there and back.
local function connect()
  local listener <close> = assert(xpio.socket "TCP")
  assert(listener:bind "127.0.0.1:0" and listener:listen())
  start(function()
    local client <close> = assert(xpio.socket "TCP")
    assert(client:connect(listener:getsockname()))
    for i = 1, MESSAGES do
      local message = ("%d %d\n"):format(thread, i)
      assert(client:write(message) == #message)
      assert(client:read(100) == message)
    end
  end)
  local server <close> = assert(listener:accept())
  for _ = 1, MESSAGES do assert(server:write(assert(server:read(100)))) end
  assert(not server:read(100))
end

--- Tasks on queues of their own, woken while another one is waited for.
local function use_queues()
  local tasks = {}
  for i = 1, 4 do
    local reader, writer = assert(xpio.pipe())
    tasks[i] = { _queue = xpio.tqueue(), reader = reader, writer = writer }
    assert(reader:when_read(tasks[i]))
  end
  for i = 1, 4 do assert(tasks[i].writer:write(tostring(thread))) end
  for i = 4, 1, -1 do
    local ready
    repeat ready = tasks[i]._queue:wait() until ready[1] -- SIGINT ends it, too
    assert(ready[1] == tasks[i] and not ready[2])
    assert(tasks[i].reader:read(9) == tostring(thread))
  end
end

for _ = 1, 4 do
  start(connect)
  start(kill_child)
end
run_children()
use_queues()
dispatcher.run()

-- It ends when lua_close closes the pipe, and is left to the host.
local left <const>, pipe = xpio.pipe()
package.loaded.left = { assert(xpio.spawn({ "cat" }, nil, { [0] = left })), pipe }
assert(xpio.pipe()):when_read { _queue = xpio.tqueue() }
return failure or true

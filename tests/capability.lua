--- What this machine can do for the tests, and an emulator on it that runs them: found
--- out by doing it, once, when a test asks.
---
---     if not capability.strace then return pending(capability.reason "strace") end
local support = require "support"
local xpio = require "xpio"

--- The system calls that a script makes behind its third opening of "/mark/probe", as strace
--- writes them; nil where it cannot.
local function calls_behind_mark(script)
  local path = support.temporary_path()
  local _, status = support.lua(([[for _ = 1, 3 do io.open "/mark/probe" end %s]]):format(script), nil,
    "strace -qq -o " .. support.quote(path))
  local file <close> = assert(io.open(path))
  local log = file:read "a"
  os.remove(path)
  return status == 0 and log:match '.*"/mark/probe"[^\n]*\n(.*)' or nil
end

--- What a write says whose peer is gone: "EPIPE" at once, or nothing yet.
local function write_to_nobody()
  local socket, peer = assert(xpio.socketpair())
  peer:close()
  local _, _, code = socket:try_write "x"
  return code
end

--- Whether a TCP connection that waits for its peer can be given up for another one.
local function can_abort_connect()
  local listener, sockets = assert(xpio.socket "TCP"), {}
  assert(listener:bind "127.0.0.1:0")
  assert(listener:listen(0))
  local address = assert(listener:getsockname())
  for i = 1, 10 do
    sockets[i] = assert(xpio.socket "TCP")
    if not sockets[i]:try_connect(address) and select(2, sockets[i]:try_connect(address)) == "retry" then
      local _, _, code = sockets[i]:try_connect "127.0.0.1:1"
      return code ~= "ENOTSUP"
    end
  end
  return true
end

local function measures_processor_time()
  local clock = support.clock()
  xpio.tqueue():wait(0.05)
  return support.clock() - clock < 0.04
end

--- Whether the peer of a connection that is closed with unread data is told so.
local function resets_connections()
  local client, server = support.connected_pair()
  server:write "xx"
  client:read(1)
  client:close()
  return select(3, server:read(1)) == "ECONNRESET"
end

--- Whether spawn knows an attribute but cannot do what it says.
local function refuses_attribute(attrs)
  local process, _, code = xpio.spawn({ "true" }, nil, nil, attrs)
  if process then process:wait() end
  return code == "ENOTSUP"
end

--- Whether a reader learns that nobody listens where its datagram went. Wine tells it
--- with the datagram after that, and wakes nobody.
local function tells_datagram_errors()
  local nobody, socket <close> = assert(xpio.socket "UDP"), assert(xpio.socket "UDP")
  assert(nobody:bind "127.0.0.1:0")
  local address = nobody:getsockname()
  nobody:close()
  assert(socket:connect(address))
  socket:write "x"
  local task = { _queue = xpio.tqueue() }
  socket:when_read(task)
  return #task._queue:wait(0.5) > 0
end

--- Whether the objects of processes that have ended take none of the system's descriptors.
local function forgets_ended_children()
  local objects = {}
  collectgarbage()
  local before = support.count_descriptors()
  for i = 1, 20 do
    objects[i] = assert(xpio.spawn { "true" })
    objects[i]:wait()
  end
  -- One a process, or none: what the loop opens for the first wait, and what it has yet to
  -- close for others, is less than half of them.
  return support.count_descriptors() < before + #objects / 2
end

local capabilities = {
  abort_connect = { "a pending connect cannot be given up", can_abort_connect },
  cpu_clock = { "nothing tells how much processor time is used", measures_processor_time },
  write_notices = { "a socketpair notices with a later write only that its peer is gone",
    function() return write_to_nobody() == "EPIPE" end },
  datagram_errors = { "that nobody wants a datagram is not told in time", tells_datagram_errors },
  -- In Wine, /proc is there, but what it says is not of the numbers that programs see.
  descriptor_flags = { "there is no O_NONBLOCK that belongs to an open file",
    function() return support.flags(0) ~= nil end },
  unix_sockets = { "a socketpair is one of TCP, and has addresses",
    function() return select(3, xpio.socketpair():getsockname()) == "EAFNOSUPPORT" end },
  -- Without /proc nothing tells when a process sleeps; Wine has one, for other numbers.
  process_states = { "nothing tells what a process does, or there is no shell to interrupt it",
    function() return support.has_shell and io.open "/proc/self/stat" ~= nil end },
  signals = { "there are no signals but those that end a process",
    function()
      local process, writer = support.sleeper()
      local result = process:kill "CONT"
      writer:close()
      process:wait()
      return result
    end },
  -- libuv puts children into a job that ends with their parent, on Windows.
  surviving_children = { "children end when their parent does", function() return support.has_shell end },
  ended_children = { "an object keeps a handle of its process, also when that has ended", forgets_ended_children },
  other_users = { "only root, on Unix, can become somebody else",
    function() return not refuses_attribute { uid = 0 } and support.is_root() end },
  child_signals = { "there is no SIGCHLD", function() return os.getenv "XPIO_STRANGER" ~= nil end },
  pipe_signal = { "there is no SIGPIPE",
    function()
      local acted = xpio.sigpipe(true)
      return xpio.sigpipe(acted)
    end },
  -- Windows has one, but Wine does not keep it.
  argument_limit = { "arguments may be as long as they like",
    function()
      local process = xpio.spawn { "true", ("x"):rep(1 << 20) }
      if process then process:wait() end
      return not process
    end },
  probe = { "there is no /proc by which a child can tell what it was given",
    function() return os.getenv "XPIO_PROBE" ~= nil end },
  consoles = { "there are no consoles of Windows", function() return os.getenv "XPIO_CONSOLE" ~= nil end },
  handles = { "descriptors have no handles below", function() return support.handles ~= nil end },
  process_groups = { "there are no process groups",
    function() return not refuses_attribute { pgroup = true } end },
  pseudoterminals = { "there are no pseudoterminals",
    function() return select(3, xpio.openpty()) ~= "ENOTSUP" end },
  reset = { "a connection that is closed with unread data ends as any other",
    resets_connections },
  shell = { "there is no Unix shell", function() return support.has_shell end },
  strace = { "strace is missing or not allowed",
    function() return support.has_shell and calls_behind_mark "" ~= nil end },
  -- An emulator makes calls of its own, and not all that the program makes.
  -- What a sanitizer or a debugger wants of a build is not to be counted.
  plain_build = { "the build is instrumented, or not optimized",
    function()
      return os.getenv "XPIO_OPTIMIZED" and not os.getenv "XPIO_UNDER_VALGRIND"
        and not os.getenv "XPIO_SANITIZED"
    end },
  fixed_stack = { "the stack is moved at every call: a full one is too large for that",
    function() return os.getenv "XPIO_MOVING_STACK" == nil end },
  stopped_collector = { "the collector is not to be stopped",
    function() return os.getenv "XPIO_COLLECT" == nil end },
  callgrind = { "valgrind is missing",
    function() return os.execute "valgrind --version >/dev/null 2>&1" == true end },
  many_descriptors = { "a process may not have 4,096 descriptors",
    function()
      return support.has_shell and os.execute "ulimit -n 4096 2>/dev/null" == true
    end },
  plain_calls = { "strace shows an emulator's system calls, not those of the program",
    function()
      local log = support.has_shell and calls_behind_mark 'io.open "/mark/last"'
      return log and log:match '^openat%(AT_FDCWD, "/mark/last"' ~= nil
    end },
}

local capability = {}

--- Why the tests that need it are skipped.
function capability.reason(name)
  return capabilities[name][1]
end

--- Skips the test that runs, for this reason. A `pending` that is not global in the test
--- itself is another function, which declares a test and skips nothing.
capability.skip = require "busted.core"().pending

--- What takes the place of `it` where all tests need the same: they are skipped with the
--- reason where it is missing.
function capability.it(name)
  local it = require "busted".it
  return function(title, body)
    it(title, function()
      if not capability[name] then return capability.skip(capability.reason(name)) end
      return body()
    end)
  end
end

return setmetatable(capability, {
  __index = function(self, name)
    local result = capabilities[name][2]()
    rawset(self, name, result)
    return result
  end,
})

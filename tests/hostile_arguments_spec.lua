-- Every function and method of xpio with every kind of value in the place of every argument:
-- it returns what its kind of function returns, or raises an error, and all works after it.
local capability = require "capability"
local xpio = require "xpio"
local support = require "support"

local thrown = { "raised by a metamethod" }

--- A metatable all of whose metamethods raise an error.
local function raising()
  local metatable = {}
  for _, name in ipairs { "index", "newindex", "call", "tostring", "name", "len", "eq", "lt", "le",
    "concat", "unm", "pairs", "close", "add" } do
    metatable["__" .. name] = function() error(thrown, 0) end
  end
  return metatable
end

local function dead_coroutine()
  local dead = coroutine.create(function() end)
  coroutine.resume(dead)
  return dead
end

local function finalized(object)
  getmetatable(object).__gc(object)
  return object
end

local function closed(object)
  object:close()
  return object
end

local function closed_file()
  local file = assert(io.open(support.null))
  file:close()
  return file
end

local function listener()
  return (support.listener())
end

local function udp()
  return assert(xpio.socket "UDP")
end

--- A process that has ended.
local function ended()
  local process = assert(xpio.spawn({ "true" }))
  process:wait()
  return process
end

local queue = xpio.tqueue() -- of the call that is made, with a task that is ready

local function scheduled()
  local task = { _queue = queue }
  assert(xpio.socketpair():when_write(task))
  return task
end

local huge = ("x"):rep(1 << 20)

--- Makers of the values, for a call may change them. false is for an argument left out.
local makers = {
  false,
  function() return nil end,
  function() return thrown end,
  function() return { setmetatable({}, raising()) } end,
  function() return setmetatable({ _queue = queue }, raising()) end,
  function() return setmetatable({}, { __index = function() coroutine.yield "from __index" end }) end,
  function() return { _queue = queue } end,
  scheduled,
  function() return scheduled()._dequeuedata end,
  function() return scheduled()._dequeue end,
  function() return { "x", 1, 2.5 } end,
  function() return { "x", {} } end,
  function() return { [0] = 0, [1] = xpio.socketpair(), [1 << 40] = 2 } end,
  function() return { exe = "true", umask = 0, limits = { core = 0 } } end,
  function() return { exe = huge } end,
  function() return function() end end,
  function() return coroutine.create(function(...) coroutine.yield(...) end) end,
  function() return (coroutine.running()) end,
  dead_coroutine,
  closed_file,
  function() return io.stdout end,
  function() return (xpio.socketpair()) end,
  function() return closed(xpio.socketpair()) end,
  function() return finalized(xpio.socketpair()) end,
  function() return (xpio.pipe()) end,
  function() return select(2, xpio.pipe()) end,
  listener,
  udp,
  xpio.tqueue,
  function() return finalized(xpio.tqueue()) end,
}

for _, value in ipairs { true, false, 0, -0.0, 1, 2, -1, 1.5, 2 ^ 31, 1 << 31, 2 ^ 53, 1e300, math.huge, -math.huge,
  0 / 0, math.maxinteger, math.mininteger, "", "x", "10", "0x10", "1e400", "nan", "-1", "\0", "TCP", "127.0.0.1:0",
  "127.0.0.1:1", ":1", "rw", "O_NONBLOCK", "SO_RCVBUF", "SO_KEEPALIVE", "CONT", "group", huge, xpio, xpio.waiting,
  _G, print, getmetatable(xpio.tqueue()), "%s%n%d", ("1"):rep(400) } do
  makers[#makers + 1] = function() return value end
end

--- What makes a call go as far as it can: the arguments behind the object, if it has one.
local good = {
  read = { 10 }, try_read = { 10 }, recvfrom = { 10 }, try_recvfrom = { 10 },
  write = { "data", 1 }, try_write = { "data", 1 },
  sendto = { "data", "127.0.0.1:1" }, try_sendto = { "data", "127.0.0.1:1" },
  connect = { "127.0.0.1:1" }, try_connect = { "127.0.0.1:1" }, bind = { "127.0.0.1:0" },
  getsockopt = { "SO_RCVBUF" }, setsockopt = { "SO_RCVBUF", 1000 }, shutdown = { "rw" }, listen = { 1 },
  wait = { 0, {} }, kill = { 0, "process" }, socket = { "TCP" }, fdopen = { 0 },
  spawn = { { "no such program" }, {}, {}, {} },
}

--- The arguments of a call: the value in a place, and before and behind it what is good for
--- the function, or nothing.
local function arguments_of(name, place, maker, fill)
  local arguments = fill and table.move(good[name] or {}, 1, 4, 1, {}) or {}
  local count = fill and math.max(place, #(good[name] or {})) or place
  if maker then arguments[place] = maker() else count = place - 1 end
  return table.unpack(arguments, 1, count)
end

local codes = {}

--- Checks what a protected call has returned.
local function check(where, ok, ...)
  local first, message, code = ...
  if not ok then
    assert(first == thrown or type(first) == "string", where)
  elseif first == nil and message ~= nil then
    assert(type(message) == "string", where)
    if code then codes[code] = true end
    assert(code ~= nil or message == "retry" or message == "already closed", where .. message)
    assert(code == nil or code:match "^E[%u%d]+$", where .. message)
  end
end

--- Calls the function as a task, which is closed where it blocks.
local function call(where, f, ...)
  local task = support.task(queue, function(...) check(where, pcall(f, ...)) end)
  local ok, message = support.resume(task, ...)
  assert(ok, message)
  if coroutine.status(task.coroutine) == "suspended" then
    assert(coroutine.close(task.coroutine))
    assert(rawget(task, "_dequeue") == nil, where)
  end
end

--- All of it is as it was: a new queue, a new pair and the current task.
local function check_all_works()
  assert.is_nil(xpio.getCurrentTask())
  local a, b = assert(xpio.socketpair())
  local task = support.task(xpio.tqueue(), function() return a:read(10) end)
  assert.same({ true, xpio.waiting }, { support.resume(task) })
  assert.equal(1, b:try_write "x")
  support.wait_for(task._queue, task)
  assert.same({ true, "x" }, { support.resume(task) })
end

--- Calls a function in all those ways; `make` returns its object, or nothing.
local function call_in_every_way(name, f, places, make)
  for place = 1, places do
    for number, maker in ipairs(makers) do
      for _, fill in ipairs(support.has_shell and { false, true } or { true }) do
        queue = xpio.tqueue()
        scheduled()
        local where = ("%s, argument %d is value %d: "):format(name, place, number)
        if make then
          call(where, f, make(), arguments_of(name, place, maker, fill))
        else
          call(where, f, arguments_of(name, place, maker, fill))
        end
      end
    end
  end
  xpio.setCurrentTask(nil)
  xpio.sigpipe(false)
  check_all_works()
end

describe("a function of the module", function()
  -- How many arguments it is given; those of four are one more than it takes.
  local places = { spawn = 4, resume = 4, setCurrentTask = 2, sigpipe = 2, socket = 2, fdopen = 2 }

  for name, f in pairs(xpio) do
    if type(f) == "function" then
      it(("takes all values in every place, or says why not: xpio.%s"):format(name), function()
        call_in_every_way(name, f, places[name] or 1)
      end)
    end
  end
end)

describe("a method", function()
  local two = { write = true, try_write = true, sendto = true, try_sendto = true, setsockopt = true, kill = true }

  --- All methods and metamethods, of this object and of others.
  local function declare(kind, make)
    local count = 0
    for name, f in pairs(getmetatable(make())) do
      if type(f) == "function" then
        count = count + 1
        it(("takes all values in every place, or says why not: %s of %s"):format(name, kind), function()
          call_in_every_way(name, f, two[name] and 2 or 1, make)
        end)
      end
    end
    assert(count >= 4)
  end

  declare("a socketpair", function() return (xpio.socketpair()) end)
  declare("a closed socket", function() return closed(xpio.socketpair()) end)
  local process
  declare("a process", function()
    -- There are a thousand calls; without Unix they are of the same one.
    if support.has_shell or not process then process = ended() end
    return process
  end)
  declare("a task queue", function() return queue end)

  -- The rest has the same methods.
  for kind, make in pairs {
    ["a listener"] = listener,
    ["a datagram socket"] = udp,
    ["a reader"] = function() return (xpio.pipe()) end,
    ["a writer"] = function() return select(2, xpio.pipe()) end,
    ["a file"] = function() return assert(xpio.fdopen(assert(io.open(support.null, "r+")))) end,
  } do
    it("takes good values, or says why not: all of " .. kind, function()
      for name, f in pairs(getmetatable(make())) do
        queue = xpio.tqueue()
        scheduled()
        if type(f) == "function" then
          call(name, f, make(), arguments_of(name, 1, function() return good[name] and good[name][1] end, true))
        end
      end
      check_all_works()
    end)
  end
end)

it("the codes of errors are many", function()
  local count = 0
  for _ in pairs(codes) do count = count + 1 end
  assert.is_true(count >= 8)
end)

-- The loop's own was watched by itself, and libuv aborted. Every number has a program of its
-- own: the first to be watched is another case than the second.
capability.it "shell" ("every number below 20 can be waited for, be it of xpio's own, or it says why not", function()
  for number = 0, 19 do
    local output, status = support.lua(([[
      local xpio = require "xpio"
      local queue, a = xpio.tqueue(), xpio.socketpair()
      a:when_read { _queue = queue }
      queue:wait(0)
      local object, message, code = xpio.fdopen(%d)
      if object then
        object:when_read { _queue = queue }
        object:when_write { _queue = queue }
        queue:wait(0)
        xpio.tqueue():wait(0.01)
        object:close()
        queue:wait(0)
      else
        assert(code == "EBADF" or code == "EINVAL", message)
      end
      a:close()
      queue:wait()
      print "fine"
    ]]):format(number))
    assert.equal("fine\n", output)
    assert.equal(0, status)
  end
end)

-- Tables that a program hands over and changes meanwhile, or whose metatables do what nobody
-- expects: arrays to write, arrays that wait is to fill, tasks.
local xpio = require "xpio"
local support = require "support"

local queue, a, b

local function setup_pair()
  queue = xpio.tqueue()
  a, b = assert(xpio.socketpair())
end

local function close_pair()
  a:close()
  b:close()
end

local thrown = { "raised by a metamethod" }

--- A metatable all of whose metamethods raise an error that is no string, but those named.
local function raising(...)
  local metatable = {}
  for _, name in ipairs { "index", "newindex", "call", "tostring", "name", "len", "eq", "lt", "le",
    "concat", "unm", "pairs", "close", "add" } do
    metatable["__" .. name] = function() error(thrown, 0) end
  end
  for _, name in ipairs { ... } do metatable["__" .. name] = nil end
  return metatable
end

describe("an array that changes while it is written", function()
  before_each(setup_pair)
  after_each(close_pair)

  --- What the write returns in a protected call, and how many bytes come of it.
  local function write_while(change)
    local strings, size = support.too_much()
    local results
    support.blocked(queue, function() results = table.pack(pcall(a.write, a, strings)) end)
    change(strings)
    local received = 0
    while not results do
      local piece = b:try_read(1000000)
      received = received + (piece and #piece or 0)
      for _, task in ipairs(queue:wait(0)) do support.resume(task) end
    end
    a:close()
    return results, received + #support.read_all(b, 1000000), size
  end

  -- What had been written was more than there was to write, and was taken for an error.
  it("is written with what it has grown by, or without", function()
    local block = ("z"):rep(3000000)
    for _, change in ipairs {
      function(strings) strings[#strings + 1] = "z" end,
      function(strings) strings[#strings] = block end,
      function(strings) strings[1] = block end,
      function(strings)
        for i = 1, #strings do strings[i] = block end
      end,
    } do
      setup_pair()
      local results, received, size = write_while(change)
      assert.same({ true, received, n = 2 }, results)
      assert.is_true(received >= size)
    end
  end)

  it("raises an error when there is less of it, or something else", function()
    for _, change in ipairs {
      function(strings) strings[#strings] = "" end,
      function(strings) strings[1] = "" end,
      function(strings) strings[#strings] = nil end,
      function(strings) strings[1] = nil end,
      function(strings) strings[20] = {} end,
      function(strings)
        for i = #strings, 1, -1 do strings[i] = nil end
      end,
    } do
      setup_pair()
      local results, received, size = write_while(change)
      assert.is_false(results[1])
      assert.matches("bad argument", results[2])
      assert.is_true(results[2]:find "shorter" ~= nil or results[2]:find "string expected, got" ~= nil)
      assert.is_true(received < size)
    end
  end)

  it("may be changed by finalizers that run where numbers become strings", function()
    local runs = 0
    for round = 1, 50 do
      local numbers = {}
      for i = 1, 100 do numbers[i] = i + 0.5 end
      setmetatable({}, { __gc = function()
        runs = runs + 1
        for i = 1, 100 do numbers[i] = round % 2 == 0 and i or nil end
        if round % 5 == 0 then close_pair() end
      end })
      local ok, count, message = support.collecting(pcall, a.try_write, a, numbers)
      assert.is_true(not ok and count:match "bad argument" ~= nil or math.type(count) == "integer"
        or message ~= nil)
      close_pair()
      setup_pair()
    end
    assert.equal(50, runs)
  end)
end)

describe("the metatable of an array", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("does not count where it is written", function()
    local array = setmetatable({ "a", 1, "b" }, raising())
    assert.equal(3, a:try_write(array))
    assert.equal(3, a:write(array))
    assert.equal(2, a:write(array, 2))
    assert.equal("a1ba1b1b", b:read(100))
  end)

  it("does not count where wait fills it", function()
    local into = setmetatable({ 1, 2, 3, x = 4 }, raising())
    local task = setmetatable({ _queue = queue }, raising())
    assert.is_true(a:when_write(task))
    assert.is_true(rawequal(into, queue:wait(support.patience, into)))
    assert.is_true(rawequal(task, rawget(into, 1)))
    assert.is_nil(rawget(into, 2))
    assert.equal(4, rawget(into, "x"))
    assert.is_nil(rawget(task, "_dequeue"))
  end)
end)

describe("an array for wait to fill", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("may be one of the tasks, or the module, or full of other things", function()
    local task = { _queue = queue, "first", "second" }
    assert.is_true(a:when_write(task))
    assert.equal(task, queue:wait(support.patience, task))
    assert.equal(task, task[1])
    assert.is_nil(task[2])
    for _, into in ipairs { xpio, getmetatable(a), _G, xpio.env, setmetatable({}, { __mode = "kv" }) } do
      assert.is_true(a:when_write(task))
      assert.equal(into, queue:wait(support.patience, into))
      assert.equal(task, table.remove(into))
    end
    assert.is_true(queue:isEmpty())
  end)

  it("may have holes, and keys that are nearly those of an array", function()
    local into = { [0] = "zero", [1.5] = "float", [3] = "three", [-1] = "minus", [math.maxinteger] = "max",
      [math.mininteger] = "min", [2 ^ 53] = "large" }
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = { _queue = queue }
      assert.is_true(a:when_write(tasks[i]))
    end
    assert.equal(into, queue:wait(support.patience, into))
    for i = 1, 5 do assert.equal(tasks[i], into[i]) end
    assert.is_nil(into[6])
    assert.equal("zero", into[0])
    assert.equal("max", into[math.maxinteger])
  end)
end)

describe("a task", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("with another _queue than a queue is not scheduled", function()
    for _, other in ipairs { a, 0, "queue", true, xpio, xpio.waiting, print, io.stdout, {},
      setmetatable({}, getmetatable(queue)), setmetatable({}, raising()),
      setmetatable({}, { __index = queue }), coroutine.create(print) } do
      local task = { _queue = other }
      assert.error_matches(function() a:when_read(task) end, "_queue: xpio%.tqueue expected, got")
      task._queue = task
      assert.error_matches(function() a:when_read(task) end, "_queue: xpio%.tqueue expected, got table")
      assert.is_nil(task._dequeue)
    end
    for _, other in ipairs { queue, a, "task", print } do
      assert.error_matches(function() a:when_read(other) end, "table expected, got")
    end
    assert.is_true(queue:isEmpty())
  end)

  it("may be what holds its own queue, socket and coroutine, or a table of the module's", function()
    for _, task in ipairs { xpio, getmetatable(a), getmetatable(queue), xpio.env, _G, package.loaded } do
      task._queue = queue
      assert.is_true(a:when_write(task))
      assert.error_matches(function() b:when_write(task) end, "already scheduled")
      support.wait_for(queue, task)
      task._queue = nil
    end
  end)

  it("is scheduled although every metamethod of it raises an error", function()
    local task = setmetatable({ _queue = queue }, raising())
    assert.is_true(a:when_read(task))
    rawget(task, "_dequeue")(task)
    assert.is_true(a:when_read(task))
    b:write "x"
    assert.is_true(rawequal(task, queue:wait(support.patience)[1]))
    rawset(task, "_queue", nil)
    local ok, message = pcall(a.when_read, a, task)
    assert.is_false(ok)
    assert.is_true(rawequal(thrown, message))
    assert.is_true(queue:isEmpty())
  end)

  it("may be scheduled elsewhere, dequeued and returned while its _queue is read", function()
    local other = xpio.tqueue()
    for _, meanwhile in ipairs {
      function(task)
        rawset(task, "_queue", other)
        b:when_write(task)
        rawset(task, "_queue", nil)
      end,
      function(task)
        rawset(task, "_queue", other)
        b:when_write(task)
        rawset(task, "_queue", nil)
        other:wait()
      end,
      function(task)
        rawset(task, "_queue", other)
        b:when_write(task)
        rawset(task, "_queue", nil)
        rawget(task, "_dequeue")(task)
      end,
    } do
      local task = setmetatable({}, { __index = function(self, name)
        if name ~= "_queue" then return nil end
        meanwhile(self)
        return queue
      end })
      local ok, message = pcall(a.when_write, a, task)
      if not ok then assert.matches("already scheduled", message) end
      local count = #(queue:wait(0) or {}) + #(other:wait(0) or {})
      assert.equal(1, count)
      assert.is_nil(rawget(task, "_dequeue"))
    end
  end)

  it("that schedules another one while its _queue is read does so until C's stack is full", function()
    local depth = 0
    local metatable
    metatable = { __index = function(_, name)
      if name ~= "_queue" then return nil end
      depth = depth + 1
      assert(a:when_write(setmetatable({}, metatable)))
      return queue
    end }
    local ok, message = pcall(a.when_write, a, setmetatable({}, metatable))
    assert.is_false(ok)
    assert.matches("stack overflow", message)
    assert.is_true(depth > 10)
    assert.is_true(queue:isEmpty())
  end)

  it("can have its fields written while it waits, and is returned all the same", function()
    for _, value in ipairs { false, 0, "x", {}, print, queue, a, coroutine.create(print), xpio.waiting } do
      for _, field in ipairs { "_queue", "_dequeue", "_dequeuedata" } do
        local task = { _queue = queue }
        assert.is_true(a:when_write(task))
        local dequeue = task._dequeue
        task[field] = value
        if field == "_dequeuedata" then
          assert.error_matches(function() dequeue(task) end, "not scheduled")
        end
        support.wait_for(queue, task)
        assert.is_nil(task._dequeue)
        assert.is_nil(task._dequeuedata)
      end
    end
  end)

  it("cannot dequeue another, nor with another's data", function()
    local one, other = { _queue = queue }, { _queue = xpio.tqueue() }
    assert.is_true(a:when_read(one))
    assert.is_true(a:when_read(other))
    one._dequeuedata, other._dequeuedata = other._dequeuedata, one._dequeuedata
    for _, task in ipairs { one, other } do
      assert.error_matches(function() task:_dequeue() end, "_dequeuedata is another task's")
      assert.error_matches(function() task._dequeue { _dequeuedata = task._dequeuedata } end,
        "_dequeuedata is another task's")
    end
    one._dequeuedata, other._dequeuedata = other._dequeuedata, one._dequeuedata
    one:_dequeue()
    other:_dequeue()
    assert.is_true(queue:isEmpty())
  end)
end)

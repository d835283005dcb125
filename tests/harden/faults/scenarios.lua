-- What is done while calls fail. Runs in the Lua state of a case.
--
-- A call that has reported the case's fault is made again and must succeed then: nothing may
-- have happened when it failed. So a scenario comes to its end in any case, and what it moves must
-- be there once and in order. Only for want of Lua's memory it may end early.

local fault -- what the case is, and functions: see case.c

local xpio
local kept = {} -- all that was made, until the scenario forgets it
local reported = false

local MIDDLE = {} -- the error that ends a scenario in its middle

--- Returns what it is given.
local function keep(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "userdata" or type(value) == "table" then kept[#kept + 1] = value end
  end
  return ...
end

local function forget()
  kept = {}
  collectgarbage()
  collectgarbage()
end

--- The place for lua_close to come at.
local function middle()
  if fault.closes then error(MIDDLE) end
end

--- Whether this is what the fault had to be reported as. It is, once.
local function is_report(code)
  if reported or code == nil or code ~= fault.code or fault.hits() ~= 1 then return false end
  reported = true
  fault.report()
  return true
end

--- Where Lua's stack cannot grow, Lua does not say why.
local function is_memory_error(message)
  return fault.ofLua and type(message) == "string"
    and (message == "not enough memory" or message:find "stack overflow")
end

local function settle(f, a, b, c, ok, first, second, third, ...)
  local memory = not ok and is_memory_error(first)
  if not ok and not memory then error(first, 0) end
  if memory or (first == nil and is_report(third)) then return keep(f(a, b, c)) end
  return keep(first, second, third, ...)
end

--- Calls a function, perhaps twice, and returns what it does.
local function attempt(f, a, b, c)
  return settle(f, a, b, c, pcall(f, a, b, c))
end

--- The same, but that there is no second time when memory ran out.
local function attempt_or_end(f, ...)
  if fault.ofLua then return keep(f(...)) end
  return attempt(f, ...)
end

local function succeeded(first, second, third, ...)
  if first == nil then
    error(("%s (%s), though the fault was %s"):format(second, third, fault.code), 3)
  end
  return first, second, third, ...
end

--- The same where a failure is a defect.
local function must(...)
  return succeeded(attempt(...))
end

local function check(truth, message)
  if not truth then error(message or "a check has failed", 2) end
end

--- Writes all, from this byte on. How much was written before memory ran out is not known.
local function write(object, data, first)
  local count, message, code, written = object:write(data, first)
  if not count and is_report(code) then
    check(written >= 0, "written")
    count, message = object:write(data, (first or 1) + written)
  end
  check(count, message)
end

--- Reads so many bytes, or to the end. What was read when there is no memory for it is lost.
local function read(object, size)
  local parts, length = {}, 0
  while length < (size or math.huge) do
    local part, message, code = attempt_or_end(object.read, object, 16384)
    check(part or not code, message)
    if not part then break end
    parts[#parts + 1] = part
    length = length + #part
  end
  return table.concat(parts)
end

--- A text in which every part is another.
local function text_of(size)
  local parts, rest = {}, ("."):rep(94)
  for i = 1, size // 100 do parts[i] = ("%05d "):format(i) .. rest end
  return table.concat(parts)
end

local TEXT = text_of(80000)

local function same(one, other)
  check(one == other, ("%d bytes came, or others, where %d were sent"):format(#one, #other))
end

--- Runs functions as tasks until all have returned.
local function run(...)
  local queue, left = must(xpio.tqueue), 0
  local function resume(task)
    local ok, message = xpio.resume(task, task.coroutine)
    if not ok then error(message, 0) end
    if coroutine.status(task.coroutine) == "dead" then left = left - 1 end
  end
  for _, body in ipairs { ... } do
    left = left + 1
    resume(keep { _queue = queue, coroutine = coroutine.create(body) })
  end
  while left > 0 do
    local ready = attempt(queue.wait, queue)
    check(ready, "a task is lost")
    for _, task in ipairs(ready) do resume(task) end
  end
end

local function connected_pair()
  local listener = must(xpio.socket, "TCP")
  must(listener.setsockopt, listener, "SO_REUSEADDR", true)
  must(listener.bind, listener, "127.0.0.1:0")
  must(listener.listen, listener)
  local address = must(listener.getsockname, listener)
  local client = must(xpio.socket, "TCP")
  must(client.connect, client, address)
  local server = must(listener.accept, listener)
  same(must(server.getpeername, server), must(client.getsockname, client))
  return client, server, listener
end

--- What is written in all ways at one end comes out of the other.
local function transfer(writer, reader, size)
  local text, received = TEXT:sub(1, size), nil
  local half = #text // 2
  run(function()
    received = read(reader, #text)
  end, function()
    write(writer, text:sub(1, half))
    middle()
    write(writer, { text:sub(half + 1, half + 8), "", text:sub(half + 9) })
  end)
  same(received, text)
end

local function wait_for(process, how, status)
  local ended, number, code = attempt(process.wait, process)
  if not ended and code == "ECHILD" and fault.code == "ECHILD" and fault.hits() == 1 then
    check(select(3, process:wait()) == "ECHILD", "a lost status has come back")
    fault.report()
    return
  end
  check(ended == how and number == status, ("the child's end: %s %s"):format(ended, number))
end

--- Starts a child. The objects of a failed attempt are as they were.
local function spawn(...)
  local files = select(3, ...)
  local process, message, code, step = xpio.spawn(...)
  if not process and is_report(code) then
    check(step, "no step")
    for _, object in pairs(files or {}) do
      check(not object or object:getsockopt "O_NONBLOCK" == true, "O_NONBLOCK was not restored")
    end
    process, message = xpio.spawn(...)
  end
  check(process, message)
  return keep(process)
end

local scenarios = {}

function scenarios.probe() end

--- Makes all that is made once in a process.
function scenarios.warmUp()
  local task = { _queue = xpio.tqueue() }
  assert(spawn { "true" }:when_wait(task))
  task._queue:wait()
end

--- Loading the module, for which all else is loaded before.
function scenarios.load()
  fault.arm()
  if not pcall(require, "xpio") then
    check(fault.hits() == 1, "the module does not load")
    fault.report()
    collectgarbage() -- what is left of the first state
    collectgarbage()
    require "xpio"
  end
  fault.disarm()
end

--- Plain calls on the main thread, which wait in place.
function scenarios.tcp()
  local client, server, listener = connected_pair()
  must(client.setsockopt, client, "TCP_NODELAY", true)
  check(must(client.getsockopt, client, "TCP_NODELAY") == true)
  write(client, "ping")
  same(read(server, 4), "ping")
  write(server, { "po", "ng" })
  same(read(client, 4), "pong")
  check(client:try_read(10) == nil)
  middle()
  must(client.shutdown, client, "w")
  same(read(server), "")
  for _, object in ipairs { client, server, listener } do must(object.close, object) end
end

--- More than there is room for in between.
function scenarios.tcpTasks()
  local client, server = connected_pair()
  must(client.setsockopt, client, "TCP_NODELAY", true)
  must(client.setsockopt, client, "SO_SNDBUF", 4096)
  transfer(client, server, 30000)
  transfer(server, client, 1000)
end

function scenarios.connectTasks()
  local listener = must(xpio.socket, "TCP")
  must(listener.bind, listener, "127.0.0.1:0")
  must(listener.listen, listener)
  local address = must(listener.getsockname, listener)
  run(function()
    for _ = 1, 3 do
      local server <close> = must(listener.accept, listener)
      same(read(server), "hello")
    end
    middle()
  end, function()
    for _ = 1, 3 do
      local client <close> = must(xpio.socket, "TCP")
      must(client.connect, client, address)
      write(client, "hello")
    end
  end)
end

function scenarios.socketpair()
  local one, other = must(xpio.socketpair)
  must(one.setsockopt, one, "SO_SNDBUF", 4096)
  transfer(one, other, 30000)
  transfer(other, one, 1000)
end

function scenarios.pipe()
  local reader, writer = must(xpio.pipe)
  transfer(writer, reader, 80000)
  must(writer.close, writer)
  same(read(reader), "")
end

function scenarios.udp()
  local one, other = must(xpio.socket, "UDP"), must(xpio.socket, "UDP")
  must(one.bind, one, "127.0.0.1:0")
  must(other.bind, other, "127.0.0.1:0")
  local address = must(one.getsockname, one)
  run(function()
    local data, sender = attempt_or_end(one.recvfrom, one, 100)
    same(data, "first")
    same(sender, must(other.getsockname, other))
    must(one.connect, one, sender)
    check(must(one.write, one, "second") == 6)
    middle()
  end, function()
    check(must(other.sendto, other, "first", address) == 5)
    same(attempt_or_end(other.read, other, 100), "second")
  end)
end

--- Sockets and pipes whose descriptions others have, too.
function scenarios.foreign()
  local one, other = must(xpio.socketpair)
  must(one.setsockopt, one, "SO_SNDBUF", 4096)
  transfer(must(xpio.fdopen, must(one.fileno, one)), must(xpio.fdopen, other:fileno()), 40000)
  local reader, writer = must(xpio.pipe)
  transfer(must(xpio.fdopen, writer:fileno()), must(xpio.fdopen, reader:fileno()), 80000)
  local listener = must(xpio.socket, "TCP")
  must(listener.listen, listener)
  local shared = must(xpio.fdopen, listener:fileno())
  local client = must(xpio.socket, "TCP")
  local connecting = must(xpio.fdopen, client:fileno())
  must(connecting.connect, connecting, must(shared.getsockname, shared))
  local server = must(shared.accept, shared)
  write(server, "hello")
  same(read(connecting, 5), "hello")
end

--- What cannot be opened anew, and what is always ready.
function scenarios.files()
  fault.disarm()
  local path = os.tmpname()
  os.remove(path)
  check(os.execute("mkfifo " .. path))
  local fifo <close> = io.open(path, "r+")
  os.remove(path)
  local file <close> = io.tmpfile()
  local null <close> = io.open("/dev/null", "r+")
  file:write "before "
  fault.arm()
  local both = must(xpio.fdopen, fifo)
  transfer(both, both, 80000)
  local object = must(xpio.fdopen, file)
  write(object, { "af", "ter" })
  file:seek("set")
  same(read(object), "before after")
  local sink = must(xpio.fdopen, null)
  write(sink, "gone")
  same(read(sink), "")
end

function scenarios.terminal()
  local master, slave = must(xpio.openpty)
  for _, object in ipairs { master, slave } do
    check(must(object.getsockopt, object, "O_NONBLOCK"), "a terminal blocks")
  end
  local shared_master, shared_slave = must(xpio.fdopen, master:fileno()), must(xpio.fdopen, slave:fileno())
  write(shared_slave, "out\n")
  same(read(shared_master, 5), "out\r\n")
  write(shared_master, "in\n")
  same(read(slave, 3), "in\n")
  same(read(master, 4), "in\r\n")
  write(master, "\4") -- Ctrl-D
  same(read(slave), "")
  middle()
  must(shared_slave.close, shared_slave)
  local process = spawn({ "sh", "-c", "test -t 0 && echo yes" }, nil,
    { [0] = slave, [1] = slave, [2] = slave }, { ctty = slave })
  same(read(master, 5), "yes\r\n")
  wait_for(process, "exit", 0)
end

local function cat(attributes)
  local from, to = must(xpio.pipe)
  local out, into = must(xpio.pipe)
  local process = spawn({ "cat" }, { LC_ALL = "C" }, { [0] = from, [1] = into }, attributes)
  return process, to, out
end

function scenarios.spawn()
  local process, to, out = cat()
  local received
  run(function()
    write(to, TEXT)
    middle()
    must(to.close, to)
  end, function()
    received = read(out)
  end, function()
    wait_for(process, "exit", 0)
  end)
  same(received, TEXT)
  wait_for(spawn({ "sh", "-c", "exit 3" }), "exit", 3)
end

--- Objects exchange their places; and a child that becomes another user, if that is allowed.
function scenarios.attributes()
  local one, other = must(xpio.socketpair)
  local numbers = { [one:fileno()] = other, [other:fileno()] = one, [0] = false }
  wait_for(spawn({ "true" }, nil, numbers, {
    cwd = "/", umask = 18, nice = 1, session = true, limits = { nofile = 64, core = 0 },
  }), "exit", 0)
  local status <close> = io.open "/proc/self/status"
  local root = status:read("a"):find "\nUid:%s0"
  wait_for(spawn({ "true" }, nil, nil, {
    exe = "/bin/true", groups = root and {}, gid = root and 65534, uid = root and 65534,
  }), "exit", 0)
end

function scenarios.group()
  local leader, leader_end = cat { pgroup = true }
  local member, member_end = cat { pgroup = leader }
  must(leader.kill, leader, "TERM", "group")
  wait_for(leader, "signal", 15)
  wait_for(member, "signal", 15)
  local other, other_end = cat()
  must(other.kill, other)
  wait_for(other, "signal", 9)
  keep(leader_end, member_end, other_end)
end

function scenarios.failedSpawn()
  local one, other = must(xpio.socketpair)
  local function fail(code, ...)
    local process, message, found, step = xpio.spawn(...)
    check(not process and step, "a program that is not there was started")
    check(found == code or is_report(found), message)
    check(one:fileno() and other:fileno(), "closed by a failed spawn")
  end
  fail("ENOENT", { "/no/such/program" }, nil, { [1] = one, [5] = other })
  fail("ENOENT", { "true" }, nil, { [3] = one, [4] = other }, { cwd = "/no/such/folder" })
  fail("EBADF", { "true" }, nil, { [1] = one, [4] = 999 })
  if fault.code then return end
  check(one:getsockopt "O_NONBLOCK" and other:getsockopt "O_NONBLOCK", "O_NONBLOCK was not restored")
end

--- Children that nobody has waited for yet, by tasks; and one that nobody ever waits for.
function scenarios.children()
  local queue, statuses = must(xpio.tqueue), 0
  spawn { "true" }
  for status = 1, 4 do
    local task = keep { _queue = queue, process = spawn { "sh", "-c", "exit " .. status } }
    must(task.process.when_wait, task.process, task)
  end
  middle()
  while not queue:isEmpty() do
    for _, task in ipairs(attempt(queue.wait, queue)) do
      local _, status = task.process:wait()
      statuses = statuses + (tonumber(status) or 0)
    end
  end
  check(statuses == 10 or fault.code == "ECHILD", "a status is wrong")
end

--- A hundred tasks on ten objects; half are taken out again.
function scenarios.queue()
  local queue, tasks, found = must(xpio.tqueue), {}, 0
  local readers, writers = {}, {}
  for i = 1, 10 do readers[i], writers[i] = must(xpio.socketpair) end
  for i = 1, 100 do
    tasks[i] = keep { _queue = queue }
    must(readers[i % 10 + 1].when_read, readers[i % 10 + 1], tasks[i])
  end
  for i = 1, 100, 2 do attempt(tasks[i]._dequeue, tasks[i]) end
  for _, writer in ipairs(writers) do write(writer, "x") end
  middle()
  local ready = {}
  while not queue:isEmpty() do
    for _, task in ipairs(attempt(queue.wait, queue, 10, ready)) do
      check(task._dequeue == nil and not task.found, "a task is doubled")
      task.found = true
      found = found + 1
    end
  end
  check(found == 50, found .. " of 50 tasks")
  check(#attempt(queue.wait, queue, 0.001) == 0)
  for _, reader in ipairs(readers) do same(read(reader, 1), "x") end
end

--- Ctrl-C while nothing comes.
function scenarios.interrupt()
  local status <close> = io.open "/proc/self/stat"
  local reader, writer = must(xpio.pipe)
  local task = { _queue = must(xpio.tqueue) }
  must(reader.when_read, reader, task)
  spawn { "sh", "-c", "sleep 0.02; kill -INT " .. status:read "n" }
  local ready
  repeat ready = attempt(task._queue.wait, task._queue, 2) until #ready == 0
  check(task._dequeue, "the task is gone")
  keep(writer)
end

--- After whatever has happened, everything works.
local function probe()
  xpio = require "xpio"
  local one, other = assert(xpio.socketpair())
  local queue = xpio.tqueue()
  local task = { _queue = queue }
  assert(one:when_read(task))
  assert(other:write "probe" == 5)
  local ready = queue:wait(5)
  check(#ready == 1 and ready[1] == task, "the probe's task does not come")
  check(one:read(100) == "probe", "the probe does not come")
  local process = assert(xpio.spawn { "sh", "-c", "exit 7" })
  local how, number = process:wait()
  check(how == "exit" and number == 7, "the probe's child")
  one:close()
  other:close()
  while fault.hasChildren() do queue:wait(0.001) end
end

local function run_scenario()
  if fault.scenario ~= "load" then
    xpio = require "xpio"
    if not fault.closes and fault.scenario ~= "probe" then fault.arm() end
  end
  scenarios[fault.scenario]()
  if fault.closes then error "the scenario has no middle" end
  forget()
end

return function(case)
  fault = case
  local ok, message = xpcall(run_scenario, function(message)
    if message == MIDDLE or is_memory_error(message) then return message end
    return debug.traceback(tostring(message), 2)
  end)
  if message == MIDDLE then return end
  fault.disarm()
  if not ok and not is_memory_error(message) then error(message, 0) end
  forget()
  probe()
end

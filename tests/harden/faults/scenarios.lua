-- What is done while calls fail. Each function gets xpio and what the case is (case.c); the steps
-- count and report. The place for lua_close is where `middle` is called.

local steps = require "steps"

local keep = steps.keep
local middle = steps.middle
local attempt = steps.attempt
local attempt_or_end = steps.attempt_or_end
local must = steps.must
local check = steps.check
local write = steps.write
local read = steps.read
local same = steps.same
local run = steps.run
local connected_pair = steps.connected_pair
local transfer = steps.transfer
local wait_for = steps.wait_for
local spawn = steps.spawn
local cat = steps.cat
local is_report = steps.is_report

local scenarios = {}

function scenarios.probe() end

--- Makes all that is made once in a process.
function scenarios.warmUp(xpio)
  local task = { _queue = xpio.tqueue() }
  assert(spawn { "true" }:when_wait(task))
  task._queue:wait()
end

--- Loading the module, for which all else is loaded before.
function scenarios.load(_, fault)
  fault.arm()
  if not pcall(require, "xpio") then
    check(fault.hits() == 1, "the module does not load")
    fault.report()
    fault.disarm()
    require "xpio"
  end
  fault.disarm()
  collectgarbage() -- what is left of the first state
  collectgarbage()
  fault.another() -- so that there were two at once, in any case
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
  local nothing, reason = attempt(client.try_read, client, 10)
  check(nothing == nil and reason == "retry", reason)
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

function scenarios.connectTasks(xpio)
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

function scenarios.socketpair(xpio)
  local one, other = must(xpio.socketpair)
  must(one.setsockopt, one, "SO_SNDBUF", 4096)
  transfer(one, other, 30000)
  transfer(other, one, 1000)
end

function scenarios.pipe(xpio)
  local reader, writer = must(xpio.pipe)
  transfer(writer, reader, 80000)
  must(writer.close, writer)
  same(read(reader), "")
end

function scenarios.udp(xpio)
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
function scenarios.foreign(xpio)
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
function scenarios.files(xpio, fault)
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

function scenarios.terminal(xpio)
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

function scenarios.spawn()
  local process, to, out = cat()
  local received
  run(function()
    write(to, steps.TEXT)
    middle()
    must(to.close, to)
  end, function()
    received = read(out)
  end, function()
    wait_for(process, "exit", 0)
  end)
  same(received, steps.TEXT)
  wait_for(spawn({ "sh", "-c", "exit 3" }), "exit", 3)
end

--- Objects exchange their places; and a child that becomes another user, if that is allowed.
function scenarios.attributes(xpio)
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

function scenarios.failedSpawn(xpio, fault)
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
function scenarios.children(xpio, fault)
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
function scenarios.queue(xpio)
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
function scenarios.interrupt(xpio)
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

return scenarios

--- What the soaks share: tasks, rounds, and other processes.
---
--- A soak is a program. It does the same round many times, and what the process holds after
--- the first ones, the warm-up, is what it may hold after the last. The peers of its sockets
--- are in a process of their own, which runs the same file and is measured too.
local dispatcher = require "xpio.dispatcher"
local holdings = require "holdings"
local stream = require "stream"
local xpio = require "xpio"

local soak = { sleep = dispatcher.sleep }

local interpreter, file = arg[-1], arg[0]
local name = file:match "([^/]*)%.lua$"
local part, address = arg[1] == "--part" and arg[2], arg[3]
local short = arg[1] == "--short" or arg[4] == "--short"
local children = {} -- by their parts: they are to end with this process
local round_now, last_progress = 0, xpio.gettime()

--- Say what went wrong, and end: nothing that comes after it could be relied on.
local function fail(message)
  io.stderr:write(("\r\27[K%s, %s: %s\n"):format(name, part or "main", message))
  for _, process in pairs(children) do process:kill() end
  os.exit(1)
end

--- Say how far the round is, about once a second.
function soak.progress(done, of)
  local now = xpio.gettime()
  if part or now < last_progress + 1 then return end
  last_progress = now
  io.stderr:write(("\r\27[K%s: round %d, %d of %d"):format(name, round_now, done, of))
end

--- Start `f(...)` as a task; an error in it ends the program.
---@return table task
function soak.start(f, ...)
  local task
  dispatcher.start(function(...)
    task = xpio.getCurrentTask()
    local ok, message = xpcall(f, debug.traceback, ...)
    if not ok then fail(message) end
  end, ...)
  return task
end

--- Run functions at once, and go on when all have ended.
function soak.together(...)
  local functions = { ... }
  local arrive = soak.barrier(#functions)
  for i = 2, #functions do
    soak.start(function()
      functions[i]()
      arrive()
    end)
  end
  functions[1]()
  arrive()
end

--- The task that runs now.
soak.task = xpio.getCurrentTask

--- Make the blocked call of a task return nil and "cancelled".
function soak.cancel(task) xpio.resume(task, task.coroutine, nil, "cancelled") end

--- A function that holds up the tasks that call it until so many have.
function soak.barrier(count)
  local waiting = {}
  return function()
    waiting[#waiting + 1] = xpio.getCurrentTask()
    if #waiting < count then return coroutine.yield(xpio.waiting) end
    local tasks = waiting
    waiting = {}
    for i = 1, count - 1 do xpio.resume(tasks[i], tasks[i].coroutine) end
  end
end

--- A listener on a free port of the loopback.
local function listen()
  local socket = assert(xpio.socket "TCP")
  assert(socket:bind "127.0.0.1:0")
  assert(socket:listen())
  return socket
end

--- Accept so many connections, each served by a task of its own.
---@param serve fun(connection: userdata)
function soak.serve(listener, count, serve)
  soak.start(function()
    for i = 1, count do
      soak.start(function(connection)
        local _ <close> = connection
        serve(connection)
      end, assert(listener:accept()))
      soak.progress(i, count)
      if i % 64 == 0 then soak.sleep(0) end
    end
  end)
end

local sources = 0

--- A socket connected from the next of a thousand addresses of the loopback: each has 28,000
--- ports, and the system keeps one for a minute after its connection has been closed.
function soak.connect(to)
  local socket = assert(xpio.socket "TCP")
  sources = (sources + 1) % 1000
  assert(socket:bind(("127.0.%d.%d"):format(1 + sources // 250, 1 + sources % 250)))
  return assert(socket:connect(to))
end

--- The queue of the dispatcher's tasks.
local function find_queue()
  local queue
  soak.start(function() queue = xpio.getCurrentTask()._queue end)
  return queue
end

--- Start a process that runs a part of this subject.
---@param which string
---@param to string address
---@param files? table
function soak.child(which, to, files)
  local arguments = { interpreter, file, "--part", which, to, short and "--short" or nil }
  children[which] = assert(xpio.spawn(arguments, nil, files or { [2] = 2 }))
  return children[which]
end

--- The process of the peers, as a function that has it do a round or, at last, report.
local function start_peer(to)
  local input, words = assert(xpio.pipe())
  local answers, output = assert(xpio.pipe())
  soak.child("peer", to, { [0] = input, [1] = output, [2] = 2 })
  return words, function()
    local heard = ""
    repeat
      local data = answers:read(4096)
      if not data then fail "the process of the peers has ended" end
      heard = heard .. data
    until heard:find "\n$"
    return heard
  end
end

local function line(subject, rounds, seconds, before, after)
  return table.concat({ name, part or "main", ("%d x %d"):format(rounds, subject.amount),
    ("%.1f"):format(seconds), stream.checked >> 20, before.memory, after.memory,
    before.allocated, after.allocated, before.lua, after.lua,
    before.descriptors, after.descriptors, after.children, after.tasks }, "\t")
end

--- Do the warm-up and the rounds; returns a line for the table.
local function repeat_rounds(subject, rounds, round)
  local queue, before = find_queue(), nil
  local expected = children.peer and 1 or 0
  local warm_up, start = math.max(1, rounds // 5), xpio.gettime()
  for number = 1, rounds do
    round_now = number
    round(number)
    if number == warm_up then before = holdings.count(queue, expected) end
  end
  local seconds, after = xpio.gettime() - start, holdings.count(queue, expected)
  local more = holdings.compare(before, after)
  if more ~= "" then fail("more after the last round than after the warm-up: " .. more) end
  if after.tasks > 0 then fail(after.tasks .. " tasks are left") end
  if after.children > expected then fail(after.children - expected .. " children are left") end
  return line(subject, rounds - warm_up, seconds, before, after)
end

--- Go on in a process that has this limit of descriptors, where this one has another.
local function allow_descriptors(needed)
  local soft, hard = holdings.limits()
  if soft == needed then return end
  if needed > hard then
    local reason = "skipped: needs %d descriptors, but this system grants %d"
    print(name .. "\t" .. reason:format(needed, hard))
    os.exit()
  end
  local process = assert(xpio.spawn({ interpreter, file, table.unpack(arg) }, nil,
    { [1] = 1, [2] = 2 }, { limits = { nofile = needed } }))
  os.exit(select(2, process:wait()) == 0)
end

local function be_peer(subject, rounds)
  io.stdout:setvbuf "line"
  print(repeat_rounds(subject, rounds, function(number)
    if number > 1 then print "done" end
    if not io.read() then os.exit(1) end
    subject.peer(address)
    dispatcher.run()
  end))
end

local function be_main(subject, rounds)
  local listener = listen()
  local words, hear
  if subject.peer then words, hear = start_peer(assert(listener:getsockname())) end
  local own = repeat_rounds(subject, rounds, function(number)
    if words then assert(words:write "go\n") end
    subject.round(listener)
    dispatcher.run()
    if subject.check then subject.check() end
    if words and number < rounds then hear() end
  end)
  print(own)
  if hear then io.write(hear()) end
end

--- Run the program whose subject this is:
--- `short` and `full`: how many things are done in a round, and how many rounds with the warm-up;
--- `round(listener)`, `peer(address)`: start the tasks of a round, here and in the other process;
--- `check()`: looks at what the round has come to;
--- `descriptors(amount)`: how many a process needs for that amount, or is to have.
function soak.run(subject)
  local numbers = short and subject.short or subject.full
  subject.amount = numbers.amount
  if subject.descriptors then allow_descriptors(subject.descriptors(subject.amount)) end
  math.randomseed(1)
  local ok, message = xpcall(function()
    if not part then return be_main(subject, numbers.rounds) end
    if part == "peer" then return be_peer(subject, numbers.rounds) end
    subject[part](address)
    dispatcher.run()
  end, debug.traceback)
  if not ok then fail(message) end
end

return soak

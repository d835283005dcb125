-- Turns bytes into a sequence of calls, and says what must be true of their results.
local input = require "input"
local peers = require "peers"
local processes = require "processes"
local schedule = require "schedule"
local sockets = require "sockets"
local stream = require "stream"
local tasks = require "tasks"
local transfers = require "transfers"
local world = require "world"
local xpio = require "xpio"

local check, say = world.check, world.say

-- How often each kind of call occurs, what it does, and whether that makes handles. The first few
-- may block.
local BLOCKING = 5
local weights = {
  { 12, transfers.read },
  { 10, transfers.write },
  { 4, peers.accept },
  { 3, peers.receive },
  { 2, processes.wait },
  { 9, sockets.when },
  { 4, sockets.crowd },
  { 7, tasks.poll },
  { 1, tasks.wait_a_little },
  { 2, tasks.wait },
  { 9, tasks.start },
  { 3, tasks.resume },
  { 2, tasks.resume_with_values },
  { 3, tasks.close },
  { 2, tasks.forget },
  { 2, tasks.yield },
  { 2, tasks.set_current },
  { 3, tasks.dequeue },
  { 1, tasks.forge },
  { 2, tasks.add },
  { 1, tasks.drop },
  { 2, tasks.move },
  { 1, tasks.abandon },
  { 1, tasks.finalize },
  { 2, sockets.pair, true },
  { 2, sockets.pipe, true },
  { 1, sockets.device, true },
  { 1, sockets.pty, true },
  { 2, sockets.duplicate, true },
  { 2, sockets.close },
  { 1, sockets.drop },
  { 1, sockets.shutdown },
  { 2, peers.listener, true },
  { 3, peers.client, true },
  { 5, peers.connect },
  { 2, peers.connection, true },
  { 2, peers.udp, true },
  { 3, peers.send },
  { 1, peers.option },
  { 1, peers.look },
  { 1, sockets.misuse },
  { 1, transfers.read_without_yield },
  { 2, transfers.flow },
  { 1, processes.kill },
}

-- What is slow is done only if another byte says so, too.
local slow = { processes.spawn_true, processes.spawn_echo, processes.fail }

local function spawn()
  local start = slow[input.choose(8)]
  if start then start() end
end

local function collect_all()
  say("collectgarbage()")
  for _ = 1, 2 do collectgarbage() end
  sockets.collected()
end

local function collect()
  local how = input.choose(6)
  if how <= 2 then return collect_all() end
  local option = ({ "step", "step", "generational", "incremental" })[how - 2]
  say("collectgarbage %q", option)
  collectgarbage(option)
end

weights[#weights + 1] = { 3, collect }
weights[#weights + 1] = { 2, spawn }

local calls = {} -- indices of the above
for index, entry in ipairs(weights) do
  for _ = 1, entry[1] do calls[#calls + 1] = index end
end

-- One call. Coroutines are there to block: half of theirs are of the first calls, which may.
function tasks.step(may_block)
  local index = may_block and input.choose(BLOCKING) or input.pick(calls)
  world.system.note(index .. " " .. math.min(world.depth, 3))
  local entry = weights[index]
  if not entry[3] or sockets.has_room() then entry[2]() end
  schedule.verify()
end

-- Everything that is to come, comes.
local function wait_for_all()
  local deadline = xpio.gettime() + 10
  for _, queue in ipairs(world.queues) do
    while queue.object and #schedule.outstanding(queue) > 0 do
      local first = schedule.outstanding(queue)[1]
      check(xpio.gettime() < deadline, "%s waits for %s to %s in vain", first.name,
        first.handle.name, first.direction)
      schedule.wait(queue, 1)
    end
  end
end

-- Nothing that was written is lost.
local function read_all()
  for _, handle in ipairs(world.handles) do
    local endpoint = handle.endpoint
    if handle.kind == "stream" and handle.object and handle.open and endpoint.incoming then
      while stream.unread(endpoint.incoming) > 0 and not endpoint.incoming.broken do
        stream.check_read(endpoint, 65536, world.method(handle, "read", 65536))
      end
    end
  end
end

local function drop_all()
  say("-- everything is dropped")
  for _, name in ipairs { "handles", "queues", "records", "fibers" } do
    local things = world[name]
    for i = #things, 1, -1 do things[i] = nil end
  end
  tasks.kept, world.favorite = nil, nil
  xpio.setCurrentTask(nil)
  for _ = 1, 2 do collectgarbage() end
end

-- Children end when nobody writes to them, and are reaped.
local function wait_for_children(system)
  local queue, deadline = xpio.tqueue(), xpio.gettime() + 10
  while system.has_children() do
    check(xpio.gettime() < deadline, "a child stays, dead or alive")
    queue:wait(0.001)
  end
end

local function finish(system, descriptors)
  wait_for_all()
  read_all()
  drop_all()
  if processes.count > 0 then wait_for_children(system) end
  local left = system.descriptors()
  check(left == descriptors, "descriptors are left:\n%s-- of:\n%s", left, descriptors)
end

-- `system` has the functions write(text), note(situation), descriptors() and has_children().
return function(bytes, traces, ip, system)
  world.traces, world.system, world.waiting = traces, system, xpio.waiting
  input.open(bytes)
  peers.open(ip)
  local descriptors = system.descriptors()
  local in_order = not input.rarely(3)
  for _ = 1, 2 do schedule.new_record(schedule.new_queue()) end
  while not input.is_over() do tasks.step() end
  if in_order then finish(system, descriptors) end
end

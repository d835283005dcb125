-- A case, in a Lua state of its own: its scenario, and after that a look whether all works.

local scenarios = require "scenarios"
local steps = require "steps"

--- After whatever has happened, everything works.
local function probe(fault)
  local xpio = require "xpio"
  local one, other = assert(xpio.socketpair())
  local queue = xpio.tqueue()
  local task = { _queue = queue }
  assert(one:when_read(task))
  assert(other:write "probe" == 5)
  local ready = queue:wait(5)
  steps.check(#ready == 1 and ready[1] == task, "the probe's task does not come")
  steps.check(one:read(100) == "probe", "the probe does not come")
  local process = assert(xpio.spawn { "sh", "-c", "exit 7" })
  local how, number = process:wait()
  steps.check(how == "exit" and number == 7, "the probe's child")
  one:close()
  other:close()
  while fault.hasChildren() do queue:wait(0.001) end
end

local function run_scenario(fault)
  local xpio = fault.scenario ~= "load" and require "xpio"
  steps.begin(fault, xpio)
  if xpio and not fault.closes and fault.scenario ~= "probe" then fault.arm() end
  scenarios[fault.scenario](xpio, fault)
  if fault.closes then error "the scenario has no middle" end
  steps.forget()
end

return function(fault)
  local ok, message = xpcall(run_scenario, function(message)
    if message == steps.MIDDLE or steps.is_memory_error(message) then return message end
    return debug.traceback(tostring(message), 2)
  end, fault)
  if message == steps.MIDDLE then return end
  fault.disarm()
  if not ok and not steps.is_memory_error(message) then error(message, 0) end
  steps.forget()
  probe(fault)
end

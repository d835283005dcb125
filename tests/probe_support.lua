--- Children that report what they were given: see probe.c.
local common = require "support"
local xpio = require "xpio"

local support = {}

support.program = os.getenv "XPIO_PROBE"

--- Wait for a process, and be sure that it has exited with 0.
function support.succeed(process)
  local how, status = process:wait()
  assert(how == "exit" and status == 0, ("probe: %s %s"):format(how, status))
end

--- What a probe reports that is spawned with these. `arguments` come behind the first
--- two, its name and the file that it writes.
---@return table report
---@return table process
function support.probe(arguments, env, files, attrs)
  local path = common.temporary_path()
  local args = common.arguments(support.program, path, table.unpack(arguments or {}))
  local process = assert(xpio.spawn(args, env, files, attrs))
  support.succeed(process)
  local report = assert(loadfile(path))()
  os.remove(path)
  return report, process
end

--- The numbers of a report's descriptors, in order, as "0 1 2".
function support.numbers(report)
  local numbers = {}
  for number in pairs(report.descriptors) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  return table.concat(numbers, " ")
end

return support

-- What every spawner in Lua does. Its arguments: COUNT AT_A_TIME MEBIBYTES.
local spawner = {}

-- Nanoseconds of a clock are not to be had in Lua alone: xpio has one, and reading it
-- takes nothing that the library measured could notice.
local now = require "xpio".gettime

--- Hold the memory, spawn and wait for the children with `spawn_all(count, at_a_time)`, and
--- print the seconds that it took and those of the processor that this process used.
function spawner.run(spawn_all)
  local count, most, mebibytes = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
  local held = {} -- strings that all differ
  for i = 1, mebibytes do held[i] = ("x"):rep(1 << 20) .. i end
  local began, used = now(), os.clock()
  spawn_all(count, most)
  print(("%.9f %.9f"):format(now() - began, os.clock() - used))
  return held
end

return spawner

-- Children by os.execute: a shell each, and one at a time.
local spawner = require "spawner"

spawner.run(function(count)
  for _ = 1, count do assert(os.execute "/bin/true") end
end)

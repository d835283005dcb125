-- Children by luv's spawn.
local spawner = require "spawner"
local uv = require "luv"

spawner.run(function(count, most)
  local running = 0
  local options = { args = {} }
  local function spawn()
    local handle
    handle = assert(uv.spawn("/bin/true", options, function(status)
      assert(status == 0)
      running = running - 1
      handle:close()
    end))
    running = running + 1
  end
  for _ = 1, count do
    spawn()
    while running >= most do uv.run "once" end
  end
  uv.run()
end)

-- Children by xpio, on the main thread: one by one, or some at a time on a task queue.
local spawner = require "spawner"
local xpio = require "xpio"

spawner.run(function(count, most)
  local queue, running = xpio.tqueue(), 0
  local args = { "/bin/true" }
  local function wait_for_some()
    for _, task in ipairs(queue:wait()) do
      assert(select(2, task.process:wait()) == 0)
      running = running - 1
    end
  end
  for _ = 1, count do
    local process = assert(xpio.spawn(args))
    if most == 1 then
      assert(select(2, process:wait()) == 0)
    else
      running = running + 1
      assert(process:when_wait { _queue = queue, process = process })
      while running >= most do wait_for_some() end
    end
  end
  while running > 0 do wait_for_some() end
end)

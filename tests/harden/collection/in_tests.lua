-- A helper of busted's: see collect.lua.
local collector, busted = require "collect.in_tests", require "busted"

busted.subscribe({ "test", "start" }, function()
  collector.start()
  return nil, true
end)

busted.subscribe({ "test", "end" }, function()
  collector.stop()
  return nil, true
end)

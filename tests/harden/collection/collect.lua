-- What LUA_INIT names under scripts/harden-collection: has this interpreter, and those that
-- a test starts, collect garbage as XPIO_COLLECT says:
--   generational  in generational mode, each time the heap has grown by a hundredth
--   every         wholly, with finalizers, at every allocation at which Lua may collect at all
local collect, mode = collectgarbage, os.getenv "XPIO_COLLECT"

-- Files that read whole documents, wait for many programs or make a great many calls: at
-- every allocation they would take half an hour. What they start collects at every one, but
-- for the examples, one of which counts a hundred thousand words.
local too_slow = {
  child = true, drop = true, example_connections = true, example_requests = true, examples = true,
  hostile = true, hostile_arguments = true, manual = true, process = true, types = true,
}

--- Each step is a whole cycle, and begins when the heap has so many per cent of its size
--- after the last.
local function collect_wholly(pause)
  collect("incremental", 0, 1000, 63)
  collect("setpause", pause)
end

--- In busted's tests, but not in what it does around them: that takes most of the time.
local function only_in_tests()
  collect "stop"
  table.insert(arg, "--helper=tests/harden/collection/in_tests.lua")
  package.preload["collect.in_tests"] = function()
    return { start = function() collect "restart" end, stop = function() collect "stop" end }
  end
end

if mode == "generational" then
  collect("generational", 1, 100)
  collect("setpause", 104) -- nor is there a long wait after a collection that freed little
else
  collect_wholly(0)
end

local program = arg and arg[0] or ""
if mode == "every" and program:match "tests/run%.lua$" then
  if too_slow[arg[1]:match "([%w_]+)_spec%.lua$"] then collect_wholly(104) end
  only_in_tests()
elseif mode == "every" and program:match "examples/[%w-]+%.lua$" then
  collect_wholly(104)
end

-- What a test gets that asks for less than that. Generational mode is left for more.
local answers = { stop = 0 }
if mode ~= "generational" then
  answers = {
    stop = 0, restart = 0, setpause = 0, setstepmul = 1000,
    incremental = "incremental", generational = "incremental",
  }
end

function collectgarbage(option, ...) -- luacheck: ignore 121
  return answers[option] or collect(option, ...)
end

-- Runs a file of busted tests and reports in TAP, the Test Anything Protocol:
--   lua5.4 tests/run.lua tests/tcp_spec.lua [busted option...]
-- Not by the command busted: it starts whichever Lua is the system's default,
-- and its TAP hides the text of a syntax error and passes a run without tests.

local spec = arg[1]
if not spec then
  io.stderr:write("usage: lua5.4 tests/run.lua FILE [busted option...]\n")
  os.exit(2)
end

-- On Windows the C library would keep it until the end, which a test that hangs never sees.
io.stderr:setvbuf "no"

local count, failed = 0, false

-- A text on one line, without what TAP would take for a directive.
local function plain(text)
  return (text:gsub("[\n#]", " "))
end

local function report(verdict, name, directive)
  count = count + 1
  io.write(verdict, " ", count, " ", plain(name), directive or "", "\n")
  io.flush()
end

-- The details go to stderr: Meson shows that of a failed test, and not stdout.
local function fail(name, details)
  failed = true
  report("not ok", name)
  io.stderr:write("not ok ", count, " ", name, "\n", details:gsub("%s*$", "\n\n"), "")
end

local function finish()
  if count == 0 then fail(spec, "no test ran") end
  io.write("1..", count, "\n")
  io.flush()
end

-- A test that called os.exit would take the tests after it along, unnoticed.
-- Returns a function that allows it again.
local function forbid_exit()
  local exit = os.exit
  os.exit = function()  -- luacheck: ignore 122
    io.write("Bail out! a test called os.exit\n")
    exit(1, true)
  end
  return function() os.exit = exit end  -- luacheck: ignore 122
end

-- The output handler for busted.
local function tap()
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local allow_exit = forbid_exit()

  local function fail_last(outcomes)
    local outcome = outcomes[#outcomes]
    local traceback = outcome.trace and outcome.trace.traceback or ""
    fail(outcome.name, tostring(outcome.message) .. traceback)
  end

  local at_end = {
    success = function()
      report("ok", handler.successes[#handler.successes].name)
    end,
    pending = function()
      local outcome = handler.pendings[#handler.pendings]
      -- The place is there when capability.lua has said it.
      local reason = (outcome.message or ""):gsub("^%S+:%d+: ", "")
      report("ok", outcome.name, " # SKIP " .. plain(reason))
    end,
    failure = function() fail_last(handler.failures) end,
    error = function() fail_last(handler.errors) end,
  }

  local running = false

  -- Of a test that hangs, its name is all that is left in the log.
  local function test_start(element)
    running = true
    io.stderr:write("# ", plain(element.name), "\n")
    return nil, true
  end

  local function test_end(_, _, status)
    running = false
    at_end[status]()
    return nil, true
  end

  -- What a file sees as `pending` declares a test. It skips nothing when it is called in
  -- one, which would pass: there the global is another function.
  local function declare_pending()
    if running then error("this pending skips nothing: see capability.skip", 0) end
    return nil, true
  end

  -- An error in a test is told at its end; one in setup or a file, only here.
  local function on_error(element)
    if element.descriptor ~= "it" then fail_last(handler.errors) end
    return nil, true
  end

  local function suite_end()
    finish()
    allow_exit()
    return nil, true
  end

  busted.subscribe({"test", "start"}, test_start)
  busted.subscribe({"test", "end"}, test_end)
  busted.subscribe({"error"}, on_error)
  busted.subscribe({"suite", "end"}, suite_end)
  busted.subscribe({"register", "pending"}, declare_pending, {priority = 1})
  return handler
end

-- Busted's error for a file that does not compile hides why.
local function check_syntax()
  local chunk, message = loadfile(spec)
  if chunk then return end
  fail(spec, message)
  finish()
  os.exit(1)
end

if _VERSION == "Lua 5.5" then require "lua55" end
check_syntax()
package.preload["busted.outputHandlers.tap"] = function() return tap end
require "busted.runner" {standalone = false, output = "tap"}
if failed then os.exit(1, true) end

-- Fails calls of xpio and libuv, one in each process, and looks at what comes of it. Started by
-- scripts/harden-faults, which tells the options.

local errors = require "errors"
local faults = require "faults"

local FOLDER = arg[0]:match "^(.*/)" or ""
local SECONDS = 10 -- a case that takes longer hangs

--- What the process keeps once xpio was loaded: an entry for each state that there is at once,
--- here two, or two signals, and the handler of SIGINT that was there (signal.c); and libuv's pipe
--- for signals.
local LOADED_BLOCKS, LOADED_DESCRIPTORS = 3, 2

--- Scenarios, and how else each is run: "close" has lua_close come in its middle and calls count
--- only in there, "old" does without what older kernels do not have, "fork" without vfork, "noProc"
--- without /proc.
local cold = { { "load", first = true } } -- in a process that has not loaded xpio before
local warm = {
  { "tcp", "close" },
  { "tcpTasks", "close" },
  { "connectTasks", "close" },
  { "socketpair", "close" },
  { "pipe", "close" },
  { "udp", "close" },
  { "foreign", "close", "noProc" },
  { "files", "close" },
  { "terminal", "close", "old" },
  { "spawn", "close", "old", "fork" },
  { "attributes", "old", "fork" },
  { "group", "old" },
  { "failedSpawn", "old", "fork" },
  { "children", "close", "old" },
  { "queue", "close" },
  { "interrupt" },
}

--- What libuv does, and xpio cannot help.
local known = require "known"

--- These are looked at under other names, cannot fail, or are not called by every libuv or where
--- posix_openpt takes all flags.
local unused = {
  free = true, fcntl = true, ioctl = true, syscall = true, _Fork = true, epoll_pwait = true,
  fcntl_setfd = true,
}

local options = { jobs = 2 }
local passed, failed, hits = 0, 0, {}

local function name_of(case)
  local scenario = case.scenario .. (case.variant and "/" .. case.variant or "")
  return ("%s:%s:%s:%d"):format(scenario, case.name or "none", case.errorName or "none", case.nth)
end

local function number_of(error_name)
  if error_name == "short" then return 0 end
  if error_name == "once" then return 1 end
  if error_name == "twice" then return 2 end
  return assert(faults.errors[error_name], error_name)
end

--- A case. Without a call nothing fails.
local function new_case(series, nth)
  return {
    scenario = series.scenario,
    variant = series.variant,
    name = series.name,
    errorName = series.errorName,
    dealt = series.dealt,
    must = series.must,
    path = FOLDER .. "case.lua",
    closes = series.variant == "close",
    oldKernel = series.variant == "old",
    fork = series.variant == "fork",
    noProc = series.variant == "noProc",
    call = series.name and faults.calls[series.name] or 1,
    error = series.name and number_of(series.errorName) or 0,
    nth = nth,
    blocks = series.first and LOADED_BLOCKS or 0,
    descriptors = series.first and LOADED_DESCRIPTORS or 0,
    seconds = SECONDS,
  }
end

local SIGABRT, SIGALRM = 6, 14

--- Whether this is what the entry is about: an abort, or lines that are all like its text.
local function is_known(entry, case, result)
  if entry.call ~= case.name or entry.by ~= result.by or result.hits == 0 then return false end
  if entry.scenario and entry.scenario ~= case.scenario then return false end
  if not entry.text then return result.how == "signal" and result.number == SIGABRT end
  for line in result.text:gmatch "[^\n]+" do
    if not line:find(entry.text) then return false end
  end
  return result.how == "exit" and result.text ~= ""
end

--- Whether nobody was told of the fault who should have been. Nobody can be in lua_close; and in
--- failedSpawn other errors are.
local function is_hidden(case, result)
  if result.hits == 0 or result.reported or case.closes or case.scenario == "failedSpawn" then return false end
  if type(case.dealt) == "string" then return not case.dealt:find("," .. case.scenario .. ",", 1, true) end
  return not case.dealt
end

--- What is wrong with the case, or nil.
local function judge(case, result)
  if result.how == "exit" and result.number == 0 then
    if is_hidden(case, result) then return "the error was not reported\n" end
    if case.must and result.reported then return "the error was reported, and is none\n" end
    return
  end
  for _, entry in ipairs(known) do
    if is_known(entry, case, result) then
      entry.seen = true
      return
    end
  end
  if result.how == "exit" then return result.text ~= "" and result.text or "it has exited: see above\n" end
  if result.number == SIGALRM then return result.text .. "it hangs\n" end
  return ("%sended by signal %d; the call was made by %s\n"):format(result.text, result.number, result.by)
end

local function report(case, result)
  local problem = judge(case, result)
  if result.hits > 0 then hits[case.name] = (hits[case.name] or 0) + 1 end
  if not problem then
    passed = passed + 1
    return
  end
  failed = failed + 1
  io.stderr:write("not ok ", name_of(case), "\n  ", problem:gsub("\n(.)", "\n  %1"), "")
  io.stderr:write("  again: scripts/harden-faults --case ", name_of(case), "\n")
end

--- Runs coroutines that yield cases and are resumed with their results, several at a time.
local function run_all(bodies)
  local free, running, next_body, told = {}, {}, 1, os.time()
  for slot = 1, options.jobs do free[slot] = slot end

  local function advance(co, slot, ...)
    local ok, case = coroutine.resume(co, ...)
    if not ok then error(debug.traceback(co, case), 0) end
    if not case then
      table.insert(free, slot)
      return
    end
    running[faults.start(slot, case)] = { co = co, slot = slot, case = case }
  end

  local function progress()
    if os.time() < told + 10 then return end
    told = os.time()
    io.stderr:write(("%d of %d series, %d cases\n"):format(next_body - 1, #bodies, passed + failed))
  end

  while next_body <= #bodies or next(running) do
    while next_body <= #bodies and #free > 0 do
      next_body = next_body + 1
      advance(coroutine.create(bodies[next_body - 1]), table.remove(free))
    end
    if next(running) then
      local pid, how, number = faults.wait()
      local job = running[pid]
      if job then -- else a child that a case has left
        running[pid] = nil
        local result = faults.result(job.slot)
        result.how, result.number = how, number
        advance(job.co, job.slot, result)
      end
    end
    progress()
  end
end

--- What a scenario does when nothing fails: the counts of its calls.
local function count_calls(series, counted)
  return function()
    local case = new_case(series, 0)
    local result = coroutine.yield(case)
    report(case, result)
    table.insert(counted, { series = series, counts = result.counts })
  end
end

--- The nth call fails, for n from 1 until there is none.
local function fail_each(series)
  return function()
    local nth, result = 0
    repeat
      nth = nth + 1
      local case = new_case(series, nth)
      result = coroutine.yield(case)
      report(case, result)
    until result.hits == 0 and nth > series.count
  end
end

--- The parts of SCENARIO[/VARIANT]:CALL:ERROR:NTH, each of which may be left out from the end.
local function parse_case(text)
  local parts = {}
  for part in text:gmatch "[^:]+" do table.insert(parts, part) end
  local scenario, variant = (parts[1] or ""):match "^([^/]*)/?(.*)$"
  return {
    scenario = scenario,
    variant = variant,
    name = parts[2] ~= "none" and parts[2] or nil,
    errorName = parts[3],
    nth = tonumber(parts[4]),
  }
end

local function refuse(text)
  io.stderr:write(text, "\n")
  os.exit(2)
end

--- A mistyped name would leave nothing to be done, and nothing to fail.
local function check_names(case)
  if case.name and not faults.calls[case.name] then refuse("there is no such call: " .. case.name) end
  for _, entry in ipairs(case.errorName and errors[case.name] or {}) do
    if entry.name == case.errorName then return end
  end
  if case.errorName and case.name then refuse("there is no such error of it: " .. case.errorName) end
end

local function wanted(scenario, variant)
  local only = options.case
  return not only or (only.scenario == scenario and only.variant == (variant or ""))
end

--- What these scenarios do when nothing fails.
local function count_all(entries)
  local bodies, counted = {}, {}
  for _, entry in ipairs(entries) do
    for i = 1, #entry do
      local variant = i > 1 and entry[i] or nil
      if wanted(entry[1], variant) then
        table.insert(bodies, count_calls({ scenario = entry[1], variant = variant, first = entry.first }, counted))
      end
    end
  end
  run_all(bodies)
  return counted
end

--- In these, only children open files, and they have signals blocked.
local opened_by_children = {
  attributes = true, children = true, failedSpawn = true, group = true, interrupt = true, spawn = true,
}

--- What a child of failedSpawn writes is its report, through a pipe that nobody else has: only a
--- signal can come in between.
local function is_possible(scenario, name, error_name)
  if name == "open" and error_name == "EINTR" then return not opened_by_children[scenario] end
  if scenario ~= "failedSpawn" or (name ~= "read" and name ~= "write") then return true end
  return error_name == "EINTR"
end

--- Which errors a call is to fail with. A short run has two of each; one of Lua's allocator, of
--- which there are most.
local function errors_of(scenario, name)
  local found, most = {}, not options.short and math.huge or name == "lua" and 1 or 2
  for i, entry in ipairs(unused[name] and {} or errors[name]) do
    if i <= most and is_possible(scenario, name, entry.name) then table.insert(found, entry) end
  end
  return found
end

local function series_of(counted)
  local bodies, only = {}, options.case or {}
  for _, entry in ipairs(counted) do
    for name, count in pairs(entry.counts) do
      for _, entry_error in ipairs(errors_of(entry.series.scenario, name)) do
        if (not only.name or only.name == name) and (not only.errorName or only.errorName == entry_error.name) then
          table.insert(bodies, fail_each {
            scenario = entry.series.scenario, variant = entry.series.variant, first = entry.series.first,
            name = name, errorName = entry_error.name, dealt = entry_error.dealt, must = entry_error.must,
            count = count,
          })
        end
      end
    end
  end
  return bodies
end

--- Only that case, with what libuv has to say.
local function run_one(counted)
  local only, entry = options.case, counted[1]
  local series = {
    scenario = only.scenario, variant = entry.series.variant, first = entry.series.first,
    name = only.name, errorName = only.errorName, dealt = true,
  }
  run_all { function()
    local case = new_case(series, only.nth)
    local result = coroutine.yield(case)
    print(("%s: %s %d, %d hit, by %s"):format(name_of(case), result.how, result.number, result.hits, result.by))
    report(case, result)
  end }
end

local function fail(text)
  failed = failed + 1
  io.stderr:write("not ok ", text, "\n")
end

--- A call that no scenario makes is not tested.
local function look_for_gaps()
  for name in pairs(faults.calls) do
    if not unused[name] and not hits[name] then fail("no scenario makes the call " .. name) end
  end
  for _, entry in ipairs(known) do
    if not entry.seen then fail(("%s: libuv has learned that; see known.lua"):format(entry.call)) end
  end
end

local function parse_arguments()
  local i = 1
  while arg[i] do
    if arg[i] == "--short" then options.short = true
    elseif arg[i] == "--case" then i = i + 1 options.case = parse_case(arg[i])
    elseif arg[i] == "--jobs" then i = i + 1 options.jobs = tonumber(arg[i])
    elseif arg[i] == "--module" then i = i + 1 options.module = arg[i]
    else refuse("unknown argument: " .. arg[i]) end
    i = i + 1
  end
end

local function run_entries(entries)
  local counted = count_all(entries)
  if #counted > 0 and options.case and options.case.nth then
    run_one(counted)
  else
    run_all(series_of(counted))
  end
end

parse_arguments()
if options.case then check_names(options.case) end
faults.open(options.module)
run_entries(cold)
faults.run(1, new_case({ scenario = "warmUp", variant = "old", first = true }, 0))
run_entries(warm)
if not options.case then look_for_gaps() end
if passed + failed == 0 then fail "there is no such scenario" end
print(("%d passed, %d failed, 0 skipped"):format(passed, failed))
os.exit(failed == 0)

#!/usr/bin/env lua5.4
-- The benchmark of servers. See usage, and docs/performance.md.
local folder = arg[0]:match "^(.*)/bench/[^/]*$" or "."
package.path = folder .. "/bench/?.lua;" .. package.path
local measure = require "measure"
local rows = require "rows"
local servers = require "servers"

local usage = [[
usage: bench/run.lua [--build FOLDER] [--lua LUA] [--rounds N] [--scale X] [--rows TEXT]
                     [--servers TEXT] [--cpu-only]

Runs echo servers under one load after the other, all servers of a row in turn, and prints
the medians: messages a second, microseconds of the processor that the server used for a
message, and that as a ratio to the first server's; where it is counted, also the system
calls (by strace) and the instructions in user space (by callgrind) of a message, and the
bytes of memory of an idle connection. scripts/bench builds what it needs and calls it.

  --build FOLDER  where the programs in C are (build/bench)
  --lua LUA       the interpreter of the servers in Lua (lua5.4)
  --rounds N      of each row (5)
  --scale X       so many times as many messages as usual (1)
  --rows TEXT     only the rows whose name contains it
  --servers TEXT  only the servers whose name contains it, and the first
  --cpu-only      no system calls and no instructions: these take the longest
]]

local options = { build = "build/bench", lua = "lua5.4", rounds = "5", scale = "1", rows = "",
  servers = "" }

local function refuse(problem)
  io.stderr:write("bench/run.lua: ", problem, "\n", usage)
  os.exit(2)
end

local function parse(words)
  local i = 1
  while words[i] do
    local name = words[i]:match "^%-%-(%w+)$"
    if words[i] == "--help" then
      io.write(usage)
      os.exit()
    elseif words[i] == "--cpu-only" then
      options.cpu_only = true
    elseif not name or not options[name] then
      refuse("unknown option " .. words[i])
    elseif not words[i + 1] then
      refuse("a value is missing after " .. words[i])
    else
      options[name] = words[i + 1]
      i = i + 1
    end
    i = i + 1
  end
  options.rounds = math.tointeger(tonumber(options.rounds)) or refuse "--rounds is not a number"
  options.scale = tonumber(options.scale) or refuse "--scale is not a number"
  if options.rounds < 1 or options.scale <= 0 then refuse "--rounds and --scale are above 0" end
end

local function progress(...)
  io.stderr:write(...)
  io.stderr:flush()
end

local function median(numbers)
  table.sort(numbers)
  return numbers[(#numbers + 1) // 2]
end

local function contains(name, text)
  return name:lower():find(text:lower(), 1, true) ~= nil
end

--- The servers that are installed and asked for.
local function choose_servers()
  local chosen = {}
  for i, server in ipairs(servers) do
    if i == 1 or contains(server.name, options.servers) then
      if measure.is_installed(server) then
        chosen[#chosen + 1] = server
      else
        print(("%s: not installed, left out"):format(server.name))
      end
    end
  end
  return chosen
end

--- All rounds of a row: server to its figures, each a list.
local function run_rounds(row, chosen)
  local results, messages = {}, math.max(100, row.messages * options.scale // 1 | 0)
  for _, server in ipairs(chosen) do results[server] = { rates = {}, used = {}, memory = {} } end
  for round = 1, options.rounds do
    for _, server in ipairs(chosen) do
      progress(("\r\27[K%s, round %d of %d: %s "):format(row.name, round, options.rounds,
        server.name))
      local seconds, used, memory = measure.run(server, row, messages, messages // 10)
      local result = results[server]
      if seconds then
        table.insert(result.rates, messages / seconds)
        table.insert(result.used, used / messages * 1e6)
        table.insert(result.memory, row.idle and memory / row.idle or 0)
      else
        result.problem = used
      end
    end
  end
  return results
end

--- What only a run of its own can count.
local function count(row, chosen, results)
  for _, server in ipairs(chosen) do
    local result = results[server]
    if row.calls and not options.cpu_only and not result.problem then
      progress(("\r\27[K%s, system calls: %s "):format(row.name, server.name))
      result.calls = measure.calls(server, row)
    end
    if row.instructions and not options.cpu_only and not result.problem then
      progress(("\r\27[K%s, instructions: %s "):format(row.name, server.name))
      result.instructions = measure.instructions(server, row)
    end
  end
end

local function cell(format, value)
  return value and format:format(value) or ""
end

local function print_row(row, chosen, results, left_out)
  local unit = row.unit or "message"
  print(("\n### %s\n"):format(row.name))
  print(("| server | %ss/s | CPU us/%s | to %s | system calls | instructions | bytes, idle |")
    :format(unit, unit, chosen[1].name))
  print "|---|--:|--:|--:|--:|--:|--:|"
  local base = median(results[chosen[1]].used)
  for _, server in ipairs(chosen) do
    local result = results[server]
    local used = median(result.used)
    if result.problem then
      left_out[#left_out + 1] = server.name .. ": " .. result.problem
    else
      print(("| %s | %.0f | %.2f | %s | %s | %s | %s |"):format(
        server.name, median(result.rates), used, cell("%.2f", base and used / base),
        cell("%.2f", result.calls), cell("%.0f", result.instructions),
        row.idle and cell("%.0f", median(result.memory)) or ""))
    end
  end
  if #left_out > 0 then print("\nNot in it: " .. table.concat(left_out, "; ") .. ".") end
end

local function run_row(row, installed)
  local chosen, left_out = {}, {}
  for _, server in ipairs(installed) do
    local obstacle = measure.obstacle(server, row)
    if obstacle then
      left_out[#left_out + 1] = ("%s (%s)"):format(server.name, obstacle)
    else
      chosen[#chosen + 1] = server
    end
  end
  local results = run_rounds(row, chosen)
  count(row, chosen, results)
  progress "\r\27[K"
  print_row(row, chosen, results, left_out)
  io.stdout:flush()
end

parse(arg)
measure.places.lua, measure.places.build = options.lua, options.build
measure.find_processors()
local installed, any = choose_servers(), false
for _, row in ipairs(rows) do
  if contains(row.name, options.rows) then
    any = true
    run_row(row, installed)
  end
end
if not any then refuse("no row has a name that contains " .. options.rows) end

#!/usr/bin/env lua5.4
-- How fast children are started and waited for, and what it costs their parent, beside
-- other ways to do it.
--
--   bench/spawn.lua [BUILD [COUNT [ROUNDS]]]
--
-- COUNT children of /bin/true, one by one and 50 at a time, by a parent that is empty and
-- by one that holds 800 MiB; the medians of ROUNDS rounds, all spawners taking turns. BUILD is the
-- folder of the programs in C, build/bench. scripts/bench calls it.
local folder = arg[0]:match "^(.*)/bench/[^/]*$" or "."
package.path = folder .. "/bench/?.lua;" .. package.path
local process = require "process"
local xpio = require "xpio"

local build, count, rounds = arg[1] or "build/bench", tonumber(arg[2] or 500), tonumber(arg[3] or 5)

local function lua(name, needs)
  return {
    name = name,
    command = { arg[-1], folder .. "/bench/spawners/" .. name .. ".lua" },
    needs = needs and { arg[-1], "-e", needs },
  }
end

-- The spawners: a new one is one more entry. needs: a command that succeeds where its
-- library is installed. most: as many children as it can have at a time.
local spawners = {
  { name = "C posix_spawn", command = { build .. "/posix" } },
  lua "xpio",
  lua("luv", "require 'luv'"),
  { name = "os.execute", command = lua "execute".command, most = 1 },
  { name = "Node", command = { "node", folder .. "/bench/spawners/node.js" },
    needs = { "node", "--version" } },
}

local function median(numbers)
  table.sort(numbers)
  return numbers[(#numbers + 1) // 2]
end

--- The seconds, and the processor seconds of the parent, of all rounds of each.
local function measure(chosen, most, mebibytes)
  local results = {}
  for _, spawner in ipairs(chosen) do results[spawner] = { seconds = {}, used = {} } end
  for round = 1, rounds do
    for _, spawner in ipairs(chosen) do
      io.stderr:write(("\r\27[K%d at a time, %d MiB, round %d of %d: %s "):format(
        most, mebibytes, round, rounds, spawner.name))
      local command = process.pinned(spawner.command, { count, most, mebibytes })
      local seconds, used = assert(process.output(command)):match "(%S+) (%S+)"
      table.insert(results[spawner].seconds, tonumber(seconds))
      table.insert(results[spawner].used, tonumber(used))
    end
  end
  io.stderr:write "\r\27[K"
  return results
end

local function print_row(most, mebibytes, installed)
  local chosen = {}
  for _, spawner in ipairs(installed) do
    if most <= (spawner.most or most) then chosen[#chosen + 1] = spawner end
  end
  local results = measure(chosen, most, mebibytes)
  print(("\n### Children, %s, of a parent of %d MiB\n"):format(
    most == 1 and "one by one" or most .. " at a time", mebibytes))
  print "| spawner | children/s | to C | CPU us/child, parent | to C |\n|---|--:|--:|--:|--:|"
  local base = results[chosen[1]]
  local base_seconds, base_used = median(base.seconds), median(base.used)
  for _, spawner in ipairs(chosen) do
    local seconds, used = median(results[spawner].seconds), median(results[spawner].used)
    print(("| %s | %.0f | %.2f | %.1f | %.2f |"):format(spawner.name, count / seconds,
      base_seconds / seconds, used / count * 1e6, used / base_used))
  end
  io.stdout:flush()
end

xpio.env.LUA_PATH = ("%s/bench/?.lua;%s"):format(folder, xpio.env.LUA_PATH or ";")
local installed = {}
for _, spawner in ipairs(spawners) do
  if not spawner.needs or process.succeeds(spawner.needs) then
    installed[#installed + 1] = spawner
  else
    print(spawner.name .. ": not installed, left out")
  end
end
for _, most in ipairs { 1, 50 } do
  for _, mebibytes in ipairs { 0, 800 } do print_row(most, mebibytes, installed) end
end

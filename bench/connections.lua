#!/usr/bin/env lua5.4
-- What a message costs the server as the number of active connections grows.
--
--   bench/connections.lua [BUILD [LUA [ROUNDS]]]
--
-- BUILD is the folder of the programs in C, build/bench. Each process needs as many
-- descriptors as there are connections. scripts/bench calls it.
local folder = arg[0]:match "^(.*)/bench/[^/]*$" or "."
package.path = folder .. "/bench/?.lua;" .. package.path
local measure = require "measure"
local servers = require "servers"

measure.places.build = arg[1] or "build/bench"
measure.places.lua = arg[2] or "lua5.4"
measure.find_processors()
local rounds = tonumber(arg[3] or 3)

local chosen = {}
for _, server in ipairs(servers) do
  if server.name == "C epoll" or server.name == "xpio" then chosen[#chosen + 1] = server end
end

print "\n### Connections that are all active\n"
print "| connections | C epoll, CPU us/message | xpio | ratio | xpio, epoll_ctl/message |"
print "|--:|--:|--:|--:|--:|"
for _, connections in ipairs { 1, 10, 100, 1000, 1100, 2000, 5000, 10000, 15000 } do
  local row = { way = "tcp", load = { "-c", connections }, calls = 2 * connections + 2000 }
  local used = { {}, {} }
  for round = 1, rounds do
    for i, server in ipairs(chosen) do
      io.stderr:write(("\r\27[K%d connections, round %d of %d: %s "):format(connections, round,
        rounds, server.name))
      local messages = 60000 + 4 * connections
      local _, processor = assert(measure.run(server, row, messages, 2 * connections + 1000))
      table.insert(used[i], processor / messages * 1e6)
    end
  end
  io.stderr:write "\r\27[K"
  for _, numbers in ipairs(used) do table.sort(numbers) end
  local epoll, xpio = used[1][(rounds + 1) // 2], used[2][(rounds + 1) // 2]
  local calls = measure.calls(chosen[2], row, "epoll_ctl")
  print(("| %d | %.2f | %.2f | %.2f | %s |"):format(connections, epoll, xpio, xpio / epoll,
    calls and ("%.3f"):format(calls) or ""))
  io.stdout:flush()
end

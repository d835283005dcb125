-- The servers that the benchmark compares: a new one is one more entry.
--
-- name: in the tables. ways: what it can serve. command: how it is started; the way and
-- the size of a read come after it, and for Lua and Node the number of connections at
-- which it collects its garbage. needs: a command that succeeds where its library is
-- installed. most: as many connections as it can hold. instructions: false where
-- callgrind cannot count them.
local function lua(name, file, ways, needs, most)
  return {
    name = name,
    ways = ways,
    command = { "@lua", "bench/servers/" .. file },
    needs = needs and { "@lua", "-e", needs },
    most = most,
  }
end

local all = { tcp = true, udp = true, pipe = true }
local tcp = { tcp = true }

return {
  { name = "C epoll", ways = all, command = { "@build/epoll" } },
  { name = "C libuv", ways = all, command = { "@build/libuv" } },
  { name = "C uv_poll_t", ways = all, command = { "@build/poll" } },
  lua("xpio", "xpio.lua", all),
  lua("luv", "luv.lua", all, "require 'luv'"),
  lua("luv, tuned", "luv-tuned.lua", tcp, "require 'luv'"),
  lua("luv, coroutines", "luv-coroutines.lua", tcp, "require 'luv'"),
  lua("cqueues", "cqueues.lua", tcp, "require 'cqueues.socket'"),
  lua("copas", "copas.lua", tcp,
    "package.path = package.path .. ';/usr/share/lua/5.2/?.lua' require 'copas'", 900),
  {
    name = "Node",
    ways = all,
    command = { "node", "--expose-gc", "bench/servers/node.js" },
    needs = { "node", "--version" },
    instructions = false,
  },
}

#!/usr/bin/env lua5.4
-- Measures what idle TCP connections cost the Lua process that holds them.
--
--   LUA_CPATH="build/?.so" lua5.4 scripts/measure-idle.lua [CONNECTIONS]
--
-- Each connection is a task: a coroutine suspended in a blocking read. The other
-- ends are held by a second process, so that they do not count. Each process
-- needs as many descriptors as there are connections: see `ulimit -n`.
local xpio = require "xpio"

local default_count = 10000
local count = tonumber(arg[1] or default_count)
local peer_address = arg[2]

--- The peer: connects, says so, and holds the connections until its standard
--- input ends.
local function hold_connections(address)
  local held = {}
  for i = 1, count do
    local socket = assert(xpio.socket "TCP")
    assert(socket:connect(address))
    held[i] = socket
  end
  io.read "a"
  for _, socket in ipairs(held) do socket:close() end
end

--- Resident memory of this process in bytes (Linux).
local function resident()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmRSS:%s+(%d+)"
    if kilobytes then return kilobytes * 1024 end
  end
end

local queue = xpio.tqueue()
local accepted = 0

local function resume(task, ...)
  local previous = xpio.getCurrentTask()
  xpio.setCurrentTask(task)
  assert(coroutine.resume(task.coroutine, ...))
  xpio.setCurrentTask(previous)
end

local function echo(socket)
  accepted = accepted + 1
  local data = socket:read(4096)
  while data do
    socket:write(data)
    data = socket:read(4096)
  end
  socket:close()
end

local function accept_all(listener)
  while accepted < count do
    local socket = assert(listener:accept())
    resume({ _queue = queue, coroutine = coroutine.create(echo) }, socket)
  end
end

local function measure()
  local listener = assert(xpio.socket "TCP")
  assert(listener:bind "127.0.0.1:0")
  assert(listener:listen())
  local before, lua_before = resident(), collectgarbage "count"
  local command = ("lua5.4 '%s' %d %s"):format(arg[0], count, listener:getsockname())
  local peer <close> = assert(io.popen(command, "w"))
  resume({ _queue = queue, coroutine = coroutine.create(accept_all) }, listener)
  while accepted < count do
    for _, task in ipairs(queue:wait()) do resume(task) end
  end
  -- The peer stays until `peer` is closed.
  print(("%d idle connections: %.0f bytes each of resident memory, %.0f of them Lua's"):format(
    count, (resident() - before) / count,
    (collectgarbage "count" - lua_before) * 1024 / count))
  peer:flush()
end

if peer_address then
  hold_connections(peer_address)
else
  measure()
end

--- Runs a command for every line of its standard input, several at a time, as `xargs -P`
--- does:
---
---     lua parallel.lua [-P COUNT] COMMAND [ARGUMENT...] <LINES
---
--- The line becomes the last argument. Exits with 0 if all commands did, 123 if any
--- failed, 126 or 127 if one could not be started: then no more are. COUNT is 4.
local xpio = require "xpio"

local function fail(status, message)
  io.stderr:write("parallel: ", message, "\n")
  os.exit(status, true)
end

local most, first = 4, 1
if arg[1] == "-P" then
  most, first = math.tointeger(tonumber(arg[2])), 3
end
if not most or most < 1 or not arg[first] then
  io.stderr:write("usage: ", arg[0], " [-P COUNT] COMMAND [ARGUMENT...]\n")
  os.exit(2)
end

local queue, running, status = xpio.tqueue(), 0, 0

--- Wait until at least one command has ended.
local function collect()
  for _, task in ipairs(queue:wait()) do
    running = running - 1
    local how, number = task.process:wait()
    if how ~= "exit" or number ~= 0 then
      io.stderr:write(("parallel: %s: %s %d\n"):format(task.line, how, number))
      status = 123
    end
  end
end

local function start(line)
  local args = table.move(arg, first, #arg, 1, {})
  args[#args + 1] = line
  -- Standard input is not named, and so is /dev/null: the lines are ours.
  local process, message, code = xpio.spawn(args, nil, { [1] = 1, [2] = 2 })
  if not process then return message, code end
  running = running + 1
  assert(process:when_wait { _queue = queue, process = process, line = line })
end

for line in io.lines() do
  while running >= most do collect() end
  local message, code = start(line)
  if message then
    while running > 0 do collect() end
    fail(code == "ENOENT" and 127 or 126, message)
  end
end
while running > 0 do collect() end
os.exit(status, true)

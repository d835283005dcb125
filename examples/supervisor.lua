--- Keeps a command running:
---
---     lua supervisor.lua COMMAND [ARGUMENT...]
---
--- When the command fails it is started again, after a pause that grows with every
--- failure and shrinks again once it has run for a while. The supervisor ends when the
--- command succeeds; or when its own standard input is closed, for then whoever has
--- started it is gone or wants it to end. It ends the command with all that the command
--- has started, politely first.

local xpio = require "xpio"
local dispatcher = require "xpio.dispatcher"

io.stderr:setvbuf "no" -- Windows would keep it until the end

-- Seconds.
local SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 10
local A_WHILE = 10 -- a command that ran so long has not failed at its start
local GRACE = 5    -- for ending after SIGTERM
local LOOK = 0.02  -- how often to see whether it has ended

local input = assert(xpio.fdopen(io.stdin))
local process -- the command that runs, or the last that did
local whom = "group" -- what is ended with it
local stopping = false

local function log(format, ...)
  io.stderr:write("supervisor: ", format:format(...), "\n")
end

--- End the command with its whole group, which may outlive it.
local function stop(sleep)
  if not process or not process:kill("TERM", whom) then return end
  local deadline = xpio.gettime() + GRACE
  while not process:try_wait() do
    if xpio.gettime() > deadline then
      log "the command does not end: it is killed"
      break
    end
    sleep(LOOK)
  end
  process:kill("KILL", whom)
end

--- Wait for the end of the standard input, and end everything.
local function watch_input()
  repeat local data = input:read(4096) until not data
  if stopping then return end -- `supervise` has closed it
  stopping = true
  stop(dispatcher.sleep)
  os.exit(0, true)
end

--- Start the command in a group of its own, or without where there are no groups.
local function start(command)
  local files, attrs = { [1] = 1, [2] = 2 }, { pgroup = whom == "group" or nil }
  local started, message, code = xpio.spawn(command, nil, files, attrs)
  if code ~= "ENOTSUP" or whom == "process" then return started, message, code end
  whom = "process"
  return start(command)
end

--- Run the command once. Returns how it ended: "exit 1", "signal 11".
local function run(command)
  local started, message, code = start(command)
  if started then
    process = started
    return ("%s %d"):format(process:wait())
  end
  if process then return message end -- it ran before: so perhaps it will again
  log("%s", message)
  os.exit(code == "ENOENT" and 127 or 126, true)
end

--- Run the command until it succeeds.
local function supervise(command)
  local pause = SHORTEST_PAUSE
  while true do
    local begin = xpio.gettime()
    local how = run(command)
    if stopping then coroutine.yield(xpio.waiting) end -- for ever: watch_input has the last word
    if process then process:kill("KILL", whom) end -- what it may have left behind
    if how == "exit 0" then break end
    if xpio.gettime() - begin >= A_WHILE then pause = SHORTEST_PAUSE end
    log("%s; once more in %.1f s", how, pause)
    dispatcher.sleep(pause)
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
  stopping = true
  input:close()
end

if not arg[1] then
  io.stderr:write("usage: ", arg[0], " COMMAND [ARGUMENT...]\n")
  os.exit(2)
end

dispatcher.start(watch_input)
dispatcher.start(supervise, table.move(arg, 1, #arg, 1, {}))
local ok, message = pcall(dispatcher.run)
if not ok then -- Ctrl-C, most likely: it came to us, and not to a group of its own
  log("%s", message)
  stop(function(seconds) xpio.tqueue():wait(seconds) end)
  os.exit(130, true)
end

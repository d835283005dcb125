--- Runs programs as a shell does, each one's output the next one's input:
---
---     lua shell-pipeline.lua sort words.txt '|' uniq -c '|' sort -rn
---
--- The first reads our standard input, the last writes our standard output. Exits with
--- the status of the last, and tells of others that failed: 127 and 126 stand for a
--- program that is not there or cannot be run, 128 + N for one that signal N has ended.
local xpio = require "xpio"

--- The programs between the "|", each an array of its arguments.
local function parse(words)
  local programs = { {} }
  for _, word in ipairs(words) do
    if word == "|" then
      programs[#programs + 1] = {}
    else
      table.insert(programs[#programs], word)
    end
  end
  for _, program in ipairs(programs) do
    if #program == 0 then return nil end
  end
  return programs
end

--- Start a program. Of its two files this process keeps none open: spawn closes them,
--- or else this function does when it returns. A reader would never see the end of a
--- pipe that we could still write.
local function start(program, input, output)
  local _ <close> = input
  local _ <close> = output
  local process, message, code = xpio.spawn(program, nil, { [0] = input or 0, output or 1, 2 })
  if process then return process end
  io.stderr:write(message, "\n")
  return nil, code == "ENOENT" and 127 or 126
end

local function wait(process)
  local how, number = process:wait()
  return how == "exit" and number or 128 + number
end

local programs = parse(arg)
if not programs then
  io.stderr:write("usage: ", arg[0], " PROGRAM [ARGUMENT...] ['|' PROGRAM [ARGUMENT...]]...\n")
  os.exit(2)
end

local processes, statuses, input = {}, {}, nil
for i, program in ipairs(programs) do
  local reader, writer
  if i < #programs then
    reader, writer = xpio.pipe()
    assert(reader, writer)
  end
  processes[i], statuses[i] = start(program, input, writer)
  input = reader
end

for i, program in ipairs(programs) do
  statuses[i] = statuses[i] or wait(processes[i])
  -- 141: its reader had enough, and SIGPIPE has ended it, as it should.
  if i < #programs and statuses[i] ~= 0 and statuses[i] ~= 141 then
    io.stderr:write(("%s: status %d\n"):format(program[1], statuses[i]))
  end
end
os.exit(statuses[#statuses], true)

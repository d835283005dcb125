--- Counts the words of its standard input and has another process sort the counts:
---
---     lua pipeline.lua [COMMAND] <TEXT
---
---     standard input -> split -> pipe -> count -> socketpair -> COMMAND
---                               standard output <- copy <- socketpair <-'
---
--- "split", "count" and "copy" are tasks of this process. COMMAND is a process of its
--- own, "sort -k1,1nr -k2" if it is not given; it reads and writes its end of the
--- socketpair. A slow stage holds up the stages before it, and the end of the stream
--- goes from one to the next.

local xpio = require "xpio"
local dispatcher = require "xpio.dispatcher"

local CHUNK = 65536
local WORD = "[%w\128-\255]+" -- all of UTF-8 beyond ASCII counts as letters
local COMPLETE = "^(.*[^%w\128-\255])(.*)$" -- up to the last character that is in no word

--- Write every word of the input in lower case on a line of its own.
local function split(source, sink)
  local input <close> = source
  local output <close> = sink
  local rest = ""
  repeat
    local piece, message = input:read(CHUNK)
    assert(not message, message)
    -- The last word may go on in the next piece. None goes on after the end.
    local text = rest .. (piece or "\n")
    local complete, word = text:match(COMPLETE)
    rest = word or text
    local lines = {}
    for found in (complete or ""):gmatch(WORD) do lines[#lines + 1] = found:lower() .. "\n" end
    assert(output:write(lines))
  until not piece
end

--- Read words, one a line, and at their end write how often each of them came.
local function count(source, sink)
  local input <close> = source
  local counts, rest = {}, ""
  repeat
    local piece, message = input:read(CHUNK)
    assert(not message, message)
    rest = rest .. (piece or "")
    local lines = rest:match "^.*\n" or ""
    rest = rest:sub(#lines + 1)
    for word in lines:gmatch "[^\n]+" do counts[word] = (counts[word] or 0) + 1 end
  until not piece

  local report = {}
  for word, times in pairs(counts) do report[#report + 1] = ("%7d %s\n"):format(times, word) end
  local written, message, code = sink:write(report)
  -- A program may have read enough and ended: so does `head`.
  assert(written or code == "EPIPE", message)
  sink:shutdown "w" -- the end for COMMAND; what it answers is still to come
end

--- Copy what comes to the end.
local function copy(source, sink)
  local output <close> = sink
  while true do
    local piece, message, code = source:read(CHUNK)
    if not piece and code == "ECONNRESET" then return end -- it has not read all that we wrote
    assert(not message, message)
    if not piece then return end
    assert(output:write(piece))
  end
end

if arg[2] then
  io.stderr:write("usage: ", arg[0], " [COMMAND]\n")
  os.exit(2)
end

local near, far = assert(xpio.socketpair())
local command = { "sh", "-c", arg[1] or "sort -k1,1nr -k2" }
local comspec = os.getenv "COMSPEC" -- the shell of Windows
if comspec then command = { comspec, "/c", arg[1] or "sort /r" } end
-- spawn closes `far` here: the command alone has that end, and when it exits we see it.
local process = assert(xpio.spawn(command, nil, { [0] = far, [1] = far, [2] = 2 }))
local reader, writer = assert(xpio.pipe())
dispatcher.start(split, assert(xpio.fdopen(io.stdin)), writer)
dispatcher.start(count, reader, near)
dispatcher.start(copy, near, assert(xpio.fdopen(io.stdout)))
dispatcher.run()
near:close() -- two tasks had it

local how, number = process:wait()
os.exit(how == "exit" and number or 128 + number, true)

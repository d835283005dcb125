--- Runs the examples as processes of their own, and the programs they are tested with.
local support = {}

local source = os.getenv "XPIO_SOURCE_ROOT" or "."
local build = os.getenv "XPIO_BUILD_ROOT" or source .. "/build"

support.examples = source .. "/examples"

--- No example runs longer, whatever happens to the test. Seconds.
local LIFETIME = 600

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end


--- A shell command; the arguments are quoted.
function support.command(format, ...)
  local arguments = table.pack(...)
  for i = 1, arguments.n do arguments[i] = quote(arguments[i]) end
  return format:format(table.unpack(arguments))
end

--- The start of a shell command that runs Lua with xpio. AddressSanitizer would
--- keep freed memory for a while, and some tests measure memory.
support.lua = support.command(
  'env LUA_CPATH=%s ASAN_OPTIONS="$ASAN_OPTIONS:quarantine_size_mb=1" %s',
  build .. "/?.so", arg and arg[-1] or "lua5.4")

--- What a shell command writes, and its exit status.
function support.run(format, ...)
  local process <close> = assert(io.popen(support.command(format, ...)))
  local output = process:read "a"
  local _, _, status = process:close()
  return output, status
end

function support.has(program)
  local _, status = support.run("command -v %s >/dev/null 2>&1", program)
  return status == 0
end

function support.read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

function support.write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

function support.make_folder()
  return (support.run("mktemp -d"):gsub("\n$", ""))
end

function support.remove_folder(folder)
  support.run("rm -rf %s", folder)
end

---@class Process
---@field pid integer
---@field address string where it listens, if it has said so
---@field output file* its standard output, after the line that says so
---@field private keeper file* ends the process when it is closed
---@field private log string the path of what it writes to standard error
local Process = {}
Process.__index = Process

local started = 0

--- Start a server and wait until it listens. It ends with `stop`, and also when
--- the test ends in any way: its keeper then sees the end of its own input.
---@param folder string for its files
---@param command string of the shell
---@param before string? shell commands that set its limits
---@return Process
function support.start(folder, command, before)
  started = started + 1
  local fifo, log = ("%s/%d.fifo"):format(folder, started), ("%s/%d.log"):format(folder, started)
  support.run("mkfifo %s", fifo)
  local script = ("%s\necho $$\nexec %s"):format(before or "", command)
  local keeper = assert(io.popen(support.command([[
    sh -c %s </dev/null >%s 2>%s &
    timeout %s cat >/dev/null
    kill $! 2>/dev/null
    wait
  ]], script, fifo, log, LIFETIME), "w"))
  local output = assert(io.open(fifo))
  local process = setmetatable({ keeper = keeper, output = output, log = log }, Process)
  process.pid = assert(output:read("n", "l"), "no process number")
  return process
end

--- Start one of the examples.
---@param argument string? a folder or an address
---@return Process
function support.start_example(folder, name, argument, before)
  local script = ("%s/%s.lua"):format(support.examples, name)
  local command = support.lua .. support.command(" %s", script)
  if argument then command = command .. support.command(" %s", argument) end
  local process = support.start(folder, command, before)
  local line = process.output:read "l" or process:stop()
  process.address = line:match "^listening on (127%.0%.0%.1:%d+)$" or error(name .. ": " .. line)
  return process
end

--- What it has written to standard error.
function Process:errors()
  return support.read_file(self.log)
end

--- End it, and return what it has written to standard error.
function Process:stop()
  if io.type(self.keeper) == "file" then self.keeper:close() end
  self.output:close()
  return self:errors()
end

--- A number of /proc/PID/status, or nil where there is no such thing. KiB.
function Process:memory(name)
  local file <close> = io.open(("/proc/%d/status"):format(self.pid))
  return file and tonumber(file:read "a":match(name .. ":%s*(%d+)"))
end

--- The processor time it has used, in ticks of a hundredth of a second; nil
--- where there is no /proc.
function Process:ticks()
  local file <close> = io.open(("/proc/%d/stat"):format(self.pid))
  if not file then return nil end
  local fields = {}
  -- From field 3 on: the name before may contain spaces. 14 and 15 are wanted.
  for field in file:read "a":match "^.*%) (.*)":gmatch "%S+" do fields[#fields + 1] = field end
  return tonumber(fields[12]) + tonumber(fields[13])
end

return support

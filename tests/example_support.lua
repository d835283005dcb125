--- Runs the examples as processes of their own, and the programs they are tested with.
local xpio = require "xpio"

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

--- A folder for the files of the tests, which is also `support.folder`.
function support.make_folder()
  support.folder = support.run("mktemp -d"):gsub("\n$", "")
  return support.folder
end

function support.remove_folder()
  support.run("rm -rf %s", support.folder)
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

function support.connect(address)
  local socket = assert(xpio.socket "TCP")
  return assert(socket:connect(address))
end

--- The socket, as soon as it is readable: a test fails rather than hangs.
function support.await(socket)
  local queue = xpio.tqueue()
  assert(socket:when_read { _queue = queue })
  assert(#queue:wait(20) == 1, "nothing came")
  return socket
end

--- All that comes up to the end of the stream, which must not be an error.
function support.read_all(socket)
  local pieces = {}
  while true do
    local piece, message = support.await(socket):read(65536)
    assert(not message, message)
    if not piece then return table.concat(pieces) end
    pieces[#pieces + 1] = piece
  end
end

--- Sends bytes as they are and returns all that comes until the server ends the
--- connection. The sending side stays open, as with most clients.
function support.exchange(address, bytes)
  local path = support.folder .. "/request"
  support.write_file(path, bytes)
  return (support.run("socat -T 20 -,ignoreeof TCP:%s <%s", address, path))
end

--- The same, but the end of the sending is seen by the server.
function support.exchange_and_end(address, bytes)
  local path = support.folder .. "/request"
  support.write_file(path, bytes)
  return (support.run("socat -t 20 - TCP:%s <%s", address, path))
end

--- The statuses of the responses in a stream, as "200 404".
function support.statuses(stream)
  local found = {}
  for status in stream:gmatch "HTTP/1%.1 (%d%d%d) " do found[#found + 1] = status end
  return table.concat(found, " ")
end

--- Start the file server on a folder with files of all kinds.
---@return Process server
---@return string url
---@return string root
function support.start_file_server()
  local root = support.folder .. "/root"
  support.run("mkdir -p %s %s", root .. "/sub", root .. "/bare")
  support.write_file(root .. "/hello.txt", "hello\n")
  support.write_file(root .. "/a name+.txt", "a name\n")
  support.write_file(root .. "/\u{e4}.html", "umlaut\n")
  support.write_file(root .. "/empty.css", "")
  support.write_file(root .. "/noindex.bin", "\0\1\2")
  support.write_file(root .. "/.hidden", "secret\n")
  support.write_file(root .. "/back\\slash", "secret\n")
  support.write_file(root .. "/sub/index.html", "<p>index\n")
  support.write_file(support.folder .. "/secret.txt", "secret\n")
  support.run("ln -s ../secret.txt %s", root .. "/link.txt")
  local server = support.start_example(support.folder, "http-server", root)
  return server, "http://" .. server.address, root
end

--- curl's output and exit status.
function support.curl(format, ...)
  return support.run("curl --silent --show-error --max-time 30 " .. format .. " 2>&1", ...)
end

--- The status of a response, as curl tells it.
function support.status_of(url, options)
  local format = "--output /dev/null --write-out '%%{http_code}' " .. (options or "") .. " %s"
  return (support.curl(format, url))
end

--- Made of busted's functions, which only a file of tests sees: `it_with(program,
--- name, body)`, for a test that needs a program which may not be there.
function support.it_with(it, pending)
  return function(program, name, body)
    it(name, function()
      if not support.has(program) then return pending(program .. " is not installed") end
      body()
    end)
  end
end

return support

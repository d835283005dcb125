--- Runs the examples as processes of their own, and the programs they are tested with.
local capability = require "capability"
local common = require "support"
local lfs = require "lfs"
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
  'env LUA_CPATH=%s ASAN_OPTIONS="$ASAN_OPTIONS:quarantine_size_mb=1" ',
  build .. "/?.so") .. common.command(common.interpreter)

--- What a shell command writes, and its exit status; nothing where there is no shell.
function support.run(format, ...)
  if not common.has_shell then return nil, 127 end
  local process <close> = assert(io.popen(support.command(format, ...)))
  local output = process:read "a"
  local _, _, status = process:close()
  return output, status
end

function support.has(program)
  if program == "shell" then return common.has_shell end
  if not common.has_shell then return program == "socat" end -- see exchange_by_xpio
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
  support.folder = common.make_folder()
  return support.folder
end

function support.remove_folder()
  common.remove(support.folder)
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

--- A pipe's end that reads lines, as a Lua file does.
local function line_reader(pipe)
  return {
    read = function()
      local line = ""
      while not line:match "\n$" do
        local piece = pipe:read(1)
        if not piece then return nil end
        line = line .. piece
      end
      return (line:gsub("\r?\n$", ""))
    end,
    close = function() return pipe:close() end,
  }
end

--- The same without a shell. It ends with the test's process, where there is none.
local function start_directly(folder, arguments)
  started = started + 1
  local log = ("%s/%d.log"):format(folder, started)
  local reader, writer = assert(xpio.pipe())
  local errors <close> = assert(io.open(log, "wb"))
  local child = assert(xpio.spawn(arguments, nil, { [1] = writer, [2] = errors }))
  local keeper = { close = function() child:kill() child:wait() end }
  return setmetatable({ keeper = keeper, output = line_reader(reader), log = log, pid = child:pid() }, Process)
end

--- Start a server that is a script.
---@param argument string? a folder or an address
---@param before string? shell commands that set its limits
---@return Process
function support.start_script(folder, script, argument, before)
  local command = support.lua .. support.command(" %s", script)
  if argument then command = command .. support.command(" %s", argument) end
  local process
  if common.has_shell then
    process = support.start(folder, command, before)
  else
    process = start_directly(folder, common.arguments(common.interpreter, script, argument))
  end
  local line = process.output:read "l" or process:stop()
  process.address = line:match "^listening on (127%.0%.0%.1:%d+)$" or error(script .. ": " .. line)
  return process
end

--- The path of an example.
function support.path_of(name)
  return ("%s/%s.lua"):format(support.examples, name)
end

--- Start one of the examples.
---@return Process
function support.start_example(folder, name, argument, before)
  return support.start_script(folder, support.path_of(name), argument, before)
end

--- Run an example to its end. Returns what it writes, stderr too, and its status.
function support.run_example(name, ...)
  local reader, writer = assert(xpio.pipe())
  local arguments = common.arguments(common.interpreter, support.path_of(name), ...)
  local process = assert(xpio.spawn(arguments, nil, { writer, writer }))
  local output = common.read_all(reader, 65536)
  local _, status = process:wait()
  return output, status
end

--- What it has written to standard error.
function Process:errors()
  return support.read_file(self.log)
end

--- End it, and return what it has written to standard error.
function Process:stop()
  if io.type(self.keeper) ~= "closed file" then self.keeper:close() end
  self.output:close()
  return self:errors()
end

--- A number of /proc/PID/status, or nil where there is no such thing. KiB.
function Process:memory(name)
  if not capability.process_states then return nil end
  local file <close> = io.open(("/proc/%d/status"):format(self.pid))
  return file and tonumber(file:read "a":match(name .. ":%s*(%d+)"))
end

--- The processor time it has used, in ticks of a hundredth of a second; nil
--- where there is no /proc.
function Process:ticks()
  if not capability.process_states then return nil end
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

--- What the next two do where there is no socat.
local function exchange_by_xpio(address, bytes, shut)
  local socket <close> = support.connect(address)
  assert(socket:write(bytes))
  if shut then socket:shutdown(shut) end
  return support.read_all(socket)
end

--- Sends bytes as they are and returns all that comes until the server ends the
--- connection. The sending side stays open, as with most clients.
function support.exchange(address, bytes)
  if not common.has_shell then return exchange_by_xpio(address, bytes) end
  local path = support.folder .. "/request"
  support.write_file(path, bytes)
  return (support.run("socat -T 20 -,ignoreeof TCP:%s <%s", address, path))
end

--- The same, but the end of the sending is seen by the server.
function support.exchange_and_end(address, bytes)
  if not common.has_shell then return exchange_by_xpio(address, bytes, "w") end
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
  for _, name in ipairs { "", "/sub", "/bare" } do assert(lfs.mkdir(root .. name)) end
  support.write_file(root .. "/hello.txt", "hello\n")
  support.write_file(root .. "/a name+.txt", "a name\n")
  support.write_file(root .. "/empty.css", "")
  support.write_file(root .. "/noindex.bin", "\0\1\2")
  support.write_file(root .. "/.hidden", "secret\n")
  support.write_file(root .. "/sub/index.html", "<p>index\n")
  support.write_file(support.folder .. "/secret.txt", "secret\n")
  if common.has_shell then -- names that Windows does not have, or not for the C library
    support.write_file(root .. "/\u{e4}.html", "umlaut\n")
    support.write_file(root .. "/back\\slash", "secret\n")
    support.run("ln -s ../secret.txt %s", root .. "/link.txt")
  end
  local server = support.start_example(support.folder, "http-server", root)
  return server, "http://" .. server.address, root
end

--- curl's output and exit status.
function support.curl(format, ...)
  return support.run("curl --silent --show-error --max-time 30 " .. format .. " 2>&1", ...)
end

--- The response to a request, head and body, as it comes: by curl where that is there.
---@return string
function support.request(url, method)
  if support.has "curl" then
    local option = method == "HEAD" and "--head" or support.command("--request %s", method)
    return (support.curl("--include " .. option:gsub("%%", "%%%%") .. " %s", url))
  end
  local address, path = url:match "^http://([^/]+)(.*)$"
  local head = ("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"):format(method, path, address)
  return (exchange_by_xpio(address, head):gsub("\r\nConnection: close\r\n", "\r\n", 1))
end

--- The body of the response to GET.
function support.get(url)
  return support.request(url, "GET"):match "\r\n\r\n(.*)$"
end

--- The status of the response to GET, or with these options of curl.
function support.status_of(url, options)
  if not options then return support.request(url, "GET"):match "^HTTP/1%.1 (%d+) " end
  return (support.curl("--output /dev/null --write-out '%%{http_code}' " .. options .. " %s", url))
end

--- What takes the place of `it` for a test that needs a program which may not be there.
function support.it_with(program, name, body)
  require "busted".it(name, function()
    if not support.has(program) then return capability.skip(program .. " is not there") end
    return body()
  end)
end

return support

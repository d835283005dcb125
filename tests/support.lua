--- What the test files share: tasks, connected sockets, other interpreters.
if _VERSION == "Lua 5.5" then require "lua55" end
local lfs = require "lfs"
local xpio = require "xpio"

local support = {}

--- How long a test waits for what must happen, in seconds. Not a measure of
--- speed: only a hang takes so long, where nothing is slow on purpose.
support.patience = tonumber(os.getenv "XPIO_PATIENCE") or 30

--- Valgrind does not do all that the kernel does.
support.under_valgrind = os.getenv "XPIO_UNDER_VALGRIND" ~= nil

--- What is in a file of the project.
function support.read_source(path)
  local file <close> = assert(io.open((os.getenv "XPIO_SOURCE_ROOT" or ".") .. "/" .. path))
  return file:read "a"
end

--- Sets the pause of the collector, and returns what it was.
function support.set_pause(pause)
  if _VERSION == "Lua 5.4" then return collectgarbage("setpause", pause) end
  return collectgarbage("param", "pause", pause)
end

--- Resume a task's coroutine with the task as the current one.
---@return boolean ok
---@return any ... what coroutine.resume returns
function support.resume(task, ...)
  local previous = xpio.getCurrentTask()
  xpio.setCurrentTask(task)
  local results = table.pack(coroutine.resume(task.coroutine, ...))
  xpio.setCurrentTask(previous)
  return table.unpack(results, 1, results.n)
end

--- A task that runs `f` when it is resumed.
---@return table task
function support.task(queue, f)
  return { _queue = queue, coroutine = coroutine.create(f) }
end

--- A task that has run `f` up to the first call that blocks.
---@return table task
function support.blocked(queue, f)
  local task = support.task(queue, f)
  local ok, value = support.resume(task)
  assert(ok, value)
  assert(value == xpio.waiting, "the task does not block")
  return task
end

--- Wait until this task is ready, and nothing but it.
function support.wait_for(queue, task)
  local ready = queue:wait(support.patience)
  assert(#ready == 1, "one ready task expected, got " .. #ready)
  assert(ready[1] == task, "another task is ready")
end

--- Run functions as tasks, all to their ends. An error in one is raised here.
function support.run(...)
  local queue = xpio.tqueue()
  local function step(task)
    local ok, message = support.resume(task)
    if not ok then error(debug.traceback(task.coroutine, message), 0) end
  end
  for _, f in ipairs { ... } do step(support.task(queue, f)) end
  while not queue:isEmpty() do
    local ready = queue:wait(support.patience)
    assert(#ready > 0, "no task became ready")
    for _, task in ipairs(ready) do step(task) end
  end
end

--- A listening TCP socket on a free port of the loopback, and its address.
function support.listener()
  local listener = assert(xpio.socket "TCP")
  assert(listener:bind "127.0.0.1:0")
  assert(listener:listen())
  return listener, assert(listener:getsockname())
end

--- Two connected TCP sockets: the one that connected, the one accepted.
function support.connected_pair()
  local listener, address = support.listener()
  local client = assert(xpio.socket "TCP")
  assert(client:connect(address))
  local server = assert(listener:accept())
  listener:close()
  return client, server
end

--- Write until the socket takes no more; returns how many bytes it took.
function support.fill(socket)
  local block, total = ("x"):rep(65536), 0
  repeat
    local count = socket:try_write(block)
    total = total + (count or 0)
  until not count
  while true do
    -- What is left of its room may be less than a block.
    local count = socket:try_write "x"
    if not count then return total end
    total = total + count
  end
end

--- More than the system ever keeps for a connection, which is the more the faster the peer has
--- read so far: tens of megabytes.
---@return string[] strings 50 times the same one: the memory is that of one
---@return integer size how many bytes they are together
function support.too_much()
  local block, strings = ("x"):rep(2000000), {}
  for i = 1, 50 do strings[i] = block end
  return strings, #strings * #block
end

--- Everything up to the end of the stream, read in pieces of at most `size` bytes.
function support.read_all(socket, size)
  local pieces = {}
  local piece = socket:read(size)
  while piece do
    pieces[#pieces + 1] = piece
    piece = socket:read(size)
  end
  return table.concat(pieces)
end

--- So many bytes, read in as many pieces as it takes.
function support.read_bytes(socket, size)
  local pieces = {}
  while size > 0 do
    local piece = assert(socket:read(size))
    pieces[#pieces + 1] = piece
    size = size - #piece
  end
  return table.concat(pieces)
end

--- The path of the interpreter that runs the tests.
support.interpreter = arg and arg[-1] or "lua5.4"

--- Whether there is a shell of Unix behind io.popen and os.execute: it comes with the slash.
support.has_shell = package.config:sub(1, 1) == "/"

local function quote(text)
  if not support.has_shell then return '"' .. text .. '"' end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end
support.quote = quote

--- The arguments that start a program which was built, or the interpreter: where the
--- build is for another machine, there is an emulator before it.
function support.arguments(program, ...)
  local arguments = {}
  for word in (os.getenv "XPIO_RUN" or ""):gmatch "%S+" do arguments[#arguments + 1] = word end
  return table.move({ program, ... }, 1, 1 + select("#", ...), #arguments + 1, arguments)
end

--- The same as a command of the shell.
function support.command(...)
  local words = support.arguments(...)
  for i, word in ipairs(words) do words[i] = quote(word) end
  local command = table.concat(words, " ")
  -- The shell of Windows takes the first and the last quote of a line away.
  return support.has_shell and command or '"' .. command .. '"'
end

--- A path for a file of the test's own. On Windows os.tmpname gives a name at the root of
--- the drive, made of the process's number, which others have had before.
function support.temporary_path()
  if package.config:sub(1, 1) == "/" then return os.tmpname() end
  local path
  repeat
    path = os.getenv "TEMP" .. "\\" .. os.tmpname():match "[^\\]+$"
  until not lfs.attributes(path)
  return path
end

--- A folder for the files of a test's own.
function support.make_folder()
  local path = support.temporary_path()
  os.remove(path)
  assert(lfs.mkdir(path))
  return path
end

--- Remove a file, or a folder with all that is in it.
function support.remove(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then support.remove(path .. "/" .. name) end
    end
    assert(lfs.rmdir(path))
  else
    assert(os.remove(path))
  end
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

--- What takes all that is written, and has nothing to read.
support.null = package.config:sub(1, 1) == "/" and "/dev/null" or "NUL"

local handles = os.getenv "XPIO_HANDLES"

--- The functions of handles.c, where descriptors have handles below.
support.handles = handles and assert(package.loadlib(handles, "luaopen_handles"))()

--- Seconds of processor time that this process has used.
support.clock = handles and support.handles.processor_time or os.clock

--- Run this command line of the shell.
local function run_shell(command)
  local process <close> = assert(io.popen(command))
  local output = process:read "a"
  local _, _, status = process:close()
  return output, status
end

--- Run these arguments without a shell.
local function run_directly(arguments)
  local reader, writer = assert(xpio.pipe())
  local process = assert(xpio.spawn(arguments, nil, { [0] = 0, [1] = writer, [2] = writer }))
  local output = support.read_all(reader, 65536):gsub("\r\n", "\n")
  local _, status = process:wait()
  return output, status
end

--- Run a script in an interpreter of its own; where there is a shell, after these commands
--- of it, for which it is the file "$script", and by way of a command that starts others.
---@param script string
---@param before string?
---@param through string?
---@return string output of stdout and stderr together
---@return integer status
function support.lua(script, before, through)
  local path = support.temporary_path()
  local _ <close> = setmetatable({}, { __close = function() os.remove(path) end })
  write_file(path, script)
  if not support.has_shell then
    assert(not before and not through, "there is no shell: the test needs a capability")
    return run_directly { support.interpreter, path }
  end
  return run_shell(('script=%s\n%s\nexec timeout %d %s %s "$script" 2>&1'):format(quote(path), before or "",
    support.patience, through or "", support.command(support.interpreter)))
end

--- The path of the module under test.
support.module = package.searchpath("xpio", package.cpath)

function support.is_root()
  if not support.has_shell then return false end
  local process <close> = assert(io.popen "id -u")
  return process:read "n" == 0
end

--- Calls f while the collector does all of its work, finalizers too, at every allocation at
--- which it may.
function support.collecting(f, ...)
  local pause = support.set_pause(0)
  local mode = collectgarbage "incremental"
  collectgarbage "restart" -- busted may have stopped it
  local effort
  if _VERSION == "Lua 5.4" then
    collectgarbage("incremental", 0, 1000, 63) -- a step without an end
  else
    effort = collectgarbage("param", "stepmul", 0)
  end
  local results = table.pack(pcall(f, ...))
  if _VERSION == "Lua 5.4" then
    collectgarbage("incremental", 0, 100, 13) -- as it is by default
  else
    collectgarbage("param", "stepmul", effort)
  end
  support.set_pause(pause)
  collectgarbage(mode)
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

--- The flags of a descriptor, as fcntl(F_GETFL) and O_CLOEXEC give them; nil
--- where there is no /proc.
function support.flags(number)
  if support.handles then return nil end -- /proc, if any, is of what Wine has open
  local file <close> = io.open("/proc/self/fdinfo/" .. number)
  if not file then return nil end
  return tonumber(file:read "a":match "flags:%s*(%d+)", 8)
end

support.O_NONBLOCK, support.O_CLOEXEC = 0x800, 0x80000

--- How many descriptors below 256 this process has open, or handles. Not by `ls`, before
--- which io.popen may or may not have closed the other end of its pipe.
function support.count_descriptors()
  if support.handles then return support.handles.count() end
  local count = 0
  for number = 0, 255 do
    if support.flags(number) then count = count + 1 end
  end
  return count
end

--- A child that runs this Lua script.
function support.child(script, files, attrs)
  return assert(xpio.spawn(support.arguments(support.interpreter, "-e", script), nil, files, attrs))
end

--- How many children are many: a process costs more where others stand in for Unix.
support.many = support.has_shell and 2000 or 40

local kept = {} -- what must not be collected

--- A child that runs until it is killed or the pipe is closed or this process ends,
--- and what closes the pipe.
function support.sleeper(attrs)
  local reader, writer = assert(xpio.pipe())
  kept[#kept + 1] = writer
  return assert(xpio.spawn({ "cat" }, nil, { [0] = reader }, attrs)), writer
end

--- Wait until a child is in this state of /proc: "Z" when it has ended and nobody has
--- been told, "T" when it is stopped.
function support.wait_for_state(process, expected)
  local path = ("/proc/%d/status"):format(process:pid())
  repeat
    local file <close> = assert(io.open(path))
    local state = file:read "a":match "State:%s*(%a)"
  until state == expected
end

--- How many children this process has, zombies too. The grep that looks is one.
function support.count_children()
  local process <close> = assert(io.popen [==[exec grep -lsE "^PPid:[[:space:]]*$PPID$" /proc/[0-9]*/status]==])
  local count = -1
  for _ in process:lines() do count = count + 1 end
  return count
end

return support

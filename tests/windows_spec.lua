--- What is different on Windows: those rows of the manual's table that are not told by
--- console_spec.lua, grants_spec.lua and unsupported_spec.lua.
local capability = require "capability"
local lfs = require "lfs"
local support = require "support"
local xpio = require "xpio"

local it = capability.it "handles"
local handles = support.handles

--- A copy of this process's environment with another variable.
local function with(name, value)
  local env = {}
  for key, text in pairs(xpio.env) do
    if key:upper() ~= name then env[key] = text end
  end
  env[name] = value
  return env
end

--- What a script writes that runs with this environment.
local function output_of(script, env)
  local reader, writer = assert(xpio.pipe())
  local arguments = support.arguments(support.interpreter, "-e", script)
  local process = assert(xpio.spawn(arguments, env, { [1] = writer, [2] = writer }))
  local output = support.read_all(reader, 65536):gsub("\r\n", "\n")
  process:wait()
  return output
end

describe("a number that is a socket's and a descriptor's of the C runtime", function()
  it("is taken for the latter", function()
    local socket <close> = assert(xpio.socket "TCP")
    local number = socket:fileno()
    local reader, writer = assert(xpio.pipe())
    if not handles.place(writer:fileno(), number) then
      return capability.skip "the socket has a number that no descriptor can have"
    end
    local object <close> = assert(xpio.fdopen(number))
    handles.close(number)
    assert.equal(4, object:write "sent")
    assert.equal("sent", reader:read(10))
  end)
end)

describe("xpio.socketpair", function()
  it("makes two TCP sockets, connected to each other over the loopback", function()
    local one, other = assert(xpio.socketpair())
    assert.matches("^TCP socket ", tostring(one))
    assert.matches("^127%.0%.0%.1:%d+$", one:getsockname())
    assert.equal(one:getsockname(), other:getpeername())
    assert.equal(other:getsockname(), one:getpeername())
  end)

  it("accepts nobody else", function()
    local one = assert(xpio.socketpair())
    local stranger <close> = assert(xpio.socket "TCP")
    for _, address in ipairs { one:getsockname(), one:getpeername() } do
      assert.equal("ECONNREFUSED", select(3, stranger:connect(address)))
    end
  end)
end)

describe("a connect that is pending", function()
  it("cannot be given up for another address", function()
    local full, address = support.listener()
    assert(full:listen(0))
    local clients, pending = {}, nil
    for i = 1, 10 do
      clients[i] = assert(xpio.socket "TCP")
      if not clients[i]:try_connect(address) then pending = clients[i] end
    end
    if not pending then return capability.skip "this system's queues are never full" end
    assert.same({ nil, "Operation not supported", "ENOTSUP" }, { pending:connect "127.0.0.1:1" })
    assert.same({ nil, "retry" }, { pending:try_connect(address) })
  end)
end)

describe("what is written to a pipe", function()
  local block <const> = ("x"):rep(100000)

  it("is taken 64 KiB at a time", function()
    local reader, writer = assert(xpio.pipe())
    assert.equal(65536, writer:try_write(block))
    support.fill(writer)
    assert.same({ nil, "retry" }, { writer:try_write "x" })
    assert.truthy(reader:fileno())
  end)

  it("arrives although the pipe is closed at once", function()
    local reader, writer = assert(xpio.pipe())
    local total = support.fill(writer)
    writer:close()
    assert.equal(total, #support.read_all(reader, 65536))
  end)

  it("arrives although the process ends at once", function()
    local reader, writer = assert(xpio.pipe())
    local child = support.child([[
      local xpio = require "xpio"
      local output, total = assert(xpio.fdopen(1)), 0
      for _ = 1, 10 do total = total + (output:try_write(("x"):rep(100000)) or 0) end
      os.exit(total, true)
    ]], { [1] = writer })
    local data = support.read_all(reader, 65536)
    assert.is_true(#data >= 65536)
    assert.same({ "exit", #data }, { child:wait() })
  end)
end)

describe("a handle", function()
  local uses = {
    ["a socket that is refused"] = function()
      local listener, address = support.listener()
      listener:close()
      xpio.socket "TCP":connect(address)
    end,
    ["an accepted connection"] = function() support.connected_pair() end,
    ["a pipe that is waited for"] = function()
      local reader, writer = xpio.pipe()
      local task = { _queue = xpio.tqueue() }
      reader:when_read(task)
      writer:write "x"
      task._queue:wait()
      writer:close()
    end,
    ["a pipe that is closed while something is on its way"] = function()
      local reader, writer = xpio.pipe()
      support.fill(writer)
      writer:close()
      support.read_all(reader, 65536)
    end,
    ["what is opened by number"] = function()
      local socket = xpio.socketpair()
      xpio.fdopen(socket:fileno())
      local reader = xpio.pipe()
      xpio.fdopen(reader:fileno())
    end,
    ["a spawn that fails"] = function()
      local reader, writer = xpio.pipe()
      local socket = xpio.socketpair()
      xpio.spawn({ "/no/such" }, nil, { reader, writer, [9] = socket })
      xpio.spawn({ "true" }, nil, { [9] = socket }, { cwd = "/nowhere" })
    end,
    ["a child that gets files of all kinds"] = function()
      local _, writer = xpio.pipe()
      local _, socket = xpio.socketpair()
      local file <close> = io.tmpfile()
      xpio.spawn({ "true" }, nil, { [0] = socket, writer, file, [9] = socket }):wait()
    end,
    ["a child that is killed"] = function()
      local process, gate = support.sleeper()
      process:kill()
      process:wait()
      gate:close()
    end,
  }

  for name, use in pairs(uses) do
    it("does not stay behind: " .. name, function()
      local function count_after(rounds)
        for _ = 1, rounds do use() end
        for _ = 1, 2 do collectgarbage() end
        xpio.tqueue():wait(0)
        return support.count_descriptors()
      end
      local before = count_after(2) -- what the first use opens for all others stays
      assert.equal(before, count_after(10))
    end)
  end
end)

describe("O_NONBLOCK", function()
  it("is what was set by this object", function()
    local socket <close> = assert(xpio.socket "TCP")
    local other <close> = assert(xpio.fdopen(socket:fileno()))
    assert(socket:setsockopt("O_NONBLOCK", false))
    assert.is_false(socket:getsockopt "O_NONBLOCK")
    assert.is_true(other:getsockopt "O_NONBLOCK")
  end)
end)

describe("a child", function()
  it("ends when its parent does", function()
    -- The output ends when nobody has it any more.
    assert.equal("now", output_of [[
      local xpio = require "xpio"
      assert(xpio.spawn({ "sleep", "1000" }, nil, { [1] = 1 }))
      io.write "now"
    ]])
  end)
end)

describe("PATH", function()
  local folders

  before_each(function() folders = { support.make_folder(), support.make_folder() } end)

  after_each(function()
    for _, folder in ipairs(folders) do support.remove(folder) end
  end)

  --- A program in one of the folders; it exits with 99 when it gets no arguments.
  local function install(place, name)
    local from <close> = assert(io.open(os.getenv "XPIO_REPORT", "rb"))
    local to <close> = assert(io.open(folders[place] .. "/" .. name, "wb"))
    assert(to:write(from:read "a"))
  end

  --- What comes of starting a program by its name.
  local function start(name)
    local path = table.concat(folders, ";") .. ";" .. os.getenv "PATH"
    return output_of(([[
      local process, message, code = require "xpio".spawn { %q }
      if process then print(process:wait()) else print(code, message) end
    ]]):format(name), with("PATH", path))
  end

  it("is searched in its order", function()
    for place = 1, 2 do
      local file <close> = assert(io.open(folders[place] .. "/program.exe", "wb"))
      file:write "\1\2\3"
    end
    install(1, "program.exe")
    assert.equal("exit\t99\n", start "program")
    folders[1], folders[2] = folders[2], folders[1]
    assert.matches("^ENOEXEC\tspawn: exec: program: Exec format error\n", start "program")
  end)

  it("is searched with .exe or .com where a name has neither, and for names as they are", function()
    install(1, "one.exe")
    install(1, "two.com")
    install(2, "3.2.exe")
    for _, name in ipairs { "one", "one.exe", "ONE", "two", "two.com", "3.2", "3.2.exe" } do
      assert.equal("exit\t99\n", start(name), name)
    end
    for _, name in ipairs { "one.com", "3", "thr.ee" } do
      assert.matches("^ENOENT\t", start(name))
    end
  end)

  it("is searched for files, not for folders", function()
    assert(lfs.mkdir(folders[1] .. "/program.exe"))
    install(2, "program.exe")
    assert.equal("exit\t99\n", start "program")
  end)

  it("is not that of env, and the folder that this process is in does not count", function()
    install(1, "program.exe")
    local env = with("PATH", folders[1])
    assert.same({ nil, "spawn: exec: program: No such file or directory", "ENOENT", "exec" },
      { xpio.spawn({ "program" }, env) })
    assert.equal("ENOENT", select(3, xpio.spawn({ "program" }, nil, nil, { cwd = folders[1] })))
  end)
end)

describe("the environment of a child", function()
  it("has one variable of names that differ only in case", function()
    local output = output_of([[print(os.getenv "XPIO_NAME", os.getenv "xpio_name")]],
      with("XPIO_NAME", "value"))
    assert.equal("value\tvalue\n", output)
  end)
end)

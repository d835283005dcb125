--- xpio.spawn: what it says when starting a child fails, and what it leaves behind.
local capability = require "capability"
local lfs = require "lfs"
local support = require "support"
local xpio = require "xpio"

--- Assert that spawn fails: with this code, in this step, with this message behind "spawn: ".
local function fails(code, step, message, ...)
  local process, what, actual_code, actual_step = xpio.spawn(...)
  assert.is_nil(process)
  assert.equal("spawn: " .. message, what)
  assert.equal(code, actual_code)
  assert.equal(step, actual_step)
end

--- Calls f with a folder, which is removed afterwards, and a function that writes files
--- there: with these contents and, where there is chmod, these modes.
local function with_folder(f)
  local folder = support.make_folder()
  local _ <close> = setmetatable({}, { __close = function() support.remove(folder) end })
  f(folder, function(name, text, mode)
    local path = folder .. "/" .. name
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    if capability.shell then os.execute(("chmod %s %s"):format(mode, path)) end
    return path
  end)
end

describe("xpio.spawn reports", function()
  it("a program that is not there", function()
    fails("ENOENT", "exec", "exec: no-such-program: No such file or directory", { "no-such-program" })
    fails("ENOENT", "exec", "exec: /no/such: No such file or directory", { "/no/such" })
    fails("ENOENT", "exec", "exec: ./no: No such file or directory", { "x" }, nil, nil, { exe = "./no" })
    fails("ENOENT", "exec", "exec: : No such file or directory", { "" })
  end)

  it("a folder in place of a program", function()
    fails("EACCES", "exec", "exec: /: Permission denied", { "/" })
  end)

  it("a program that cannot be executed", function()
    if not capability.shell then return pending(capability.reason "shell") end
    with_folder(function(_, write)
      local path = write("program", "#!/bin/sh\n", "644")
      fails("EACCES", "exec", "exec: " .. path .. ": Permission denied", { path })
      path = write("garbage", "\1\2\3", "755")
      fails("ENOEXEC", "exec", "exec: " .. path .. ": Exec format error", { path })
    end)
  end)

  it("arguments that are too long", function()
    if not capability.argument_limit then return pending(capability.reason "argument_limit") end
    if support.under_valgrind then return pending "valgrind does not survive that execve fails here" end
    fails("E2BIG", "exec", "exec: true: Argument list too long", { "true", ("x"):rep(1 << 20) })
  end)

  it("a script whose interpreter is not there, apart from one that is not there itself", function()
    if not capability.shell then return pending(capability.reason "shell") end
    if support.under_valgrind then return pending "valgrind does not survive that execve fails here" end
    with_folder(function(_, write)
      local path = write("script", "#!/no/such/interpreter\n", "755")
      fails("ENOENT", "interpreter", "interpreter: " .. path .. ": No such file or directory", { path })
    end)
  end)

  -- An error that is in no list of xpio's: its name and message are the system's.
  it("a program whose dynamic linker is none", function()
    if not capability.shell then return pending(capability.reason "shell") end
    if support.under_valgrind then return pending "valgrind does not survive that execve fails here" end
    local file <close> = io.open("/bin/true", "rb")
    local linker = file and file:read "a":match "/lib64/ld%-linux%-x86%-64%.so%.2\0"
    if not linker or os.getenv "XPIO_RUN" then return pending "programs are others here" end
    with_folder(function(_, write)
      local script = write("x", ("#!/bin/sh\n"):rep(100), "755")
      if #script >= #linker then return end -- it takes its place
      file:seek "set"
      local text = file:read "a":gsub(linker:gsub("%p", "%%%0"), script .. ("\0"):rep(#linker - #script))
      local path = write("program", text, "755")
      fails("ELIBBAD", "exec", ("exec: %s: Accessing a corrupted shared library"):format(path), { path })
    end)
  end)

  it("a folder that is not there", function()
    fails("ENOENT", "chdir", "chdir: /nowhere: No such file or directory", { "true" }, nil, nil, { cwd = "/nowhere" })
  end)

  it("descriptors that are not open", function()
    local reader, writer = xpio.pipe()
    writer:close()
    local file = io.tmpfile()
    file:close()
    local function descriptor(key, value)
      fails("EBADF", "descriptor", ("descriptor: files[%d]: Bad file descriptor"):format(key), { "true" }, nil,
        { [0] = reader, [key] = value })
    end
    descriptor(1, writer)
    descriptor(2, file)
    descriptor(3, 12345)
    descriptor(4, -1)
    descriptor(5, 1 << 40)
    assert.truthy(reader:fileno())
  end)

  it("a number that is not open, though spawn itself will use it in a moment", function()
    -- Those that are free next get /dev/null and the pipe by which the child reports.
    local objects, free = { xpio.pipe() }, {}
    objects[3], objects[4] = xpio.pipe()
    for i, object in ipairs(objects) do free[i] = object:fileno() end
    for _, object in ipairs(objects) do object:close() end
    for _, number in ipairs(free) do
      fails("EBADF", "descriptor", ("descriptor: files[%d]: Bad file descriptor"):format(number), { "true" }, nil,
        { [number] = number })
    end
  end)

  it("a controlling terminal that is not open, though spawn itself will use its number in a moment", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    local objects, free = { xpio.pipe() }, {}
    for i, object in ipairs(objects) do free[i] = object:fileno() end
    for _, object in ipairs(objects) do object:close() end
    for _, number in ipairs(free) do
      fails("EBADF", "ctty", "ctty: Bad file descriptor", { "true" }, nil, nil, { ctty = number })
    end
  end)

  it("a failure at the end, though a file is granted at the number of the pipe that tells of it", function()
    local reader, writer = xpio.pipe()
    for number = writer:fileno() + 1, writer:fileno() + 6 do
      fails("ENOENT", "exec", "exec: /no/such: No such file or directory", { "/no/such" }, nil, { [number] = 1 })
      fails("ENOENT", "exec", "exec: /no/such: No such file or directory", { "/no/such" }, nil, { [number] = false })
    end
    assert.truthy(reader:fileno())
  end)

  it("that no number is left for the pipe to move to, and does not take that for a success", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local output = support.lua([[
      local xpio = require "xpio"
      local files = {}
      repeat
        local file = io.open "/dev/null"
        files[#files + 1] = file
      until not file
      files[#files]:close() -- two for the pipe; its last is the highest number that there is
      files[#files - 1]:close()
      print(select(2, xpio.spawn({ "/no/such" }, nil, { [0] = 0, 1, 2, [29] = 0 })))
    ]], "ulimit -n 30")
    assert.equal("spawn: descriptor: Too many open files\tEMFILE\tdescriptor\n", output)
  end)

  it("a key that is too large for a descriptor", function()
    fails("EBADF", "descriptor", "descriptor: files[2147483646]: Bad file descriptor", { "true" }, nil,
      { [2147483646] = 1 })
  end)

  it("a controlling terminal that is none", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    local reader, writer = xpio.pipe()
    fails("ENOTTY", "ctty", "ctty: Inappropriate ioctl for device", { "true" }, nil, nil, { ctty = reader })
    fails("EBADF", "ctty", "ctty: Bad file descriptor", { "true" }, nil, nil, { ctty = 12345 })
    writer:close()
    fails("EBADF", "ctty", "ctty: Bad file descriptor", { "true" }, nil, nil, { ctty = writer })
  end)

  it("a process group that is gone", function()
    if not capability.process_groups then return pending(capability.reason "process_groups") end
    local leader = assert(xpio.spawn({ "true" }, nil, nil, { pgroup = true }))
    leader:wait()
    getmetatable(leader).__close(leader)
    fails("ESRCH", "setpgid", "setpgid: No such process", { "true" }, nil, nil, { pgroup = leader })
    local follower <close> = assert(xpio.spawn { "sleep", "100" }) -- leads none
    fails("ESRCH", "setpgid", "setpgid: No such process", { "true" }, nil, nil, { pgroup = follower })
    follower:kill()
  end)

  it("what only root may do", function()
    if not support.is_root() then return pending "only root can become somebody else" end
    local output = support.lua([[
      local xpio = require "xpio"
      local function try(attrs) print(select(2, xpio.spawn({ "true" }, nil, nil, attrs))) end
      try { uid = 5 }
      try { gid = 5 }
      try { groups = {} }
      try { limits = { nofile = 1 << 40 } }
      try { nice = -5 }
    ]], nil, "setpriv --bounding-set=-all --inh-caps=-all")
    assert.equal([[
spawn: setuid: Operation not permitted	EPERM	setuid
spawn: setgid: Operation not permitted	EPERM	setgid
spawn: setgroups: Operation not permitted	EPERM	setgroups
spawn: setrlimit: nofile: Operation not permitted	EPERM	setrlimit
spawn: nice: Operation not permitted	EPERM	nice
]], output)
  end)

  it("that there are too many processes", function()
    if not support.is_root() then return pending "only root can become somebody else" end
    -- A user who has no others, not even of another run of this test, but may read all that
    -- root may: the interpreter and the module can be anywhere. securebits: access(2), too.
    local user = 100000 + assert(xpio.spawn { "true" }):pid()
    local output = support.lua([[
      local xpio = require "xpio"
      local children, process, message, code, step = {}
      repeat
        process, message, code, step = xpio.spawn { "sleep", "100" }
        children[#children + 1] = process
      until not process or #children > 20
      for _, child in ipairs(children) do child:kill() end
      print(message, code, step)
    ]], "export ASAN_OPTIONS=detect_leaks=0", -- it needs a thread
      ([[setpriv --reuid=%d --clear-groups --regid=1 \
        --inh-caps=-all,+dac_override --ambient-caps=-all,+dac_override \
        --securebits=+no_setuid_fixup prlimit --nproc=10]]):format(user))
    -- An emulator starts threads in its children, and complains before.
    assert.equal("spawn: fork: Resource temporarily unavailable\tEAGAIN\tfork\n", output:match "[^\n]*\n$", output)
  end)

  it("that there are too many open files, and goes on when there are fewer", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local output = support.lua([[
      local xpio = require "xpio"
      local files = {}
      repeat files[#files + 1] = io.open "/dev/null" until not files[#files + 1] and #files > 15
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        files[#files + 1] = file
      end
      print(select(2, xpio.spawn { "true" }))
      for i = #files - 1, #files do files[i]:close() end
      print(select(2, xpio.spawn { "true" })) -- a pipe may be opened, but not /dev/null
      for i = 1, 4 do files[i]:close() end
      print(assert(xpio.spawn { "true" }):wait())
    ]], "ulimit -n 30")
    assert.equal([[
spawn: pipe: Too many open files	EMFILE	pipe
spawn: descriptor: Too many open files	EMFILE	descriptor
exit	0
]], output)
  end)
end)

describe("a child", function()
  -- On Windows, appending is a matter of the C runtime, and the handle knows nothing of it.
  it("that is granted a file opened for appending writes behind what is there", function()
    local path = support.temporary_path()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "wb"))
    file:write "there, "
    file:close()
    file = assert(io.open(path, "ab"))
    assert.same({ "exit", 0 }, { assert(xpio.spawn({ "echo", "appended" }, nil, { file })):wait() })
    file:close()
    file = assert(io.open(path, "rb"))
    assert.equal("there, appended\n", file:read "a")
    file:close()
  end)

  -- cmd.exe gives its programs variables whose names begin with "=".
  it("can be started with a table that has fields of its own beside the arguments", function()
    local process = assert(xpio.spawn { "true", n = 1, name = "nothing" })
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("can be started with the environment that the system's shell has given", function()
    local script = "local p = require'xpio'.spawn{'true'} io.write(p:wait())"
    local process <close> = assert(io.popen(support.command(support.interpreter, "-e", script)))
    assert.equal("exit", process:read "a":match "%a+")
  end)
end)

describe("a spawn that fails", function()
  it("leaves no child, no zombie and no descriptor", function()
    if not capability.process_states then return pending(capability.reason "process_states") end
    local output = support.lua([[
      local xpio = require "xpio"
      local support = require "support"
      local open = support.count_descriptors()
      xpio.spawn { "/no/such" }
      xpio.spawn({ "true" }, nil, nil, { cwd = "/nowhere" })
      xpio.spawn({ "true" }, nil, { [5] = 12345 })
      xpio.spawn({ "true" }, nil, { [2147483646] = 1 })
      print(support.count_descriptors() - open, support.count_children())
    ]])
    assert.equal("0\t0\n", output)
  end)

  it("leaves the files open and as they were", function()
    local near, far = xpio.socketpair()
    local reader, writer = xpio.pipe()
    assert(writer:setsockopt("O_NONBLOCK", false))
    local files = { [0] = far, [1] = far, [2] = writer, [3] = 2 }
    assert.is_nil(xpio.spawn({ "/no/such" }, nil, files))
    assert.is_nil(xpio.spawn({ "true" }, nil, files, { cwd = "/nowhere" }))
    files[4] = 12345
    assert.is_nil(xpio.spawn({ "true" }, nil, files))
    assert.is_true(far:getsockopt "O_NONBLOCK")
    assert.is_false(writer:getsockopt "O_NONBLOCK")
    near:write "still connected"
    assert.equal("still connected", far:read(100))
    assert.truthy(reader:fileno())
  end)
end)

describe("a spawn that succeeds", function()
  it("closes the objects in files, each once, and wakes who waits for them", function()
    local near, far = xpio.socketpair()
    local reader, writer = xpio.pipe()
    local queue = xpio.tqueue()
    local task = { _queue = queue }
    assert(far:when_read(task))
    local process = assert(xpio.spawn({ "true" }, nil, { [0] = far, [1] = far, [2] = writer }))
    assert.same({ nil, "already closed" }, { far:close() })
    assert.same({ nil, "already closed" }, { writer:close() })
    support.wait_for(queue, task)
    assert.same({ "exit", 0 }, { process:wait() })
    assert.is_nil(near:read(1)) -- the end: the child has gone, and nobody else has it
    assert.is_nil(reader:read(1))
  end)

  it("leaves numbers and Lua's files open", function()
    local near, far = xpio.socketpair()
    local file <close> = assert(io.tmpfile())
    assert(xpio.spawn({ "true" }, nil, { [0] = far:fileno(), [1] = file })):wait()
    assert.truthy(far:fileno())
    assert.equal("file", io.type(file))
    assert.truthy(near:fileno())
  end)

  it("leaves no descriptor behind once the process has ended", function()
    if not capability.ended_children then return pending(capability.reason "ended_children") end
    -- The loop keeps one in which it watches all children, from the first it has to wait for.
    local queue <const> = xpio.tqueue()
    local runs, writer = support.sleeper()
    runs:when_wait { _queue = queue }
    writer:close()
    queue:wait(support.patience)
    local ended <const> = { runs }
    collectgarbage() -- what others left behind does not go between the counts
    local open = support.count_descriptors()
    for i = 2, 11 do
      ended[i] = assert(xpio.spawn { "true" })
      ended[i]:wait()
    end
    assert.equal(open, support.count_descriptors())
  end)
end)

describe("PATH", function()
  --- What a program prints that is started by its name with this PATH.
  local function run(path, name, folder)
    return (support.lua(([[
      local xpio = require "xpio"
      local reader, writer = xpio.pipe()
      local process, message, code = xpio.spawn({ %q }, nil, { [1] = writer }, { cwd = "/" })
      if process then io.write(reader:read(100) or "") else io.write(code, " ", message) end
    ]]):format(name), ("cd %s; interpreter=%s; export PATH=%s"):format(
      folder or "/", support.quote(support.interpreter), support.quote(path)), "/usr/bin/env"))
  end

  it("is searched in its order, for executable regular files", function()
    if not capability.shell then return pending(capability.reason "shell") end
    with_folder(function(folder, write)
      for _, name in ipairs { "a", "b", "c", "d", "a/program" } do assert(lfs.mkdir(folder .. "/" .. name)) end
      write("b/program", "#!/bin/sh\necho b\n", "644")
      write("c/program", "#!/bin/sh\necho c\n", "755")
      write("d/program", "#!/bin/sh\necho d\n", "755")
      local path = ("%s/a:%s/none:%s/b:%s/c:%s/d:/bin:/usr/bin"):format(folder, folder, folder, folder, folder)
      assert.equal("c\n", run(path, "program"))
    end)
  end)

  it("says EACCES if the only file of that name is not executable", function()
    if not capability.shell then return pending(capability.reason "shell") end
    with_folder(function(folder, write)
      write("program", "#!/bin/sh\n", "644")
      assert.equal("EACCES spawn: exec: program: Permission denied", run(folder .. ":/bin:/usr/bin", "program"))
    end)
  end)

  it("may have empty and relative entries: they are made absolute before the child changes folders", function()
    if not capability.shell then return pending(capability.reason "shell") end
    with_folder(function(folder, write)
      assert(lfs.mkdir(folder .. "/sub"))
      write("program", "#!/bin/sh\necho here\n", "755")
      write("sub/other", "#!/bin/sh\necho below\n", "755")
      for _, path in ipairs { ":/bin:/usr/bin", "/bin::/usr/bin", "/bin:/usr/bin:", "./:/bin:/usr/bin" } do
        assert.equal("here\n", run(path, "program", folder))
      end
      assert.equal("below\n", run("sub:/bin:/usr/bin", "other", folder))
    end)
  end)

  it("is that of the system's folders where it is not set", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local script = [[
      local xpio = require "xpio"
      print(xpio.spawn({ "true" }):wait())
    ]]
    assert.equal("exit\t0\n", (support.lua(script, nil, "env -u PATH")))
  end)

  it("may have entries that are too long, or relative to a folder that is gone", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local long = "/" .. ("x"):rep(5000)
    with_folder(function(folder)
      local gone = folder .. "/gone"
      local away = ("%s && rmdir %s"):format(gone, gone)
      for _, path in ipairs { long, "sub:" .. long, "" } do
        assert(lfs.mkdir(gone))
        -- Where the interpreter is a script its shell complains of the folder first.
        assert.matches("ENOENT spawn: exec: program: No such file or directory$",
          run(path .. ":/bin:/usr/bin", "program", away))
      end
    end)
  end)

  it("is the parent's, not that of env", function()
    with_folder(function(folder, write)
      for _, name in ipairs { "program", "program.exe" } do write(name, "#!/bin/sh\n", "755") end
      fails("ENOENT", "exec", "exec: program: No such file or directory", { "program" }, { PATH = folder })
    end)
  end)
end)

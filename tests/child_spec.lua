--- What a child sees of its parent: exactly what it was granted. A probe tells it.
local capability = require "capability"
local support = require "support"
local probes = require "probe_support"
local xpio = require "xpio"

local probe, numbers = probes.probe, probes.numbers

local it = capability.it "probe"

--- Pipes, and what a report calls the ends that are granted of them.
local function make_pipes(count)
  local readers, writers = {}, {}
  for i = 1, count do readers[i], writers[i] = assert(xpio.pipe()) end
  return readers, writers
end

--- What is behind a descriptor of this process.
local function target(object)
  local process <close> = assert(io.popen("readlink /proc/$PPID/fd/" .. object:fileno()))
  return process:read "l"
end

--- The targets of a report's descriptors by their numbers, without 0 to 2.
local function targets(report)
  local found = {}
  for number, descriptor in pairs(report.descriptors) do
    if number > 2 then found[number] = descriptor.target end
  end
  return found
end

--- Calls `f` with every permutation of an array.
local function permutations(array, f, first)
  first = first or 1
  if first == #array then return f(array) end
  for i = first, #array do
    array[first], array[i] = array[i], array[first]
    permutations(array, f, first + 1)
    array[first], array[i] = array[i], array[first]
  end
end

describe("the descriptors of a child", function()
  it("are /dev/null for 0 to 2 if nothing is named", function()
    local report = probe()
    assert.equal("0 1 2", numbers(report))
    for number = 0, 2 do
      assert.same({ target = "/dev/null", access = "both", nonblocking = false, closeonexec = false },
        report.descriptors[number])
    end
  end)

  it("are closed where files has false, also 0 to 2", function()
    assert.equal("", numbers(probe(nil, nil, { [0] = false, false, false, [5] = false })))
    assert.equal("0 2", numbers(probe(nil, nil, { [1] = false })))
  end)

  it("are the named ones, at their numbers, and no others", function()
    local reader, writer = xpio.pipe()
    local expected = target(reader)
    local report = probe(nil, nil, { [0] = reader, [7] = writer, [100] = 1 })
    assert.equal("0 1 2 7 100", numbers(report))
    assert.equal(expected, report.descriptors[0].target)
    assert.equal("read", report.descriptors[0].access)
    assert.equal("/dev/null", report.descriptors[1].target)
    assert.equal(expected, report.descriptors[7].target)
    assert.equal("write", report.descriptors[7].access)
  end)

  it("are in blocking mode", function()
    local near <const>, far = xpio.socketpair()
    local reader, writer = xpio.pipe()
    local socket = xpio.socket "TCP"
    local report = probe(nil, nil, { [0] = far, reader, [4] = writer, [5] = socket })
    for _, descriptor in pairs(report.descriptors) do
      assert.is_false(descriptor.nonblocking)
      assert.is_false(descriptor.closeonexec)
    end
    assert.truthy(near:fileno())
  end)

  it("may be Lua's files, whose output is written before and which stay open", function()
    local file <close> = assert(io.tmpfile())
    file:write "before, "
    local process = assert(xpio.spawn({ "sh", "-c", "printf 'the child, '" }, nil, { [1] = file }))
    probes.succeed(process)
    file:write "after"
    file:seek "set"
    assert.equal("before, the child, after", file:read "a")
  end)

  it("may be one file at several numbers", function()
    local reader, writer = xpio.pipe()
    local expected = target(writer)
    local report = probe(nil, nil, { [1] = writer, [2] = writer, [9] = writer })
    assert.equal("0 1 2 9", numbers(report))
    for _, number in ipairs { 1, 2, 9 } do
      assert.equal(expected, report.descriptors[number].target)
    end
    assert.truthy(reader:fileno())
  end)

  it("may be one file at nearly all numbers that there are", function()
    local output = support.lua([[
      local files = {}
      for number = 0, 40 do files[number] = 1 end
      print(require("probe_support").numbers(require("probe_support").probe(nil, nil, files)))
    ]], "ulimit -n 50")
    local expected = {}
    for number = 0, 40 do expected[#expected + 1] = number end
    assert.equal(table.concat(expected, " ") .. "\n", output)
  end)

  it("may be the numbers of this process, which stay open and as they are", function()
    local reader, writer = xpio.pipe()
    local number = writer:fileno()
    local expected = target(writer)
    local report = probe(nil, nil, { [number] = number, [number + 1] = number })
    assert.same({ [number] = expected, [number + 1] = expected }, targets(report))
    assert.equal(number, writer:fileno())
    assert.truthy(support.flags(number) & support.O_CLOEXEC ~= 0)
    assert.truthy(reader:fileno())
  end)

  it("are placed right in every permutation of five", function()
    local readers, writers = make_pipes(5)
    local sources, names = {}, {}
    for i, writer in ipairs(writers) do
      sources[i] = writer:fileno()
      names[sources[i]] = target(writer)
    end
    local places = table.move(sources, 1, #sources, 1, {})
    permutations(sources, function(permutation)
      local files, expected = {}, {}
      for i, place in ipairs(places) do
        files[place], expected[place] = permutation[i], names[permutation[i]]
      end
      assert.same(expected, targets(probe(nil, nil, files)))
    end)
    assert.truthy(readers[1]:fileno())
  end)

  it("are placed right in every way that leads from three numbers to three, and one more", function()
    local readers, writers = make_pipes(4)
    local sources, names = {}, {}
    for i, writer in ipairs(writers) do
      sources[i] = writer:fileno()
      names[sources[i]] = target(writer)
    end
    for choice = 0, 5 ^ 3 - 1 do
      local files, expected, left = {}, {}, choice
      for place = 1, 3 do
        -- The first four are fan-outs, chains and cycles of the sources; 5 is closed.
        local source = sources[left % 5 + 1]
        files[sources[place]], expected[sources[place]] = source or false, names[source]
        left = left // 5
      end
      assert.same(expected, targets(probe(nil, nil, files)))
    end
    assert.truthy(readers[1]:fileno())
  end)

  it("are placed right over the numbers that spawn itself uses", function()
    local reader, writer = xpio.pipe()
    local expected = target(writer)
    local first = writer:fileno() + 1
    -- Among these are /dev/null, both ends of the report's pipe, and what moves aside.
    local files, all = {}, {}
    for number = first, first + 15 do files[number], all[number] = writer:fileno(), expected end
    assert.same(all, targets(probe(nil, nil, files)))
    for number = first, first + 15 do
      assert.same({ [number] = expected }, targets(probe(nil, nil, { [number] = writer:fileno() })))
    end
    assert.truthy(reader:fileno())
  end)

  it("are placed right when those that move aside find only numbers that are wanted, too", function()
    local fillers, readers, writers = make_pipes(20), make_pipes(2)
    local high, higher = writers[1]:fileno(), writers[2]:fileno()
    local name, other = target(writers[1]), target(writers[2])
    local lowest = fillers[1]:fileno()
    for _, filler in ipairs(fillers) do filler:close() end
    local files, expected = { [high] = higher, [higher] = high }, { [high] = other, [higher] = name }
    for number = lowest, high - 1 do
      files[number], expected[number] = high, name
    end
    assert.same(expected, targets(probe(nil, nil, files)))
    assert.truthy(readers[1]:fileno())
  end)

  it("are only those, however many the parent has that are not close-on-exec", function()
    local files <const> = {}
    for i = 1, 1000 do files[i] = io.open "/dev/zero" end
    if #files < 1000 then return pending "the limit of open files is below 1,000" end
    local report = probe(nil, nil, { [1] = 1, [50] = files[500], [2000] = files[1000] })
    for _, file in ipairs(files) do file:close() end
    assert.equal("0 1 2 50 2000", numbers(report))
    assert.same({ [50] = "/dev/zero", [2000] = "/dev/zero" }, targets(report))
  end)

  it("are right when the parent has none of 0 to 2", function()
    local path = support.temporary_path()
    local script = ([[
      local probe = require("probe_support").probe
      local report = probe(nil, nil, { [1] = false })
      local file = io.open(%q, "w")
      for number in pairs(report.descriptors) do file:write(number, " ", report.descriptors[number].target, "\n") end
      file:close()
    ]]):format(path)
    support.lua(script, nil, [[sh -c 'exec "$@" 0<&- 1>&- 2>&-' sh]])
    local lines = {}
    for line in io.lines(path) do lines[#lines + 1] = line end
    os.remove(path)
    table.sort(lines)
    assert.same({ "0 /dev/null", "2 /dev/null" }, lines)
  end)
end)

describe("the signals of a child", function()
  it("have their default actions and are not blocked, whatever the parent does with them", function()
    local output = support.lua([[
      local xpio = require "xpio"
      local report = require("probe_support").probe()
      io.write(#report.ignored, " ", #report.caught, " ", #report.blocked)
    ]], nil, support.command(probes.program, "--disturbed"))
    assert.equal("0 0 0", output)
  end)

  it("have their default actions if the parent ignores or catches them", function()
    local report = probe()
    assert.same({}, report.ignored) -- this process ignores SIGPIPE
    assert.same({}, report.caught)
    assert.same({}, report.blocked)
  end)
end)

describe("the arguments of a child", function()
  it("arrive byte for byte", function()
    local every = {}
    for byte = 1, 255 do every[byte] = string.char(byte) end
    local arguments = { "", table.concat(every), "a b", "$HOME", "", ("x"):rep(100000) }
    local report = probe(arguments)
    assert.same(arguments, table.move(report.arguments, 3, #report.arguments, 1, {}))
  end)

  it("begin with the name, which need not be that of the executable", function()
    local reader, writer = xpio.pipe()
    local script = [[printf '%s, ' "$0" "$@"]]
    assert(xpio.spawn({ "another name", "-c", script }, nil, { [1] = writer }, { exe = "/bin/sh" }))
    writer:close()
    assert.equal("another name, ", support.read_all(reader, 100))
  end)
end)

describe("the environment of a child", function()
  it("is the one given, byte for byte, and nothing else", function()
    local every = {}
    for byte = 1, 255 do every[byte] = string.char(byte) end
    local env = { A = "", B = table.concat(every), ["a name"] = "x=y", [""] = "nameless" }
    local expected = {}
    for name, value in pairs(env) do expected[#expected + 1] = name .. "=" .. value end
    local report = probe(nil, env)
    table.sort(expected)
    table.sort(report.environment)
    assert.same(expected, report.environment)
    assert.same({}, probe(nil, {}).environment)
  end)

  it("is xpio.env if none is given", function()
    if support.under_valgrind then return pending "valgrind takes some variables out" end
    xpio.env.XPIO_TEST = "set here"
    local report = probe()
    xpio.env.XPIO_TEST = nil
    local found = {}
    for _, variable in ipairs(report.environment) do
      local name, value = variable:match "^([^=]*)=(.*)$"
      found[name] = value
    end
    assert.equal("set here", found.XPIO_TEST)
    found.XPIO_TEST = nil
    assert.same(xpio.env, found)
  end)

  it("is the table that xpio.env has become", function()
    local env = xpio.env
    xpio.env = { ONLY = "this" }
    local ok, report = pcall(probe)
    xpio.env = env
    assert.is_true(ok, report)
    assert.same({ "ONLY=this" }, report.environment)
  end)
end)

describe("the attributes of a child", function()
  local function own()
    return probe()
  end

  it("are as before if nothing is said", function()
    local first, second = probe(), probe(nil, nil, nil, {})
    local third = probe(nil, nil, nil, { pgroup = false, session = false, ctty = false })
    for _, name in ipairs { "cwd", "umask", "nice", "uid", "gid", "groups", "limits", "session", "group" } do
      assert.same(first[name], second[name])
      assert.same(first[name], third[name])
    end
    assert.not_equal(first.pid, first.session)
    assert.not_equal(first.pid, first.group)
    assert.is_true(first.umask >= 0)
  end)

  it("cwd: where it starts; a relative exe with a slash is found from there", function()
    assert.equal("/", probe(nil, nil, nil, { cwd = "/" }).cwd)
    local folder, name = support.arguments(probes.program)[1]:match "^(.*)/([^/]*)$"
    assert.equal(folder, probe(nil, nil, nil, { cwd = folder, exe = "./" .. name }).cwd)
  end)

  it("umask", function()
    assert.equal(27, probe(nil, nil, nil, { umask = 27 }).umask)
    assert.equal(0, probe(nil, nil, nil, { umask = 0 }).umask)
  end)

  it("nice: an increment", function()
    local nice = own().nice
    assert.equal(math.min(nice + 3, 19), probe(nil, nil, nil, { nice = 3 }).nice)
    assert.equal(19, probe(nil, nil, nil, { nice = math.maxinteger }).nice)
    if not support.is_root() then return end
    io.open "/no/such/file" -- leaves an error behind: -1 below is none
    assert.equal(-1, probe(nil, nil, nil, { nice = -1 - nice }).nice)
    assert.equal(-20, probe(nil, nil, nil, { nice = math.mininteger }).nice)
  end)

  it("limits: soft and hard ones", function()
    if support.under_valgrind then return pending "valgrind has limits of its own" end
    local report = probe(nil, nil, nil, { limits = { nofile = 77, core = 0, cpu = 1000 } })
    assert.same({ 77, 77 }, report.limits.nofile)
    assert.same({ 0, 0 }, report.limits.core)
    assert.same({ 1000, 1000 }, report.limits.cpu)
    assert.same(own().limits.fsize, report.limits.fsize)
  end)

  it("limits: unlimited, where that is allowed", function()
    if own().limits.fsize[2] ~= -1 then return pending "files are limited here" end
    assert.same({ -1, -1 }, probe(nil, nil, nil, { limits = { fsize = "unlimited" } }).limits.fsize)
  end)

  it("pgroup: a group of its own, or another's", function()
    local leader <close> = assert(xpio.spawn({ "sleep", "100" }, nil, nil, { pgroup = true }))
    local report, process = probe(nil, nil, nil, { pgroup = true })
    assert.equal(process:pid(), report.pid)
    assert.equal(report.pid, report.group)
    assert.equal(own().session, report.session)
    assert.equal(leader:pid(), probe(nil, nil, nil, { pgroup = leader }).group)
    assert.not_equal(leader:pid(), probe(nil, nil, nil, { pgroup = false }).group)
    leader:kill()
  end)

  it("session: a session of its own, and with it a group", function()
    for _, attrs in ipairs { { session = true }, { session = true, pgroup = true } } do
      local report = probe(nil, nil, nil, attrs)
      assert.equal(report.pid, report.session)
      assert.equal(report.pid, report.group)
      assert.is_false(report.controlled)
    end
  end)

  it("ctty: a controlling terminal, and with it a session", function()
    local master, slave = xpio.openpty()
    local report = probe(nil, nil, { [0] = slave }, { ctty = slave })
    assert.is_true(report.controlled)
    assert.equal(report.pid, report.session)
    assert.equal(report.pid, report.foreground)
    assert.equal("0 1 2", numbers(report)) -- the terminal is not granted by that
    assert.matches("^/dev/pts/", report.descriptors[0].target)
    assert.truthy(master:fileno())
  end)

  it("ctty: any descriptor of the parent, which stays open", function()
    local master, slave = xpio.openpty()
    assert.is_true(probe(nil, nil, nil, { ctty = slave:fileno() }).controlled)
    assert.is_true(probe(nil, nil, nil, { ctty = slave }).controlled)
    assert.truthy(slave:fileno())
    assert.truthy(master:fileno())
  end)

  it("uid, gid, groups: who it is", function()
    if own().uid[2] ~= 0 then return pending "only root may become others" end
    local report = probe({}, nil, { [1] = 1 }, { groups = { 5, 6 } })
    assert.same({ 5, 6 }, report.groups)
    assert.same({ 0, 0, 0 }, report.uid)
    assert.same({}, probe(nil, nil, nil, { groups = {} }).groups)
    assert.same({ 7, 7, 7 }, probe(nil, nil, nil, { gid = 7 }).gid)
    -- Another user cannot write the file that the probe's report goes to: a shell tells.
    local reader, writer = xpio.pipe()
    local attrs = { uid = 1234, gid = 99, groups = { 8 } }
    local process = assert(xpio.spawn({ "sh", "-c", "id -u; id -g; id -G; grep ^Uid /proc/self/status" },
      nil, { [1] = writer }, attrs))
    assert.equal("1234\n99\n99 8\nUid:\t1234\t1234\t1234\t1234\n", support.read_all(reader, 1000))
    probes.succeed(process)
  end)
end)

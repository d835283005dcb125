--- process:kill: signals to a process, and to its group.
local support = require "support"
local capability = require "capability"
local xpio = require "xpio"

local child, sleeper = support.child, support.sleeper

local function shell(script, files, attrs)
  return assert(xpio.spawn({ "sh", "-c", script }, nil, files, attrs))
end

describe("process:kill", function()
  it("sends KILL if no signal is named", function()
    local process = sleeper()
    assert.is_true(process:kill())
    assert.same({ "signal", 9 }, { process:wait() })
  end)

  it("takes names with SIG, and numbers; 0 only asks", function()
    local process = sleeper()
    assert.is_true(process:kill(0))
    if capability.signals then assert.is_true(process:kill "SIGCONT") end
    assert.is_true(process:kill "SIGTERM")
    assert.same({ "signal", 15 }, { process:wait() })
    process = sleeper()
    assert.is_true(process:kill(15))
    assert.same({ "signal", 15 }, { process:wait() })
  end)

  it("reports ESRCH for a process that has ended, waited for or not", function()
    local process, writer = sleeper()
    writer:close()
    process:wait()
    assert.same({ nil, "No such process", "ESRCH" }, { process:kill() })
    assert.same({ nil, "No such process", "ESRCH" }, { process:kill(0) })
    local reader
    reader, writer = xpio.pipe()
    process = child("os.exit(0)", { [1] = writer })
    assert.is_nil(reader:read(1)) -- its end, or nearly
    local code
    repeat code = select(3, process:kill(0)) until code
    assert.equal("ESRCH", code)
    assert.same({ "exit", 0 }, { process:try_wait() })
  end)

  it("raises an argument error for what is no signal", function()
    local process = sleeper()
    assert.error_matches(function() process:kill "NONE" end, "#1.*there is no signal named 'NONE'")
    assert.error_matches(function() process:kill "TERM\0" end, "there is no signal named")
    assert.error_matches(function() process:kill(-1) end, "not the number of a signal")
    assert.error_matches(function() process:kill(1 << 40) end, "not the number of a signal")
    assert.error_matches(function() process:kill(1.5) end, "no integer representation")
    assert.error_matches(function() process:kill({}) end, "string expected")
    assert.error_matches(function() process:kill("TERM", "all") end, "#2.*invalid option 'all'")
    assert.same({ nil, "Invalid argument", "EINVAL" }, { process:kill(12345) })
    process:kill()
  end)

  it("ends a whole group", function()
    if not capability.process_groups then return pending(capability.reason "process_groups") end
    local reader, writer = xpio.pipe()
    local leader = shell("sleep 100 & sleep 100 & echo; wait", { [1] = writer }, { pgroup = true })
    reader:read(1)
    assert.is_true(leader:kill("TERM", "group"))
    assert.same({ "signal", 15 }, { leader:wait() })
    assert.is_nil(reader:read(1)) -- nobody is left who has the pipe
  end)

  it("ends a group whose leader has ended, and which others can join until then", function()
    if not capability.process_groups then return pending(capability.reason "process_groups") end
    local reader, writer = xpio.pipe()
    local leader = shell("sleep 100 & echo", { [1] = writer }, { session = true })
    assert.equal("\n", reader:read(1))
    assert.same({ "exit", 0 }, { leader:wait() })
    assert.is_true(leader:kill("TERM", "group"))
    assert.is_nil(reader:read(1))
    leader = shell("exec >/dev/null; sleep 100 &", nil, { pgroup = true })
    assert.same({ "exit", 0 }, { leader:wait() })
    local follower = sleeper { pgroup = leader }
    assert.is_true(leader:kill("TERM", "group"))
    assert.same({ "signal", 15 }, { follower:wait() })
  end)

  it("finds no group any more once the object is closed", function()
    if not capability.process_groups then return pending(capability.reason "process_groups") end
    local reader, writer = xpio.pipe()
    local leader = shell("sleep 100 & echo", { [1] = writer }, { pgroup = true })
    assert.equal("\n", reader:read(1))
    leader:wait()
    leader:kill("KILL", "group")
    do local _ <close> = leader end
    assert.same({ nil, "No such process", "ESRCH" }, { leader:kill("KILL", "group") })
    assert.is_nil(io.open(("/proc/%d/status"):format(leader:pid()))) -- nor is a zombie left
  end)

  it("reports ESRCH for the group of a process that leads none", function()
    if not capability.process_groups then return pending(capability.reason "process_groups") end
    local process = sleeper()
    assert.same({ nil, "No such process", "ESRCH" }, { process:kill("TERM", "group") })
    assert.same({ nil, "retry" }, { process:try_wait() })
    process:kill()
  end)
end)

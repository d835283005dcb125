--- What is said where a system does not have what is asked for.
local capability = require "capability"
local support = require "support"
local xpio = require "xpio"

local present = "this system has it"

--- The result of a call that cannot be had.
local function unsupported(what)
  return { nil, what .. ": not supported on this platform", "ENOTSUP" }
end

describe("xpio.spawn", function()
  local leader, writer

  for name, value in pairs { pgroup = true, umask = 0, nice = 1, limits = { cpu = 10 }, uid = 0, gid = 0, groups = {},
    ctty = 0 } do
    it(("with attrs.%s does it, or says that it cannot"):format(name), function()
      if capability.process_groups then return pending(present) end
      local expected = unsupported("spawn: " .. name)
      expected[4] = name
      assert.same(expected, { xpio.spawn({ "true" }, nil, nil, { [name] = value }) })
    end)
  end

  it("joins no group where there are none", function()
    if capability.process_groups then return pending(present) end
    leader, writer = support.sleeper()
    assert.equal("ENOTSUP", select(3, xpio.spawn({ "true" }, nil, nil, { pgroup = leader })))
    writer:close()
  end)

  it("says that a file is no program", function()
    if capability.shell then return pending(present) end
    local path = support.temporary_path() .. "exe"
    local file <close> = assert(io.open(path, "wb"))
    file:write "\1\2\3"
    file:close()
    finally(function() os.remove(path) end)
    local message = ("spawn: exec: %s: Exec format error"):format(path)
    assert.same({ nil, message, "ENOEXEC", "exec" }, { xpio.spawn { path } })
  end)
end)

describe("process:kill", function()
  it("sends what there is, and says so of the rest", function()
    if capability.signals then return pending(present) end
    local process, writer = support.sleeper()
    for _, signal in ipairs { "HUP", "USR1", "STOP", "SIGCONT", 10, 64 } do
      assert.same(unsupported "kill: this signal", { process:kill(signal) })
    end
    assert.same(unsupported "kill: a process group", { process:kill("TERM", "group") })
    assert.same({ nil, "retry" }, { process:try_wait() })
    writer:close()
    assert.same({ "exit", 0 }, { process:wait() })
  end)
end)

describe("process:wait", function()
  it("returns all the bits of an exit status", function()
    if capability.shell then return pending(present) end
    assert.same({ "exit", 3221225477 }, { support.child("os.exit(-1073741819)"):wait() })
  end)
end)

describe("xpio.openpty", function()
  it("opens one, or says that it cannot", function()
    if capability.pseudoterminals then return pending(present) end
    assert.same(unsupported "openpty", { xpio.openpty() })
  end)
end)

describe("xpio.sigpipe", function()
  it("is false, and stays so, where there is no such signal", function()
    if capability.pipe_signal then return pending(present) end
    assert.is_false(xpio.sigpipe(true))
    assert.is_false(xpio.sigpipe())
  end)
end)

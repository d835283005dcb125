--- xpio.spawn: the arguments that it refuses.
local capability = require "capability"
local xpio = require "xpio"

--- An argument error of spawn with these arguments.
local function refused(...)
  local ok, message = pcall(xpio.spawn, ...)
  assert(not ok, "not refused")
  return message
end

describe("xpio.spawn refuses", function()
  it("args that are no array of strings, and names the place", function()
    assert.matches("table expected", refused())
    assert.matches("table expected, got string", refused "true")
    assert.matches("args: empty; args%[1%] is the program", refused {})
    -- How long an array with a hole is, differs between versions of Lua.
    assert.matches("args%[[23]%]: ", refused { "true", nil, "x" })
    assert.matches("args%[[12]%]: ", refused { nil, "x" })
    assert.matches("args%[5%]: after a hole", refused { "true", [5] = "x" })
    assert.matches("args%[0%]: after a hole, or not of an array", refused { [0] = "x", "true" })
    assert.matches("args%[1.5%]: ", refused { "true", [1.5] = "x" })
    assert.matches("args%[2%]: string expected, got number", refused { "true", 1 })
    assert.matches("args%[2%]: string expected, got table", refused { "true", {} })
    assert.matches("args%[2%]: a zero byte cannot be passed", refused { "true", "a\0b" })
  end)

  it("env that is no table of strings, and names the variable", function()
    assert.matches("#2.*table expected, got string", refused({ "true" }, "A=b"))
    assert.matches("#2.*env: name: string expected, got number", refused({ "true" }, { "A=b" }))
    assert.matches("#2.*env: name 'A=B': '=' cannot be part", refused({ "true" }, { ["A=B"] = "c" }))
    assert.matches("#2.*env: name: a zero byte", refused({ "true" }, { ["A\0"] = "c" }))
    assert.matches("#2.*env.A: a zero byte", refused({ "true" }, { A = "b\0" }))
    assert.matches("#2.*env.A: string expected, got number", refused({ "true" }, { A = 1 }))
    assert.matches("#2.*env.A: string expected, got boolean", refused({ "true" }, { A = true }))
  end)

  it("files that are no table of descriptors, and names the key", function()
    assert.matches("#3.*table expected, got number", refused({ "true" }, nil, 1))
    assert.matches("files%[x%]: the key is not a descriptor number", refused({ "true" }, nil, { x = 1 }))
    assert.matches("files%[%-1%]: the key", refused({ "true" }, nil, { [-1] = 1 }))
    assert.matches("files%[1.5%]: the key", refused({ "true" }, nil, { [1.5] = 1 }))
    assert.matches("files%[4294967296%]: the key", refused({ "true" }, nil, { [1 << 32] = 1 }))
    assert.matches("files%[1%]: xpio object, .* or false expected, got string", refused({ "true" }, nil, { "x" }))
    assert.matches("files%[1%]: .* or false expected, got boolean", refused({ "true" }, nil, { true }))
    assert.matches("files%[1%]: .* or false expected, got number", refused({ "true" }, nil, { 1.5 }))
    assert.matches("files%[1%]: .* expected, got xpio.tqueue", refused({ "true" }, nil, { xpio.tqueue() }))
  end)

  local wrong = {
    { "there is no such attribute", "umsk", 0 },
    { "string expected, got number", "exe", 1 },
    { "a zero byte cannot be passed", "exe", "a\0b" },
    { "string expected, got boolean", "cwd", true },
    { "boolean or process object expected, got number", "pgroup", 1 },
    { "boolean or process object expected, got xpio.tqueue", "pgroup", xpio.tqueue() },
    { "boolean expected, got number", "session", 1 },
    { "xpio object, descriptor number or file handle expected, got boolean", "ctty", true },
    { "integer expected, got string", "umask", "022" },
    { "512 is not between 0 and 511", "umask", 512 },
    { "integer expected, got number", "umask", 1.5 },
    { "integer expected, got string", "nice", "1" },
    { "%-1 is not between 0 and 4294967294", "uid", -1 },
    { "4294967295 is not between 0 and 4294967294", "gid", 0xffffffff },
    { "table expected, got number", "groups", 1 },
    { "table expected, got number", "limits", 1 },
  }
  for _, case in ipairs(wrong) do
    local message, field, value = table.unpack(case)
    it(("attrs.%s of the %s %q"):format(field, type(value), tostring(value)), function()
      assert.matches("#4.*attrs." .. field .. ": " .. message, refused({ "true" }, nil, nil, { [field] = value }))
    end)
  end

  it("attributes of attributes, and names them", function()
    local function attrs(value) return refused({ "true" }, nil, nil, value) end
    assert.matches("#4.*table expected, got string", refused({ "true" }, nil, nil, "x"))
    assert.matches("attrs: name: string expected, got number", attrs { "x" })
    assert.matches("attrs.groups%[2%]: integer expected, got string", attrs { groups = { 1, "2" } })
    assert.matches("attrs.groups%[1%]: %-1 is not between", attrs { groups = { -1 } })
    assert.matches("attrs.groups: not an array", attrs { groups = { [2] = 7 } })
    assert.matches("attrs.groups: not an array", attrs { groups = { gid = 7 } })
    assert.matches("attrs.limits.nofiles: no such limit", attrs { limits = { nofiles = 1 } })
    assert.matches("attrs.limits: name: string expected, got number", attrs { limits = { 1 } })
    assert.matches('attrs.limits.cpu: integer or "unlimited" expected, got string',
      attrs { limits = { cpu = "1" } })
    assert.matches('attrs.limits.cpu: integer or "unlimited" expected, got boolean', attrs { limits = { cpu = true } })
    assert.matches("attrs.limits.cpu: integer expected, got number", attrs { limits = { cpu = 1.5 } })
    assert.matches("attrs.limits.cpu: %-1 is not between 0", attrs { limits = { cpu = -1 } })
  end)

  it("a session of its own in the group of another", function()
    if not capability.process_groups then return pending(capability.reason "process_groups") end
    local leader <close> = assert(xpio.spawn({ "sleep", "100" }, nil, nil, { pgroup = true }))
    local master, slave = xpio.openpty()
    assert.matches("attrs.pgroup: a new session", refused({ "true" }, nil, nil, { pgroup = leader, session = true }))
    assert.matches("attrs.pgroup: a new session", refused({ "true" }, nil, nil, { pgroup = leader, ctty = slave }))
    leader:kill()
    assert.truthy(master:fileno())
  end)

  it("a default environment that is none", function()
    local env = xpio.env
    xpio.env = nil
    local message = refused { "true" }
    xpio.env = env
    assert.matches("xpio.env: table expected, got nil", message)
  end)

  it("without having closed anything", function()
    local reader, writer = xpio.pipe()
    refused({ "true" }, nil, { [1] = writer, [2] = "x" })
    refused({ "true" }, nil, { [1] = writer }, { unknown = 1 })
    assert.truthy(writer:fileno())
    assert.truthy(reader:fileno())
  end)
end)

-- xpio.spawn with tables that are not what they seem.
local capability = require "capability"
local xpio = require "xpio"
local support = require "support"

local function raise() error("raised by a metamethod", 0) end

--- A table with these contents and a metatable that raises errors, yields or lies.
local function strange(contents, metamethod)
  local metatable = {}
  for _, name in ipairs { "index", "newindex", "len", "pairs", "tostring", "call", "eq", "lt" } do
    metatable["__" .. name] = metamethod or raise
  end
  return setmetatable(contents, metatable)
end

local function lie() return 1 << 40 end

local function exit_status(process, ...)
  assert(process, ...)
  local how, status = process:wait()
  assert.equal("exit", how)
  return status
end

local expected_place = "bad argument #%d to 'spawn' %%("

--- The message of the argument error that spawn raises.
local function refused(place, ...)
  local ok, message = pcall(xpio.spawn, ...)
  assert.is_false(ok)
  assert.matches(expected_place:format(place):gsub("to 'spawn'", "to '.-'"), message)
  return message
end

describe("a metatable of a table that spawn takes", function()
  for name, metamethod in pairs { ["raises errors"] = raise, ["yields"] = coroutine.yield, ["lies"] = lie } do
    it("does not count, be it one that " .. name, function()
      local reader, writer = assert(xpio.pipe())
      local co = coroutine.create(function()
        return xpio.spawn(strange({ "true" }, metamethod), strange({ A = "b" }, metamethod),
          strange({ [1] = writer }, metamethod), strange({ session = true, exe = "true" }, metamethod))
      end)
      local ok, process, message = coroutine.resume(co)
      assert.is_true(ok)
      assert.equal("dead", coroutine.status(co))
      assert.equal(0, exit_status(process, message))
      assert.is_nil(reader:read(1))
    end)
  end

  it("does not count in what is in the table either", function()
    local _, message, code, step = xpio.spawn({ "true" }, nil, nil, { limits = strange { nofile = 1 << 62 } })
    assert.is_true(message == nil or code == "EPERM" or code == "EINVAL" or code == "ENOTSUP", message)
    assert.is_true(message == nil or step == "setrlimit" or step == "limits")
    assert.matches("attrs", refused(4, { "true" }, nil, nil, { groups = strange { "x" } }))
    assert.matches("args%[1%]: string expected, got table", refused(1, { strange {} }))
    assert.matches("env.A: string expected, got table", refused(2, { "true" }, { A = strange {} }))
  end)

  it("gives the name of a type, whatever it is", function()
    for _, name in ipairs { "%s%n", ("x"):rep(100000), "\0" } do
      local value = setmetatable({}, { __name = name })
      refused(1, { value })
      refused(2, { "true" }, { A = value })
      refused(3, { "true" }, nil, { [0] = value })
      refused(4, { "true" }, nil, nil, { umask = value })
    end
    refused(1, { setmetatable({}, { __name = {} }) })
  end)
end)

describe("keys that spawn cannot use", function()
  local keys = { 0.5, -1, 1 << 40, math.mininteger, math.huge, "x", "1", true, {}, print, io.stdout, xpio.waiting,
    xpio.tqueue(), coroutine.create(print), setmetatable({}, { __tostring = raise }) }

  it("are an error in files", function()
    for _, key in ipairs(keys) do
      local ok, message = pcall(xpio.spawn, { "true" }, nil, { [key] = 0 })
      assert.is_false(ok)
      assert.is_true(message == "raised by a metamethod" or message:find "not a descriptor number" ~= nil, message)
    end
  end)

  it("are an error in attrs and in limits", function()
    for _, key in ipairs(keys) do
      refused(4, { "true" }, nil, nil, { [key] = 0 })
      refused(4, { "true" }, nil, nil, { limits = { [key] = 0 } })
      refused(4, { "true" }, nil, nil, { groups = { [key] = 0 } })
    end
  end)

  it("are an error in env but for strings, and in args if they are numbers", function()
    for _, key in ipairs(keys) do
      if type(key) ~= "string" then refused(2, { "true" }, { [key] = "x" }) end
      if type(key) == "number" then refused(1, { "true", [key] = "x" }) end
    end
  end)

  it("are looked at to the end, and not beyond", function()
    local large = {}
    for i = 1, 20000 do large[i] = 0 end
    refused(4, { "true" }, nil, nil, { groups = large, ["no such attribute"] = large })
    large[20001] = "x"
    refused(4, { "true" }, nil, nil, { groups = large })
    refused(4, { "true" }, nil, nil, { limits = large })
    refused(1, large)
    refused(2, { "true" }, large)
    for i = 1, 20001 do large[i] = nil end -- still has the room
    assert.equal(0, exit_status(xpio.spawn({ "true" }, large, large)))
  end)
end)

describe("tables that spawn reads are the same one", function()
  it("without confusion", function()
    local same = { "true" }
    refused(2, same, same)
    same = {}
    assert.matches("empty", refused(1, same, same, same, same))
    local attrs = {}
    attrs.limits = attrs
    refused(4, { "true" }, nil, nil, attrs)
    attrs = {}
    attrs.groups = attrs
    refused(4, { "true" }, nil, nil, attrs)
    refused(2, { "true" }, xpio)
    refused(2, { "true" }, _G)
  end)

  it("even where it is xpio.env that is replaced", function()
    local env = xpio.env
    finally(function() xpio.env = env end)
    for _, value in ipairs { 5, "x", print, io.stdout } do
      xpio.env = value
      assert.error_matches(function() xpio.spawn { "true" } end, "xpio%.env: table expected")
    end
    xpio.env = nil
    assert.error_matches(function() xpio.spawn { "true" } end, "xpio%.env: table expected")
    xpio.env = strange({ PATH = env.PATH })
    assert.equal(0, exit_status(xpio.spawn { "true" }))
  end)
end)

describe("finalizers that run while spawn works", function()
  --- Spawns while finalizers change what it was called with; each time it either starts a
  --- child, or says why not.
  local function contest(change)
    local runs, processes = 0, {}
    for round = 1, 40 do
      local reader, writer = assert(xpio.pipe())
      local tables = {
        args = { "true" }, env = { A = "a", B = "b" }, files = { [1] = writer, [2] = writer, [0] = reader },
        attrs = { limits = { core = 0 }, umask = 0 },
      }
      for _ = 1, 30 do
        setmetatable({}, { __gc = function()
          runs = runs + 1
          change(tables, round, reader, writer)
        end })
      end
      local ok, process, message, code = support.collecting(pcall, xpio.spawn, tables.args, tables.env, tables.files,
        tables.attrs)
      if ok and process then processes[#processes + 1] = process end
      assert(ok and (process or type(message) == "string" and type(code) == "string")
        or type(process) == "string")
      reader:close()
      writer:close()
    end
    for _, process in ipairs(processes) do process:wait() end
    assert.is_true(runs > 100)
  end

  it("may close the granted files", function()
    contest(function(_, _, reader, writer)
      reader:close()
      writer:close()
    end)
  end)

  it("may make the tables longer", function()
    contest(function(tables, round)
      for i = 1, round do
        tables.args[#tables.args + 1] = "x"
        tables.env["V" .. i] = ("v"):rep(i * 10)
        tables.files[10 + i] = 0
        tables.attrs.limits.cpu = 1000
      end
    end)
  end)

  it("may empty the tables, or fill them with other things", function()
    contest(function(tables, round)
      for _, t in pairs(tables) do
        for key in pairs(t) do t[key] = round % 2 == 0 and round or nil end
      end
    end)
  end)

  it("may spawn themselves", function()
    local inner = {}
    contest(function(tables)
      if #inner < 50 then inner[#inner + 1] = xpio.spawn(tables.args, tables.env, {}, {}) end
    end)
    for _, process in ipairs(inner) do process:wait() end
  end)
end)

describe("what is closed, or is none", function()
  it("is told, and all else is as before", function()
    local socket, peer = assert(xpio.socketpair())
    local gone = assert(xpio.socketpair())
    getmetatable(gone).__gc(gone)
    local file = assert(io.open(support.null))
    file:close()
    for _, value in ipairs { gone, file, 1 << 20 } do
      local process, message, code, step = xpio.spawn({ "true" }, nil, { [0] = socket, [1] = value, [2] = socket })
      assert.is_nil(process)
      assert.equal("EBADF", code, message)
      assert.equal("descriptor", step)
    end
    for _, value in ipairs { true, "0", {}, print, xpio.tqueue(), xpio.waiting, coroutine.create(print), 0.5 } do
      refused(3, { "true" }, nil, { [0] = socket, [1] = value })
    end
    assert(socket:write "x")
    assert.equal("x", peer:read(1))
  end)

  capability.it "process_groups" ("is told of a group, too", function()
    local process = assert(xpio.spawn({ "true" }, nil, nil, { pgroup = true }))
    process:wait()
    getmetatable(process).__gc(process)
    for _ = 1, 2 do
      local started, _, code, step = xpio.spawn({ "true" }, nil, nil, { pgroup = process })
      assert.is_nil(started)
      assert.same({ "ESRCH", "setpgid" }, { code, step })
      assert.same({ nil, "No such process", "ESRCH" }, { process:kill("KILL", "group") })
    end
  end)
end)

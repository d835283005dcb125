--- What a child gets of its parent where descriptors are handles below; child_spec.lua tells
--- it of the others.
local capability = require "capability"
local support = require "support"
local xpio = require "xpio"

local it = capability.it "handles"
local handles = support.handles

local program = os.getenv "XPIO_REPORT"

--- What a child reports (see report.c) that is spawned with these.
local function report(arguments, env, files, attrs)
  local path = support.temporary_path()
  local process = assert(xpio.spawn({ program, path, table.unpack(arguments or {}) }, env, files, attrs))
  assert.same({ "exit", 0 }, { process:wait() })
  local result = assert(loadfile(path))()
  assert.equal(process:pid(), result.pid)
  os.remove(path)
  return result
end

describe("the descriptors of a child", function()
  it("are NUL for 0 to 2 where nothing is named, or false", function()
    local expected = { [0] = "device", "device", "device" }
    assert.same(expected, report().descriptors)
    assert.same(expected, report(nil, nil, { [0] = false, false, [9] = false }).descriptors)
  end)

  it("are the named ones, at their numbers, and no others", function()
    local reader, writer = xpio.pipe()
    local near <const>, far = xpio.socketpair()
    local file <close> = assert(io.tmpfile())
    local files = { [0] = reader, [7] = writer, [100] = file, [254] = far }
    assert.same({ [0] = "pipe", "device", "device", [7] = "pipe", [100] = "file", [254] = "pipe" },
      report(nil, nil, files).descriptors)
    assert.truthy(near:fileno())
  end)

  it("are where they belong, whatever else is named", function()
    for _, places in ipairs { { 3, 4, 5 }, { 5, 3, 4 }, { 254, 1, 100 }, { 2, 1, 0 } } do
      local readers, files, arguments = {}, {}, { program, "--number" }
      for i, place in ipairs(places) do
        readers[i], files[place] = assert(xpio.pipe())
        arguments[#arguments + 1] = tostring(place)
      end
      assert.same({ "exit", 0 }, { assert(xpio.spawn(arguments, nil, files)):wait() })
      for i, place in ipairs(places) do
        assert.equal(place .. " ", support.read_all(readers[i], 100))
      end
    end
  end)

  it("may be one object at several numbers, and sockets", function()
    local near, far = xpio.socketpair()
    local arguments = { program, "--number", "1", "9", "200" }
    local process = assert(xpio.spawn(arguments, nil, { far, [9] = far, [200] = far }))
    assert.same({ "exit", 0 }, { process:wait() })
    assert.equal("1 9 200 ", support.read_all(near, 100))
  end)

  it("may be Lua's files, whose output is written before and which stay open", function()
    local file <close> = assert(io.tmpfile())
    file:write "before, "
    assert.same({ "exit", 0 }, { assert(xpio.spawn({ "echo", "the child," }, nil, { file })):wait() })
    file:write "after"
    file:seek "set"
    assert.equal("before, the child,\nafter", file:read "a")
  end)

  it("may be a socket's number", function()
    local near, far = xpio.socketpair()
    local arguments = { program, "--number", "1" }
    assert.same({ "exit", 0 }, { assert(xpio.spawn(arguments, nil, { far:fileno() })):wait() })
    assert.equal("1 ", near:read(100))
    assert.truthy(far:fileno())
  end)
end)

describe("handles that a child was not granted", function()
  it("are not inherited: the end of a pipe comes although the child runs", function()
    local reader, writer = handles.pipe()
    assert.is_true(handles.inherits(writer))
    local object <close> = assert(xpio.fdopen(reader))
    local child <const>, gate = support.sleeper()
    assert.is_true(handles.inherits(writer)) -- by other children of the host
    assert.is_true(handles.close(writer))
    assert.same({ n = 1 }, table.pack(object:read(1)))
    assert.same({ nil, "retry" }, { child:try_wait() })
    gate:close()
    handles.close(reader)
  end)

  it("are not inherited: nobody listens any more although the child runs", function()
    local listener, address = support.listener()
    assert.is_false(handles.inherits(listener:fileno(), true))
    assert.is_true(handles.inherit(listener:fileno(), true))
    local child <const>, gate = support.sleeper()
    listener:close()
    assert.equal("ECONNREFUSED", select(3, xpio.socket "TCP":connect(address)))
    assert.same({ nil, "retry" }, { child:try_wait() })
    gate:close()
  end)

  it("are not inherited: a file can be removed although the child runs", function()
    local path = support.temporary_path()
    local file = assert(io.open(path, "w")) -- which the C runtime makes inheritable
    local child <const>, gate = support.sleeper()
    file:close()
    assert.is_true(os.remove(path))
    assert.same({ nil, "retry" }, { child:try_wait() })
    gate:close()
  end)

  it("are none of xpio's", function()
    local listener, address = support.listener()
    local client = assert(xpio.socket "TCP":connect(address))
    local sockets = { listener, client, assert(listener:accept()), assert(xpio.socket "UDP") }
    sockets[5], sockets[6] = xpio.socketpair()
    sockets[7] = assert(xpio.fdopen(client:fileno()))
    for _, socket in ipairs(sockets) do
      assert.is_false(handles.inherits(socket:fileno(), true), tostring(socket))
    end
    local reader, writer = xpio.pipe()
    local file <close> = assert(io.tmpfile())
    for _, object in ipairs { reader, writer, assert(xpio.fdopen(file)) } do
      assert.is_false(handles.inherits(object:fileno()), tostring(object))
    end
  end)
end)

describe("a program", function()
  it("is found in PATH without its extension, also if its name has a dot", function()
    for _, name in ipairs { "true", "true.exe", "true.5.4", "true.5.4.exe" } do
      assert.same({ "exit", 0 }, { assert(xpio.spawn { name }):wait() })
    end
    assert.equal("ENOENT", select(3, xpio.spawn { "true.5" }))
  end)
end)

describe("the arguments of a child", function()
  it("arrive as they are, by the rules of the C runtime", function()
    local arguments = { "", "a b", 'a "quoted" word', [[back\slash\]], [[a b\]], [[\"]], "%PATH%", "^&|<>", "ä€𝄞",
      ("x"):rep(20000) }
    local got = report(arguments).arguments
    assert.same(arguments, table.move(got, 3, #got, 1, {}))
  end)
end)

describe("the environment of a child", function()
  it("is the one given, and what every program needs there", function()
    local got = {}
    for _, variable in ipairs(report(nil, { A = "", B = "x=y", ["a name"] = "ä€𝄞" }).environment) do
      local name, value = variable:match "^(=?[^=]*)=(.*)"
      got[name] = value
    end
    assert.equal("", got.A)
    assert.equal("x=y", got.B)
    assert.equal("ä€𝄞", got["a name"])
    assert.truthy(got.SYSTEMROOT or got.SystemRoot)
    assert.is_nil(got.XPIO_SOURCE_ROOT)
  end)
end)

describe("the folder of a child", function()
  it("is the one that is named", function()
    local root = os.getenv "XPIO_SOURCE_ROOT"
    local expected = (root .. "/tests"):gsub("/", "\\")
    assert.equal(expected:lower(), report(nil, nil, nil, { cwd = root .. "/tests" }).cwd:lower())
  end)
end)

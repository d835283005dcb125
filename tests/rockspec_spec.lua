--- The rockspecs say again what the build files say.
local capability = require "capability"
local lfs = require "lfs"
local support = require "support"

local root = os.getenv "XPIO_SOURCE_ROOT" or "."

local function load_rockspec(name)
  local rockspec = {}
  assert(loadfile(root .. "/rockspecs/" .. name, "t", rockspec))()
  return rockspec
end

--- The lists of sources in src/meson.build: the portable ones, those of Windows, of Unix.
local function source_lists()
  local lists = {}
  for text in support.read_source "src/meson.build":gmatch "files%((.-)%)" do
    local list = {}
    for name in text:gmatch "'([%w_/]+%.c)'" do list[#list + 1] = "src/" .. name end
    if #list > 1 then lists[#lists + 1] = list end
  end
  return table.unpack(lists)
end

local function together(one, other)
  local all = table.move(other, 1, #other, #one + 1, table.move(one, 1, #one, 1, {}))
  table.sort(all)
  return all
end

local version = support.read_source "meson.build":match "version: '([%d.]+)'"
local current = ("xpio-%s-1.rockspec"):format(version)

describe("the rockspecs", function()
  it("are one of the sources and one of the release", function()
    local names = {}
    for name in lfs.dir(root .. "/rockspecs") do
      if name:match "rockspec$" then names[#names + 1] = name end
    end
    table.sort(names)
    assert.same({ current, "xpio-scm-1.rockspec" }, names)
    assert.equal("scm-1", load_rockspec "xpio-scm-1.rockspec".version)
    assert.equal(version .. "-1", load_rockspec(current).version)
    assert.matches(version, load_rockspec(current).source.url, 1, true)
  end)

  it("differ in nothing else", function()
    local one, other = load_rockspec "xpio-scm-1.rockspec", load_rockspec(current)
    one.version, one.source, other.version, other.source = nil, nil, nil, nil
    assert.same(one, other)
  end)

  it("name the sources that the build names", function()
    local platforms = load_rockspec(current).build.platforms
    local portable, windows, unix = source_lists()
    assert.same(together(portable, unix), platforms.unix.modules.xpio.sources)
    assert.same(together(portable, windows), platforms.mingw32.modules.xpio.sources)
  end)

  it("leave to the sources what the system has, and these find what Meson finds", function()
    for _, platform in pairs(load_rockspec(current).build.platforms) do
      for _, name in ipairs(platform.modules.xpio.defines) do assert.not_matches("XPIO_HAVE", name) end
    end
    local program = os.getenv "XPIO_FEATURES_PROGRAM"
    if not program then return capability.skip "the system interface is not that of Unix" end
    local process <close> = assert(io.popen(support.command(program)))
    local found, expected = {}, {}
    for name in process:lines() do found[#found + 1] = name end
    for name in os.getenv "XPIO_FEATURES":gmatch "XPIO_HAVE_[%w_]+" do expected[#expected + 1] = name end
    table.sort(expected)
    assert.same(expected, found)
  end)

  it("name the parts in Lua", function()
    local modules = load_rockspec(current).build.modules
    for name in lfs.dir(root .. "/src/lua/xpio") do
      local part = name:match "^(.*)%.lua$"
      if part then assert.equal("src/lua/xpio/" .. name, modules["xpio." .. part]) end
    end
  end)
end)

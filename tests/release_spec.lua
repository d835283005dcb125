--- scripts/release notices a version that is another one somewhere.
local capability = require "capability"

local root = os.getenv "XPIO_SOURCE_ROOT" or "."
local needed = "meson.build README.md CHANGELOG.md include rockspecs debian docs types scripts"

--- Runs `scripts/release --check` on a copy of the sources in which a shell command has
--- changed something. Returns what it says, and its status.
local function check(change)
  local command = ([[
    folder=$(mktemp -d) && cd '%s' && cp -r %s "$folder" && cd "$folder" && %s
    scripts/release --check 2>&1
    status=$?
    rm -rf "$folder"
    exit $status]]):format(root, needed, change)
  local process <close> = assert(io.popen(command))
  local output = process:read "a"
  local _, _, status = process:close()
  return output, status
end

describe("scripts/release", function()
  local it = capability.it "shell"

  it("finds the same version everywhere", function()
    local output, status = check "true"
    assert.equal("", output:gsub("^The version is [%d.]+ everywhere%.\n$", ""))
    assert.equal(0, status)
  end)

  local changes = {
    ["include/xpio.h: XPIO_VERSION is 9.9.9"] = [[sed -i 's/VERSION "[0-9.]*"/VERSION "9.9.9"/' include/xpio.h]],
    ["include/xpio.h: XPIO_VERSION_MINOR is 77"] = [[sed -i 's/MINOR [0-9]*$/MINOR 77/' include/xpio.h]],
    ["include/xpio.h: XPIO_VERSION_MAJOR is missing"] = [[sed -i '/define XPIO_VERSION_MAJOR/d' include/xpio.h]],
    [".rockspec: version is 9.9.9%-1"] = [[sed -i 's/^version = .*/version = "9.9.9-1"/' rockspecs/xpio-[0-9]*]],
    [".rockspec is not there"] = "rm rockspecs/xpio-[0-9]*",
    ["debian/changelog: the version is 9.9.9"] = "sed -i 's/(.*)/(9.9.9-1)/' debian/changelog",
    ["docs/reference.md: what _VERSION prints is 9.9.9"] =
      "sed -i 's/--> xpio 0.*/--> xpio 9.9.9/' docs/reference.md",
    ["docs/reference.md: what xpio.version%(%) returns is 9.9.9"] =
      [[sed -i "s/version (\`\"[0-9.]*/version (\`\"9.9.9/" docs/reference.md]],
    ["docs/reference.md: the version in its first line is 9.9"] =
      "sed -i '1,9s/^xpio [0-9.]* for/xpio 9.9 for/' docs/reference.md",
    ["docs/installing.md: the version of xpio is 9.9.9"] =
      "sed -i 's/--> xpio 0.*/--> xpio 9.9.9/' docs/installing.md",
    ["types/xpio.lua: the version of xpio is 9.9.9"] =
      [[sed -i 's/"xpio [0-9.]*"/"xpio 9.9.9"/' types/xpio.lua]],
    [".rockspec: the archive is xpio%-9.9.9.tar.gz"] =
      "sed -i 's/xpio-[0-9.]*tar/xpio-9.9.9.tar/' rockspecs/xpio-[0-9]*",
    ["CHANGELOG.md has no section"] = "sed -i '/^## /d' CHANGELOG.md",
  }
  for message, change in pairs(changes) do
    it("says: " .. message:gsub("%%", ""), function()
      local output, status = check(change)
      assert.matches(message, output)
      assert.equal(1, status)
    end)
  end
end)

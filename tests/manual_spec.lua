local lfs = require "lfs"
local support = require "support"
local capability = require "capability"

local root = os.getenv "XPIO_SOURCE_ROOT" or "."

--- The ```lua blocks of a file: their texts and the lines where they begin.
local function blocks_of(path)
  local blocks, block, number = {}, nil, 0
  for line in io.lines(root .. "/" .. path) do
    number = number + 1
    if block and line:match "^```" then
      blocks[#blocks + 1] = block
      block = nil
    elseif block then
      block.text = block.text .. line .. "\n"
      block.expected = block.expected .. " " .. (line:match "%-%-> (.*)" or "")
    elseif line == "```lua" then
      block = { line = number, text = "", expected = "" }
    end
  end
  return blocks
end

--- A text with a single space for any white space between its words.
local function words_of(text)
  return (text:gsub("%s+", " "):match "^ ?(.-) ?$")
end

-- What programs of the manual need that is not everywhere.
local needs = {
  ["xpio%.openpty"] = "pseudoterminals",
  ["pgroup"] = "process_groups",
  ['"sh"'] = "shell",
  ['"sort"'] = "shell",
  ["yes |"] = "shell",
}

local function missing_for(text)
  for pattern, name in pairs(needs) do
    if text:find(pattern) and not capability[name] then return capability.reason(name) end
  end
end

--- The anchor that a heading gets: lower case, no punctuation, dashes for spaces.
local function anchor_of(heading)
  return (heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-"))
end

local function read(path)
  local file <close> = assert(io.open(root .. "/" .. path))
  return file:read "a"
end

for path, least in pairs { ["README.md"] = 1, ["docs/reference.md"] = 10 } do
  describe(path, function()
    local blocks = blocks_of(path)

    it("has programs", function() assert.is_true(#blocks >= least) end)

    for _, block in ipairs(blocks) do
      it("runs as it stands in line " .. block.line, function()
        local missing = missing_for(block.text)
        if missing then return pending(missing) end
        local output, status = support.lua(block.text)
        assert.equal(0, status, output)
        -- What a program prints stands after -->, unless it differs from run to run.
        if block.expected:find "%S" then
          assert.equal(words_of(block.expected), words_of(output))
        end
      end)
    end

    it("has no link to nowhere", function()
      local text = read(path)
      local anchors = {}
      for heading in text:gmatch "\n#+ ([^\n]*)" do anchors[anchor_of(heading)] = true end
      for target in text:gmatch "%]%(([^)]+)%)" do
        local anchor = target:match "^#(.*)"
        if anchor then
          assert.is_true(anchors[anchor], target)
        elseif not target:match "^https?://" then
          local folder = path:match "^(.*/)" or ""
          assert.is_truthy(lfs.attributes(root .. "/" .. folder .. target:gsub("#.*", "")), target)
        end
      end
    end)
  end)
end

describe("the reference manual", function()
  it("has a heading for every function and method", function()
    local xpio = require "xpio"
    local text = read "docs/reference.md"
    for name, value in pairs(xpio) do
      if type(value) == "function" then
        assert.is_truthy(text:find("\n### `xpio." .. name .. "(", 1, true), name)
      end
    end
    local objects = { socket = xpio.pipe(), tqueue = xpio.tqueue(), process = xpio.spawn { "true" } }
    for kind, object in pairs(objects) do
      for name in pairs(getmetatable(object)) do
        local documented = text:find("`" .. kind .. ":" .. name .. "(", 1, true) or
          text:find("/ `" .. name .. "(", 1, true) or name:match "^__"
        assert.is_truthy(documented, name)
      end
    end
  end)

  it("has the sections that the comments in the source name", function()
    local text = read "docs/reference.md"
    local named = 0
    for name in lfs.dir(root .. "/src") do
      local source = name:match "%.c$" and read("src/" .. name):gsub("\n %* ", " ") or ""
      for section in source:gmatch "Manual: ([%w ]+)%." do
        named = named + 1
        assert.is_truthy(text:find("\n## " .. section .. "\n", 1, true), section)
      end
    end
    assert.is_true(named > 15)
  end)
end)

local lfs = require "lfs"
local support = require "support"
local capability = require "capability"

local root = os.getenv "XPIO_SOURCE_ROOT" or "."

--- The pages of the manual: every file of docs/, and what stands at the top.
local function pages()
  local result = { "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md" }
  for name in lfs.dir(root .. "/docs") do
    if name:match "%.md$" then result[#result + 1] = "docs/" .. name end
  end
  table.sort(result)
  return result
end

--- The fenced blocks of a page, with their languages, texts and the lines where they
--- begin, and the lines outside of them.
local function parse(path)
  local blocks, block, outside, number = {}, nil, {}, 0
  for line in io.lines(root .. "/" .. path) do
    number = number + 1
    if block and line:match "^```%s*$" then
      blocks[#blocks + 1] = block
      block = nil
    elseif block then
      block.text = block.text .. line .. "\n"
    elseif line:match "^```" then
      block = { line = number, language = line:sub(4), text = "" }
    else
      outside[#outside + 1] = { number = number, text = line }
    end
  end
  assert(not block, "a block without an end")
  return blocks, outside
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

local checks = {}

function checks.lua(text)
  local missing = missing_for(text)
  if missing then return capability.skip(missing) end
  local output, status = support.lua(text)
  assert.equal(0, status, output)
  -- What a program prints stands after -->, unless it differs from run to run.
  local expected = {}
  for comment in text:gmatch "%-%-> ([^\n]*)" do expected[#expected + 1] = comment end
  if #expected > 0 then assert.equal(words_of(table.concat(expected, " ")), words_of(output)) end
end

-- Options of Meson itself.
local meson_options = { b_lundef = true, b_sanitize = true, buildtype = true, c_args = true, default_library = true,
  prefix = true, wrap_mode = true }

function checks.sh(text)
  for name in text:gmatch "%f[%w./]scripts/([%w._-]+)" do
    assert.is_truthy(lfs.attributes(root .. "/scripts/" .. name), name)
  end
  local options = support.read_source "meson_options.txt"
  for full_name in text:gmatch "%-D([%w_:]+)=" do
    local name = full_name:gsub("^xpio:", "")
    assert.is_truthy(meson_options[name] or options:find("option('" .. name .. "'", 1, true), name)
  end
  if not capability.shell then return capability.skip(capability.reason "shell") end
  local path = support.temporary_path()
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local process <close> = assert(io.popen("sh -n " .. support.quote(path) .. " 2>&1"))
  local output = process:read "a"
  os.remove(path)
  assert.equal("", output)
end

--- The texts of all files in a folder, if it is there.
local function texts_in(folder)
  local texts = {}
  local function walk(path)
    local mode = lfs.attributes(root .. "/" .. path, "mode")
    if mode == "file" then texts[#texts + 1] = support.read_source(path) end
    if mode ~= "directory" then return end
    for name in lfs.dir(root .. "/" .. path) do
      if name ~= "." and name ~= ".." then walk(path .. "/" .. name) end
    end
  end
  walk(folder)
  return texts
end

--- A text without the indentation that all its lines have.
local function without_indentation(text)
  local least = math.huge
  for spaces in ("\n" .. text):gmatch "\n( *)[^ \n]" do least = math.min(least, #spaces) end
  return (("\n" .. text):gsub("\n" .. (" "):rep(least < math.huge and least or 0), "\n"):sub(2))
end

--- Whether a text stands in another one, line by line, wherever that indents it.
local function stands_in(text, whole)
  local lines = {}
  for line in (whole .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  local _, count = text:gsub("\n", "")
  for first = 1, #lines - count + 1 do
    local part = table.concat(lines, "\n", first, first + count - 1) .. "\n"
    if without_indentation(part) == text then return true end
  end
  return false
end

--- What is compiled stands in a file that is: tests/embed has whole ones.
function checks.c(text)
  text = without_indentation(text)
  for _, whole in ipairs(texts_in "tests/embed") do
    if stands_in(text, whole) then return end
  end
  error("it stands in no file of tests/embed:\n" .. text)
end
checks.meson = checks.c

function checks.mermaid(text)
  local kind = text:match "^%a+"
  assert.is_true(kind == "flowchart" or kind == "sequenceDiagram", kind)
end

-- For people only.
function checks.text() end

--- The anchors of a page's headings on the web site of a repository and on that of the
--- manual: lower case, no punctuation, dashes for spaces, of which the latter makes one.
local function anchors_of(path)
  local there, here = {}, {}
  local _, lines = parse(path)
  for _, line in ipairs(lines) do
    local heading = line.text:match "^#+ (.*)"
    if heading then
      local anchor = heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")
      there[anchor] = true
      here[anchor:gsub("%-+", "-"):match "^%-?(.-)%-?$"] = true
    end
  end
  return there, here
end

for _, page in ipairs(pages()) do
  describe(page, function()
    local blocks, lines = parse(page)

    for _, block in ipairs(blocks) do
      it(("is right in line %d: %s"):format(block.line, block.language), function()
        local check = checks[block.language]
        assert(check, "a block in no known language: '" .. block.language .. "'")
        check(block.text)
      end)
    end

    it("has no block without a language", function()
      local before = { text = "" }
      for _, line in ipairs(lines) do
        local place = line.number .. ": " .. line.text
        local indented = line.text:match "^    " and before.text == "" and before.number == line.number - 1
        assert.is_falsy(indented or line.text:match "^%s+```" or line.text:match "^%s*~~~", place)
        before = line
      end
    end)

    it("has no link to nowhere", function()
      local text = ""
      for _, line in ipairs(lines) do text = text .. line.text .. "\n" end
      for target in text:gmatch "%]%(([^)]+)%)" do
        if not target:match "^https?://" then
          local file, anchor = target:match "^([^#]*)#?(.*)$"
          local path = file == "" and page or (page:match "^(.*/)" or "") .. file
          assert.is_truthy(lfs.attributes(root .. "/" .. path), target)
          if anchor ~= "" then
            local there, here = anchors_of(path)
            assert.is_true(there[anchor] and here[anchor], target)
          end
        end
      end
    end)
  end)
end

describe("the manual", function()
  it("has programs in the pages that one reads first", function()
    for page, least in pairs { ["README.md"] = 3, ["docs/index.md"] = 4, ["docs/reference.md"] = 30 } do
      local _, count = support.read_source(page):gsub("\n```lua\n", "")
      assert.is_true(count >= least, page)
    end
  end)

  it("has all pages in the contents of its site", function()
    local contents = support.read_source "docs/site/mkdocs.yml"
    for _, page in ipairs(pages()) do
      local name = page:match "[^/]+$"
      if name ~= "README.md" then assert.is_truthy(contents:find(": " .. name .. "\n", 1, true), name) end
    end
  end)
end)

describe("the reference manual", function()
  it("has a heading for every function and method", function()
    local xpio = require "xpio"
    local text = support.read_source "docs/reference.md"
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
    local text = support.read_source "docs/reference.md"
    local named = 0
    for name in lfs.dir(root .. "/src") do
      local source = name:match "%.c$" and support.read_source("src/" .. name):gsub("\n %* ", " ") or ""
      for section in source:gmatch "Manual: ([%w ]+)%." do
        named = named + 1
        assert.is_truthy(text:find("\n## " .. section .. "\n", 1, true), section)
      end
    end
    assert.is_true(named > 15)
  end)
end)

local support = require "support"
local xpio = require "xpio"

local text = support.read_source "types/xpio.lua"
local manual = support.read_source "docs/reference.md"

--- The names of a list of parameters: "args [, env]" has two.
local function count_of(parameters)
  local _, count = parameters:gsub("[^,%[%]%s][^,]*", "")
  return count
end

--- What the definitions have, "socket:read" and so on, with the number of parameters.
local function defined()
  local found = {}
  for name, parameters in text:gmatch "\nfunction ([%w_.:]+)(%b()) end\n" do
    assert(not found[name], name)
    found[name] = count_of(parameters:sub(2, -2))
  end
  return found
end

--- What the headings of the manual have: "### `socket:read(size)` / `try_read(size)`".
local function documented()
  local found = {}
  for heading in manual:gmatch "\n### ([^\n]+)" do
    local prefix
    for last_name, parameters in heading:gmatch "`([%w_.:]+)(%b())`" do
      local name = last_name
      prefix = name:match "^%w+[.:]" or prefix
      if prefix and not name:match "^%w+[.:]" then name = prefix .. name end
      found[name] = count_of(parameters:sub(2, -2))
    end
  end
  return found
end

--- What there is: functions of the module and methods of its objects.
local function real()
  local found = {}
  for name, value in pairs(xpio) do
    if type(value) == "function" then found["xpio." .. name] = value end
  end
  local process = assert(xpio.spawn { "true" })
  process:wait()
  for kind, object in pairs { socket = xpio.pipe(), tqueue = xpio.tqueue(), process = process } do
    for name, value in pairs(getmetatable(object)) do
      if not name:match "^__" then found[kind .. ":" .. name] = value end
    end
  end
  return found
end

describe("types/xpio.lua", function()
  it("is a file of definitions", function()
    assert.equal("---@meta xpio", text:match "^[^\n]*")
  end)

  it("is a program of Lua that defines what the module has", function()
    local module = assert(load(text, "=types/xpio.lua", "t", {}))()
    for name, value in pairs(module) do assert.equal(type(xpio[name]), type(value), name) end
    for name, value in pairs(xpio) do
      if type(value) == "function" then
        assert.is_function(module[name], name)
      else
        assert.is_truthy(text:find("\n---@type [^\n]+\nxpio%." .. name .. " = nil\n"), name)
      end
    end
  end)

  it("has every function and method, and no other", function()
    local there = real()
    for name in pairs(there) do assert.is_truthy(defined()[name], name) end
    for name in pairs(defined()) do assert.is_truthy(there[name], name) end
  end)

  it("gives them as many parameters as the manual", function()
    local expected = documented()
    for name, count in pairs(defined()) do assert.equal(expected[name], count, name) end
  end)

  it("describes them, each with a section of the manual and all of its parameters", function()
    for paragraph in (text:gsub("\n\n", "\0") .. "\0"):gmatch "(%Z*)%z" do
      local name, parameters = paragraph:match "\nfunction ([%w_.:]+)(%b()) end$"
      if name then
        local section = paragraph:gsub("\n%-%-%- ", " "):match "^%-%-%- [^\n]* %(([^\n()]*)%)\n"
        assert.is_truthy(section and manual:find("\n## " .. section .. "\n", 1, true), name)
        local _, described = paragraph:gsub("\n%-%-%-@param ", "")
        assert.equal(count_of(parameters:sub(2, -2)), described, name)
      end
    end
  end)

  it("has the fields of spawn's attributes and the codes of the manual", function()
    local rows = manual:match "%*%*attrs%*%*.-\n|%-[^\n]*\n(.-)\n\n"
    for fields in rows:gmatch "\n| (`[^|]*) |" do
      for name in fields:gmatch "`(%w+)`" do
        assert.is_truthy(text:find("---@field " .. name .. "? ", 1, true), name)
      end
    end
    for codes in manual:match("\n### Codes\n(.-)\n### "):gmatch "\n| (`[^|]*) |" do
      for code in codes:gmatch "`(%w+)`" do
        assert.is_truthy(text:find('---| "' .. code .. '" #', 1, true), code)
      end
    end
  end)
end)

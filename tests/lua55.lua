--- Lua 5.5 forbids to assign to the variable of a loop, which releases of Penlight do that
--- were made for older ones. This lets require load such files: with a local variable of
--- the same name in the loop.

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- In the last loop over `name` that begins before the line.
local function shadow(text, number, name)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  local loop = "^%s*for%f[%W].*%f[%w_]" .. name .. "%f[^%w_].*%f[%w]do%s*$"
  while number > 0 and not lines[number]:find(loop) do number = number - 1 end
  if number == 0 then return nil end
  lines[number] = ("%s local %s = %s"):format(lines[number], name, name)
  return table.concat(lines, "\n")
end

local function load_file(path)
  local text = read(path)
  repeat
    local chunk, message = load(text, "@" .. path)
    if chunk then return chunk end
    local number, name = message:match ":(%d+): attempt to assign to const variable '([%w_]+)'"
    text = number and shadow(text, math.tointeger(number), name)
  until not text
end

table.insert(package.searchers, 2, function(name)
  local path = package.searchpath(name, package.path)
  local chunk = path and load_file(path)
  if chunk then return chunk, path end
end)

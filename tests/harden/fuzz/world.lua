-- What there is: the objects that a sequence of calls has made, and what goes on between them.
-- Handles, queues, records of tasks and fibers (coroutines) are tables of the model, which have
-- the object that they stand for, or not any more.
local world = {
  handles = {}, -- sockets, files and processes, also those that are closed
  queues = {},
  records = {}, -- of tasks, also those that the program has let go of
  fibers = {},
  traces = false, -- whether calls are shown
  depth = 0, -- of fibers that resume others
  counts = {},
}

function world.check(is_true, format, ...)
  if not is_true then error("model: " .. format:format(...), 0) end
end

-- Gives a thing its name, which is that of a variable when calls are shown.
function world.name(letter)
  local count = (world.counts[letter] or 0) + 1
  world.counts[letter] = count
  return letter .. count
end

local shown

-- A task by its name, an array by its elements.
local function shown_table(value)
  if value.name then return value.name end
  local elements = {}
  for i, element in ipairs(value) do elements[i] = shown(element) end
  return "{" .. table.concat(elements, ", ") .. "}"
end

function shown(value)
  if type(value) == "string" and #value > 20 then
    return ("<%d bytes>"):format(#value)
  elseif type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) == "table" then
    return shown_table(value)
  elseif type(value) == "userdata" and value ~= world.waiting then
    for _, things in ipairs { world.handles, world.queues } do
      for _, thing in ipairs(things) do
        if thing.object == value then return thing.name end
      end
    end
  end
  return value == world.waiting and "xpio.waiting" or tostring(value)
end

local function list(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = shown(texts[i]) end
  return table.concat(texts, ", ")
end

-- Shows what happens, as a line of Lua. It comes before the call: that may be the last.
function world.say(format, ...)
  if world.traces then world.system.write(("  "):rep(world.depth) .. format:format(...) .. "\n") end
end

-- Calls a function, and shows that.
function world.call(name, f, ...)
  if not world.traces then return f(...) end
  world.say("%s(%s)", name, list(...))
  local results = table.pack(f(...))
  world.say("--> %s", list(table.unpack(results, 1, results.n)))
  return table.unpack(results, 1, results.n)
end

-- Notes what kind of call had what kind of result, and passes that on.
local function note(handle, name, ...)
  local first, second, third = ...
  local outcome = third or second or math.type(first) or type(first)
  if type(outcome) ~= "string" then outcome = type(outcome) end
  if #outcome > 16 then outcome = "string" end
  world.system.note(name .. outcome .. (handle.kind or "queue"))
  return ...
end

-- Calls a method of the handle's object, and shows that.
function world.method(handle, name, ...)
  if not world.traces then return note(handle, name, handle.object[name](handle.object, ...)) end
  world.say("%s:%s(%s)", handle.name, name, list(...))
  local results = table.pack(handle.object[name](handle.object, ...))
  world.say("--> %s", list(table.unpack(results, 1, results.n)))
  return table.unpack(results, 1, results.n)
end

-- The elements of an array that pass.
function world.filter(array, passes)
  local result = {}
  for _, element in ipairs(array) do
    if passes(element) then result[#result + 1] = element end
  end
  return result
end

-- Checks a failure: nil, message, one of these codes.
function world.check_error(codes, first, message, code, extra)
  world.check(first == nil, "an error expected, got %s", tostring(first))
  world.check(type(message) == "string" and type(code) == "string", "not an error: %s, %s",
    tostring(message), tostring(code))
  world.check(codes[code], "unexpected error: %s", code)
  world.check(extra == nil or math.type(extra) == "integer", "a value after the error")
end

-- A set of codes.
function world.codes(...)
  local set = {}
  for _, code in ipairs { ... } do set[code] = true end
  return set
end

return world

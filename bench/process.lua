-- Programs that the benchmark runs, on xpio.
local xpio = require "xpio"

local process = {}

function process.read_all(reader)
  local text = {}
  for piece in function() return reader:read(65536) end do text[#text + 1] = piece end
  reader:close()
  return table.concat(text)
end

--- The command with these arguments behind, on a processor of its own where there is
--- taskset and more than one.
local function pinned(command, arguments, processor)
  local whole = processor and { "taskset", "-c", tostring(processor) } or {}
  for _, list in ipairs { command, arguments } do
    for _, word in ipairs(list) do whole[#whole + 1] = tostring(word) end
  end
  return whole
end
process.pinned = pinned

--- Run a program to its end. Returns what it prints, or nil and why it failed.
function process.output(args, files)
  local reader, writer = assert(xpio.pipe())
  local all = { [1] = writer, [2] = 2 }
  for number, file in pairs(files or {}) do all[number] = file end
  local child, message = xpio.spawn(args, nil, all)
  if not child then
    reader:close()
    return nil, message
  end
  local text = process.read_all(reader)
  local how, status = child:wait()
  if how == "exit" and status == 0 then return text end
  return nil, ("%s: %s %d"):format(args[1], how, status)
end

--- Whether a program runs to its end without an error, silently.
function process.succeeds(args)
  local child = xpio.spawn(args)
  return child ~= nil and select(2, child:wait()) == 0
end

--- Start a server of sockets. Returns its process, its address, and what reads to the end
--- when the server has ended, and whatever traces it.
function process.serve(args)
  local reader, writer = assert(xpio.pipe())
  local child = assert(xpio.spawn(args, nil, { [1] = writer, [2] = 2 }))
  local address = reader:read(100)
  if address then return child, (address:gsub("%s+$", "")), reader end
  child:wait()
  error(table.concat(args, " ") .. ": has not started")
end

--- Start a server between two pipes. Returns its process, and the load generator's ends.
function process.serve_pipes(args)
  local input, to_server = assert(xpio.pipe())
  local from_server, output = assert(xpio.pipe())
  local child = assert(xpio.spawn(args, nil, { [0] = input, [1] = output, [2] = 2 }))
  return child, from_server, to_server
end

return process

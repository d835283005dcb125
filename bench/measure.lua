-- One run of a server under a load, and what it took.
local process = require "process"
local xpio = require "xpio"

local pause = xpio.tqueue()

local measure = {}

--- Where things are; set by run.lua.
measure.places = { lua = "lua5.4", build = "build/bench" }

local function command_of(list)
  local command = {}
  for i, word in ipairs(list) do
    command[i] = word:gsub("^@lua", measure.places.lua):gsub("^@build", measure.places.build)
  end
  return command
end

--- The server and the load get a processor each, where that can be had.
function measure.find_processors()
  if tonumber(process.output { "nproc" } or "1") < 2 then return end
  for _, number in ipairs { "0", "1" } do -- a container may have others
    if not process.succeeds { "taskset", "-c", number, "true" } then return end
  end
  measure.places.server_processor, measure.places.load_processor = 0, 1
end

function measure.is_installed(server)
  return not server.needs or process.succeeds(command_of(server.needs))
end

local function count_connections(row)
  local count = row.idle or 0
  for i, word in ipairs(row.load) do
    if word == "-c" then count = count + row.load[i + 1] end
  end
  return count
end

--- Why this server has no part in this row, or nil.
function measure.obstacle(server, row)
  if not server.ways[row.way] then return "no " .. row.way end
  if server.most and count_connections(row) > server.most then return "too many connections" end
end

-- The load generator visits the server after every hundred idle connections, before them
-- and after.
local function visited(idle)
  return idle + idle // 100 + 2
end

--- Run the server, before its command perhaps another one, under the load. Returns
--- seconds, the server's processor seconds, and its bytes for the idle connections.
function measure.run(server, row, messages, warm_up, before)
  local size, idle = row.size or 4096, row.idle or 0
  local command = command_of(server.command)
  for i, word in ipairs(before or {}) do table.insert(command, i, word) end
  local args = process.pinned(command, { row.way, size, idle > 0 and visited(idle) or nil },
    not before and measure.places.server_processor)
  local load = { "-m", messages, "-w", warm_up, "-i", idle, table.unpack(row.load) }
  local child, address, output, files
  if row.way == "pipe" then
    local from_server, to_server
    child, from_server, to_server = process.serve_pipes(args)
    files = { [3] = from_server, [4] = to_server }
  else
    child, address, output = process.serve(args)
    table.move({ "-a", address }, 1, 2, #load + 1, load)
  end
  table.move({ "-p", child:pid(), row.way }, 1, 3, #load + 1, load)
  local text, problem = process.output(process.pinned({ measure.places.build .. "/load" }, load,
    measure.places.load_processor), files)
  child:kill "TERM"
  child:wait()
  if output then process.read_all(output) end
  if not text then return nil, problem end
  local seconds, processor, memory = text:match "(%S+) (%S+) (%S+)"
  return tonumber(seconds), tonumber(processor), tonumber(memory)
end

-- What a tool counts for one message: the difference between some and three times as many.
local function per_message(server, row, messages, count, names)
  local few = count(server, row, messages, names)
  local many = count(server, row, 3 * messages, names)
  return few and many and (many - few) / (2 * messages)
end

local function content(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

-- The number in a file that a tool writes when its program has ended: strace does it
-- after that, and nothing tells when.
local function with_file(pattern, body)
  local path = os.tmpname()
  local deadline = body(path) and xpio.gettime() + 10 or 0
  local number = tonumber(content(path):match(pattern))
  while not number and xpio.gettime() < deadline do
    pause:wait(0.01)
    number = tonumber(content(path):match(pattern))
  end
  os.remove(path)
  return number
end

-- Of those that are named, or of all.
local function count_calls(server, row, messages, names)
  return with_file("(%d+)%s+%d*%s*total", function(path)
    return measure.run(server, row, messages, 0, { "strace", "-D", "-f", "-qq", "-c",
      "-e", "trace=" .. (names or "all"), "-U", "calls,errors,name", "-o", path })
  end)
end

local function count_instructions(server, row, messages)
  return with_file("totals: (%d+)", function(path)
    return measure.run(server, row, messages, 0, { "valgrind", "-q", "--tool=callgrind",
      "--log-file=/dev/null", "--callgrind-out-file=" .. path })
  end)
end

--- System calls a message: of all names, or of these ("read,write").
function measure.calls(server, row, names)
  return per_message(server, row, row.calls, count_calls, names)
end

function measure.instructions(server, row)
  if server.instructions == false then return nil end
  return per_message(server, row, row.instructions, count_instructions)
end

return measure

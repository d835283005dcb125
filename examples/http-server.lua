--- Serves the files below a folder over HTTP/1.1, to many clients at a time:
---
---     lua http-server.lua ROOT [ADDRESS]
---
--- GET and HEAD, kept-alive and pipelined connections. A folder is answered with
--- its index.html. Names that begin with a dot are not served, which keeps ".."
--- out too. Symbolic links are followed, also to places outside the root. The
--- root should hold ordinary files only: opening a FIFO would block everybody.

local xpio = require "xpio"
local dispatcher = require "xpio.dispatcher"

io.stderr:setvbuf "no" -- Windows would keep it until the end

local CHUNK = 65536 -- bytes of a file that are in memory at a time
local HEAD_LIMIT = 16384 -- bytes of a request's line and headers
local BODY_LIMIT = 65536 -- bytes of a request's body that are skipped, not refused
local PATIENCE = 30 -- seconds that a peer has to send a request or take a chunk
local FAREWELL = 2 -- seconds that it has to end the connection after us

local REASONS = {
  [200] = "OK",
  [301] = "Moved Permanently",
  [400] = "Bad Request",
  [403] = "Forbidden",
  [404] = "Not Found",
  [405] = "Method Not Allowed",
  [411] = "Length Required",
  [413] = "Content Too Large",
  [431] = "Request Header Fields Too Large",
  [503] = "Service Unavailable",
  [505] = "HTTP Version Not Supported",
}

local TYPES = {
  css = "text/css; charset=utf-8",
  gif = "image/gif",
  html = "text/html; charset=utf-8",
  jpg = "image/jpeg",
  js = "text/javascript; charset=utf-8",
  json = "application/json",
  lua = "text/plain; charset=utf-8",
  md = "text/plain; charset=utf-8",
  pdf = "application/pdf",
  png = "image/png",
  svg = "image/svg+xml",
  txt = "text/plain; charset=utf-8",
  wasm = "application/wasm",
}

---@class Connection
---@field socket any
---@field buffer string what was received and not used yet
---@field deadline number when the watchdog closes the socket

---@class Request
---@field method string
---@field target string
---@field minor string of the version, "1" for HTTP/1.1
---@field keep boolean whether the connection goes on after the response
---@field length number of the body

---@type table<Connection, true>
local connections = {}

local function extend_deadline(connection, seconds)
  connection.deadline = xpio.gettime() + seconds
end

--- Close the sockets of peers that are idle or too slow. Their tasks wake up and
--- find it closed.
local function watch_deadlines()
  while true do
    dispatcher.sleep(1)
    local now = xpio.gettime()
    for connection in pairs(connections) do
      if connection.deadline < now then
        connections[connection] = nil
        connection.socket:close()
      end
    end
  end
end

-- Requests --------------------------------------------------------------------

local TOKEN = "([%w!#$%%&'*+.^_`|~-]+)"
local REQUEST_LINE = "^" .. TOKEN .. " ([!-~]+) HTTP/(%d)%.(%d)$"
local FIELD_LINE = "^" .. TOKEN .. ":[ \t]*(.*)$"

--- The header fields by lower-case name, or nil if one is malformed.
local function parse_fields(lines)
  local fields = {}
  for line in lines:gmatch "(.-)\r\n" do
    local name, value = line:match(FIELD_LINE)
    if not name then return nil end
    name = name:lower()
    -- "^(.-)[ \t]*$" would take quadratic time on a line of spaces.
    value = value:match "^.*[^ \t]" or ""
    -- The list that this makes of two hosts or two lengths is refused.
    fields[name] = fields[name] and fields[name] .. ", " .. value or value
  end
  return fields
end

local function has_option(fields, option)
  for item in (fields.connection or ""):lower():gmatch "[^, \t]+" do
    if item == option then return true end
  end
  return false
end

---@param head string the request line and the headers, each with its CR LF
---@return Request? request
---@return integer? status why there is no request
local function parse_head(head)
  -- All that is left of control characters once the lines have ended properly.
  if head:gsub("\r\n", ""):find "[\0-\8\10-\31\127]" then return nil, 400 end
  local line, rest = head:match "^(.-)\r\n(.*)$"
  local method, target, major, minor = line:match(REQUEST_LINE)
  if not method then return nil, 400 end
  if major ~= "1" then return nil, 505 end
  local fields = parse_fields(rest)
  if not fields then return nil, 400 end
  local host = fields.host or minor == "0" and ""
  if not host or host:find "[%s,/?#@\\]" then return nil, 400 end

  local length = fields["content-length"] or "0"
  if not length:find "^%d+$" then return nil, 400 end
  if fields["transfer-encoding"] then
    return nil, fields["content-length"] and 400 or 411
  end
  if tonumber(length) > BODY_LIMIT then return nil, 413 end

  local keep = minor ~= "0" or has_option(fields, "keep-alive")
  -- A client that expects "100 Continue" may send the body or not: only an end
  -- of the connection is clear.
  if has_option(fields, "close") or fields.expect then keep = false end
  return { method = method, target = target, minor = minor, keep = keep, length = tonumber(length) }
end

---@param connection Connection
---@return boolean # whether anything came
local function receive(connection)
  local data = connection.socket:read(HEAD_LIMIT)
  if not data then return false end
  connection.buffer = connection.buffer .. data
  return true
end

--- The next request's line and headers; nil at the end of the connection, or nil
--- and a status.
---@param connection Connection
local function receive_head(connection)
  local seen = 1
  while true do
    -- Empty lines before a request are allowed.
    local buffer = connection.buffer:match "^[\r\n]*(.*)$"
    connection.buffer = buffer
    local last = buffer:find("\r\n\r\n", seen, true)
    if (last or #buffer) > HEAD_LIMIT then return nil, 431 end
    if last then
      connection.buffer = buffer:sub(last + 4)
      return buffer:sub(1, last + 1)
    end
    -- A client that ends its lines otherwise would wait for us for ever.
    if buffer:find("[^\r]\n", seen) then return nil, 400 end
    seen = math.max(1, #buffer - 2)
    if not receive(connection) then return nil, buffer ~= "" and 400 or nil end
  end
end

---@param connection Connection
---@param length number
---@return boolean # whether the whole body came
local function skip_body(connection, length)
  while #connection.buffer < length do
    length = length - #connection.buffer
    connection.buffer = ""
    if not receive(connection) then return false end
  end
  connection.buffer = connection.buffer:sub(length + 1)
  return true
end

---@param connection Connection
---@return Request? request nil at the end of the connection, too
---@return integer? status
local function receive_request(connection)
  extend_deadline(connection, PATIENCE)
  local head, status = receive_head(connection)
  if not head then return nil, status end
  local request
  request, status = parse_head(head)
  if not request then return nil, status end
  if request.keep and not skip_body(connection, request.length) then return nil, 400 end
  return request
end

-- Responses -------------------------------------------------------------------

---@param request Request
---@param status integer
---@param fields string more header lines
---@param kind string
---@param length integer
local function head_of(request, status, fields, kind, length)
  if not request.keep then
    fields = fields .. "Connection: close\r\n"
  elseif request.minor == "0" then
    fields = fields .. "Connection: keep-alive\r\n"
  end
  local date = os.date "!%a, %d %b %Y %H:%M:%S GMT"
  return ("HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"):format(
    status, REASONS[status], date, kind, length, fields)
end

--- Each of these returns true when the response is sent.
local function send_status(connection, request, status, fields)
  local text = ("%d %s\n"):format(status, REASONS[status])
  local head = head_of(request, status, fields or "", "text/plain; charset=utf-8", #text)
  return connection.socket:write { head, request.method == "HEAD" and "" or text }
end

local function send_file(connection, request, path, file, size)
  local kind = TYPES[path:match "%.(%w+)$"] or "application/octet-stream"
  local head = head_of(request, 200, "", kind, size)
  if request.method == "HEAD" or size == 0 then return connection.socket:write(head) end
  local left = size
  while true do
    local data = file:read(math.min(CHUNK, left))
    -- The file has shrunk: an early end of the connection tells the client.
    if not data then return false end
    left = left - #data
    extend_deadline(connection, PATIENCE)
    -- This returns once the peer's window has room for it all. A peer that is
    -- slow to read thereby slows down the reading of the file.
    if not connection.socket:write { head, data } then return false end
    if left == 0 then return true end
    head = ""
    -- The write does not block if the peer is fast: give way to the others.
    dispatcher.sleep(0)
  end
end

--- What the request's target means as a path below the root, or nil and a status.
local function path_of(target)
  local path = target:gsub("^[Hh][Tt][Tt][Pp]://[^/?]*", ""):match "^[^?]*"
  if path == "" and target:sub(1, 1) ~= "?" then path = "/" end
  if path:sub(1, 1) ~= "/" then return nil, 400 end
  if path:gsub("%%%x%x", ""):find "%%" then return nil, 400 end
  path = path:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
  if path:find "\0" then return nil, 400 end
  -- No "..", no hidden files, no empty names, and no "\", which divides names on
  -- some systems. What is left stays below the root.
  if path:find "/[./]" or path:find "\\" then return nil, 404 end
  if path:sub(-1) == "/" then path = path .. "index.html" end
  return path
end

local WINDOWS = package.config:sub(1, 1) == "\\" -- where folders cannot be opened
local ENFILE, EMFILE, EACCES, EISDIR = 23, 24, 13, 21
local STATUS = { [ENFILE] = 503, [EMFILE] = 503, [EACCES] = WINDOWS and 301 or 403 }

--- The open file and its size, or nil and a status: 301 for a folder.
local function open(path)
  local file, _, code = io.open(path, "rb")
  if not file then return nil, STATUS[code] or 404 end
  -- Lua opens a folder too, but cannot read it.
  _, _, code = file:read(0)
  local size = file:seek "end"
  if code or not size then
    file:close()
    return nil, code == EISDIR and 301 or 404
  end
  file:seek "set"
  return file, size
end

local function respond(root, connection, request)
  if request.method ~= "GET" and request.method ~= "HEAD" then
    return send_status(connection, request, 405, "Allow: GET, HEAD\r\n")
  end
  local path, status = path_of(request.target)
  if not path then return send_status(connection, request, status) end
  local file <close>, size = open(root .. path)
  if file then return send_file(connection, request, path, file, size) end
  if size == 301 then
    -- Relative links in its index.html need the slash.
    local location = request.target:gsub("^([^?]*)", "%1/", 1)
    return send_status(connection, request, 301, ("Location: %s\r\n"):format(location))
  end
  return send_status(connection, request, size)
end

-- Connections -----------------------------------------------------------------

--- End the connection politely: closing it while there is something to read would
--- make the peer's system discard the response.
local function part(connection)
  if not connection.socket:shutdown "w" then return end
  extend_deadline(connection, FAREWELL)
  while connection.socket:read(CHUNK) do dispatcher.sleep(0) end
end

local function serve(root, accepted)
  local socket <close> = accepted
  -- A response is written in one piece: nothing is gained by holding it back.
  socket:setsockopt("TCP_NODELAY", true)
  ---@type Connection
  local connection = { socket = socket, buffer = "", deadline = math.huge }
  connections[connection] = true

  local sent, request, status
  repeat
    request, status = receive_request(connection)
    if not request then break end
    sent = respond(root, connection, request)
    -- More requests may be here already: the others come first.
    dispatcher.sleep(0)
  until not sent or not request.keep
  if status then
    send_status(connection, { method = "GET", minor = "1", keep = false }, status)
  end
  part(connection)
  connections[connection] = nil
end

local function accept_all(root, listener)
  while true do
    local socket, message = listener:accept()
    if socket then
      dispatcher.start(serve, root, socket)
      dispatcher.sleep(0)
    else
      -- Most likely there is no descriptor left. The listener stays readable, so
      -- trying again at once would spin until some connection ends.
      io.stderr:write("accept: ", message, "\n")
      dispatcher.sleep(0.2)
    end
  end
end

local root, address = arg[1], arg[2] or "127.0.0.1:0"
if not root or arg[3] then
  io.stderr:write("usage: ", arg[0], " ROOT [ADDRESS]\n")
  os.exit(2)
end
if not WINDOWS then assert(io.open(root .. "/.")):close() end

local listener = assert(xpio.socket "TCP")
assert(listener:setsockopt("SO_REUSEADDR", true))
assert(listener:bind(address))
assert(listener:listen())
print("listening on " .. listener:getsockname())
io.stdout:flush()

dispatcher.start(accept_all, root, listener)
dispatcher.start(watch_deadlines)
-- Ctrl-C raises an error here.
local _, message = pcall(dispatcher.run)
io.stderr:write(tostring(message), "\n")
os.exit(1)

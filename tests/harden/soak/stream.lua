--- Streams of bytes that can be checked: each byte is given by the seed of its stream and its
--- position in it, so that one lost, repeated, changed, or of another stream, is found out.
local stream = {}

-- A prime: what gets lost in transfer comes in powers of two, or is the end. So bytes that
-- are this far apart, the only ones that look the same, do not replace each other unnoticed.
local PERIOD <const> = 65521
local LARGEST <const> = 32768 -- piece that is written or read

local text
do
  local bytes, state = {}, 1
  for i = 1, PERIOD do
    state = state * 6364136223846793005 + 1442695040888963407
    bytes[i] = string.char(state >> 33 & 255)
  end
  text = table.concat(bytes):rep(2)
end

--- How many bytes have been checked in this process.
stream.checked = 0

--- These bytes of a stream. Positions count from 0; at most a period at once.
---@param seed integer
---@param first integer position of the first one
---@param count integer
---@return string
function stream.piece(seed, first, count)
  local start = (seed * 7919 + first) % PERIOD
  return text:sub(start + 1, start + count)
end

--- Raise an error unless this is what the stream has at this position.
function stream.check(seed, first, data)
  stream.checked = stream.checked + #data
  if data == stream.piece(seed, first, #data) then return end
  local i = 1
  while data:byte(i) == stream.piece(seed, first + i - 1, 1):byte() do i = i + 1 end
  error(("stream %d differs at byte %d"):format(seed, first + i - 1), 2)
end

--- A piece of a stream in one string, or now and then in an array of three.
local function some(seed, first, count)
  if count < 3 or math.random(4) > 1 then return stream.piece(seed, first, count) end
  local third = count // 3
  return { stream.piece(seed, first, third), stream.piece(seed, first + third, third),
    stream.piece(seed, first + 2 * third, count - 2 * third) }
end

--- Write the stream from one position up to another, in pieces of various sizes.
---@return integer position that was reached: `last`, unless there was an error
---@return string? message
---@return string? code
function stream.write(socket, seed, first, last)
  while first < last do
    local count = math.min(math.random(LARGEST), last - first)
    local written, message, code, before = socket:write(some(seed, first, count))
    if not written then return first + (before or 0), message, code end
    assert(written == count)
    first = first + count
  end
  return first
end

--- Read and check the stream from one position up to another, in pieces of various sizes.
---@param largest? integer piece
---@return integer position that was reached: `last`, unless the stream ended before
---@return string? message of the error that has ended it
---@return string? code
function stream.read(socket, seed, first, last, largest)
  while first < last do
    local data, message, code = socket:read(math.min(math.random(largest or LARGEST), last - first))
    if not data then return first, message, code end
    stream.check(seed, first, data)
    first = first + #data
  end
  return first
end

--- The peer has nothing more to say, and says so.
function stream.read_end(socket)
  local data, message = socket:read(1)
  if data then error("a byte more than were written", 2) end
  if message then error(message, 2) end
end

return stream

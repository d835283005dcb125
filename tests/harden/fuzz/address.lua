-- A second opinion on addresses: returns "a.b.c.d:port" for what the manual allows, or nil.

-- The number that these digits stand for, if it has no needless zero and is not too large.
local function number(digits, most)
  if not digits:find "^%d+$" or digits:find "^0%d" or #digits > #tostring(most) then return end
  local value = tonumber(digits)
  return value <= most and value or nil
end

local function ip(text)
  if text == "" then return "0.0.0.0" end
  local octets = table.pack(text:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if octets.n == 1 then
    local value = number(text, (1 << 32) - 1)
    return value and table.concat(table.pack(string.pack(">I4", value):byte(1, 4)), ".")
  end
  for i = 1, 4 do
    if not number(octets[i], 255) then return end
  end
  return text
end

return function(text)
  local host, port = text:match "^([^:]*):?([^:]*)$"
  if not host or (port ~= "" and not text:find(":", 1, true)) then return end
  host, port = ip(host), port == "" and 0 or number(port, 65535)
  return host and port and ("%s:%d"):format(host, port)
end

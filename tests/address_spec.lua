local xpio = require "xpio"

local function bound(address)
  local socket <close> = assert(xpio.socket "UDP")
  local ok, message, code = socket:bind(address)
  if not ok then return nil, message, code end
  return socket:getsockname()
end

describe("an address", function()
  it("is four octets and a port", function()
    local socket <close> = assert(xpio.socket "TCP")
    assert(socket:bind "127.0.0.1:0")
    assert(socket:listen())
    local name = socket:getsockname()
    assert.matches("^127%.0%.0%.1:[1-9]%d*$", name)
    local client <close> = assert(xpio.socket "TCP")
    assert.equal(client, client:connect(name))
    assert.equal(name, client:getpeername())
  end)

  it("may be a single number, of 32 bits", function()
    assert.matches("^127%.0%.0%.1:%d+$", bound "2130706433:0")
    assert.matches("^127%.1%.2%.3:%d+$", bound(tostring(0x7f010203)))
    assert.matches("^127%.1%.2%.3:%d+$", bound(0x7f010203))
    assert.matches("^0%.0%.0%.0:%d+$", bound "0")
  end)

  it("of a single number may have a port, too", function()
    local socket <close> = assert(xpio.socket "UDP")
    assert.equal(socket, socket:connect "16909060:5")
    assert.equal("1.2.3.4:5", socket:getpeername())
  end)

  it("may have an empty IP, which is any interface", function()
    assert.matches("^0%.0%.0%.0:%d+$", bound ":0")
    assert.matches("^0%.0%.0%.0:%d+$", bound ":")
    assert.matches("^0%.0%.0%.0:%d+$", bound "")
  end)

  it("may have no port, or an empty one, which is any port", function()
    for _, address in ipairs { "127.0.0.1", "127.0.0.1:", "127.0.0.1:0" } do
      local port = assert(bound(address)):match ":(%d+)$"
      assert.not_equal("0", port)
    end
  end)

  it("takes the port that is given", function()
    local first = assert(bound "127.0.0.1")
    assert.equal(first, bound(first))
  end)

  it("takes the limits of every number", function()
    local socket <close> = assert(xpio.socket "UDP")
    assert.equal(socket, socket:connect "255.255.255.254:65535")
    assert.equal("255.255.255.254:65535", socket:getpeername())
    assert.equal(socket, socket:connect "4294967294:1")
    assert.equal("255.255.255.254:1", socket:getpeername())
  end)

  local malformed = {
    "1.2.3.4.5", "1.2.3", "1.2", "256.0.0.1", "1.2.3.256", "1.2.3.999999999999", "1..2.3",
    ".1.2.3", "1.2.3.", "1.2.3.4:65536", "1.2.3.4:80x", "1.2.3.4:x", ":x", "x", "localhost",
    "localhost:80", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4:1:2", "1.2.3.4:+80", "::", "::1", "[::1]:80",
    "4294967296", "99999999999999999999", "-1", "+1", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4: 80",
    "0x7f.1", "0x7f000001", "1e3", "1.2.3.4\0", "1.2.3.4:80\0", "\0", "1,2,3,4", "١",
  }

  it("that is anything else is EINVAL, and the message says so", function()
    for _, address in ipairs(malformed) do
      assert.same({ nil, "malformed address: " .. address, "EINVAL" }, { bound(address) })
    end
  end)

  -- inet_aton and others take it for octal.
  it("has no leading zeros in its numbers", function()
    for _, address in ipairs { "127.0.0.01", "010.0.0.1", "00", "1.2.3.4:080" } do
      assert.same({ nil, "malformed address: " .. address, "EINVAL" }, { bound(address) })
    end
  end)

  it("of 10 kB is refused with a message of moderate length", function()
    for _, digit in ipairs { "0", "1", "9" } do
      local _, message, code = bound(digit:rep(10000))
      assert.equal("EINVAL", code)
      assert.is_true(#message < 100)
      assert.matches("^malformed address: .*%.%.%.$", message)
    end
    assert.equal("EINVAL", (select(3, bound("1.2.3.4:" .. ("0"):rep(10000)))))
  end)

  it("is refused alike by bind, connect and sendto", function()
    local socket <close> = assert(xpio.socket "UDP")
    local expected = { nil, "malformed address: 1.2.3.4.5", "EINVAL" }
    assert.same(expected, { socket:bind "1.2.3.4.5" })
    assert.same(expected, { socket:connect "1.2.3.4.5" })
    assert.same(expected, { socket:try_connect "1.2.3.4.5" })
    assert.same(expected, { socket:sendto("x", "1.2.3.4.5") })
    assert.same(expected, { socket:try_sendto("x", "1.2.3.4.5") })
  end)

  it("that is no string or number is an argument error", function()
    local socket <close> = assert(xpio.socket "UDP")
    for _, value in ipairs { true, {}, print } do
      assert.error_matches(function() socket:bind(value) end, "bad argument #1 to 'bind'")
      assert.error_matches(function() socket:connect(value) end, "bad argument #1 to 'connect'")
      assert.error_matches(function() socket:sendto("", value) end, "bad argument #2 to 'sendto'")
    end
    assert.error_matches(function() socket:bind() end, "string expected, got no value")
  end)
end)

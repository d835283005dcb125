--- Pseudoterminals: xpio.openpty.
local capability = require "capability"
local support = require "support"
local xpio = require "xpio"

local function open()
  local master, slave = xpio.openpty()
  return assert(master, slave), slave
end

--- Reads until what came contains this text.
local function read_up_to(socket, text)
  local all = ""
  while not all:find(text, 1, true) do all = all .. assert(socket:read(1000)) end
  return all
end

describe("xpio.openpty", function()
  local test = capability.it "pseudoterminals"

  test("returns the two ends of a terminal", function()
    local master, slave = open()
    assert.matches("^terminal %(descriptor %d+%)$", tostring(master))
    assert.matches("^terminal %(descriptor %d+%)$", tostring(slave))
    slave:write "out\n"
    assert.equal("out\r\n", master:read(100))
    master:write "in\n"
    assert.equal("in\n", slave:read(100))
    assert.equal("in\r\n", master:read(100)) -- the echo
  end)

  test("opens both close-on-exec, and non-blocking", function()
    local master, slave = open()
    for _, terminal in ipairs { master, slave } do
      assert.same({ nil, "retry" }, { terminal:try_read(1) })
      assert.is_true(terminal:getsockopt "O_NONBLOCK")
      local flags = support.flags(terminal:fileno())
      if flags then assert.not_equal(0, flags & support.O_CLOEXEC) end
    end
  end)

  test("does not give this process a controlling terminal", function()
    local output = support.lua([[
      local xpio = require "xpio"
      local master, slave = xpio.openpty()
      print(master and io.open "/dev/tty")
    ]], nil, "setsid")
    assert.equal("nil\n", output)
  end)

  test("wakes who waits to read", function()
    local master, slave = open()
    support.run(function()
      assert.equal("typed\n", slave:read(100))
    end, function()
      master:write "typed\n"
    end)
  end)

  test("lets a program believe that it is talked to by a person", function()
    local master, slave = open()
    local files = { [0] = slave, slave, slave }
    local script = "test -t 0 && echo 'a terminal'; read line </dev/tty; echo got $line"
    local shell = assert(xpio.spawn({ "sh", "-c", script }, nil, files, { ctty = slave }))
    read_up_to(master, "a terminal\r\n")
    master:write "an answer\n"
    read_up_to(master, "got an answer\r\n")
    assert.same({ "exit", 0 }, { shell:wait() })
  end)

  test("sends the signals of keys to the processes in it", function()
    local master, slave = open()
    local files = { [0] = slave, slave, slave }
    local process = assert(xpio.spawn({ "sh", "-c", "echo ready; exec cat" }, nil, files, { ctty = slave }))
    read_up_to(master, "ready")
    master:write "\3" -- Ctrl-C
    assert.same({ "signal", 2 }, { process:wait() })
  end)

  test("hangs up on a session when the master is closed", function()
    local master, slave = open()
    local files = { [0] = slave, slave, slave }
    local process = assert(xpio.spawn({ "sh", "-c", "echo ready; exec cat" }, nil, files, { ctty = slave }))
    read_up_to(master, "ready")
    master:close()
    assert.same({ "signal", 1 }, { process:wait() })
  end)

  test("reports that no descriptor is left", function()
    local output = support.lua([[
      local xpio = require "xpio"
      local files = {}
      local function fill()
        local file
        repeat
          file = io.open "/dev/null"
          files[#files + 1] = file
        until not file
      end
      fill()
      print(select(2, xpio.openpty()))
      table.remove(files):close() -- enough for the master
      print(select(2, xpio.openpty()))
      print(io.open "/dev/null" ~= nil) -- which has been closed again
    ]], "ulimit -n 20")
    assert.equal("Too many open files\tEMFILE\nToo many open files\tEMFILE\ntrue\n", output)
  end)
end)

local capability = require "capability"
local support = require "support"

-- Only Windows has consoles of this kind, and only its tests are built with this.
local library = os.getenv "XPIO_CONSOLE"

--- Run a script in an interpreter, with these options, and a console of its own. It gets
--- `xpio`, `console` (see console.c), and `say`, which adds a line to what this returns.
---@return string said
---@return integer status
local function in_console(script, options)
  local source, result = support.temporary_path(), support.temporary_path()
  local file <close> = assert(io.open(source, "w"))
  assert(file:write(([[
    local xpio = require "xpio"
    local console = package.loadlib(%q, "luaopen_console")()
    local function say(...)
      local file <close> = io.open(%q, "a")
      for _, value in ipairs {...} do file:write(tostring(value), " ") end
      file:write "\n"
    end
    local ok, message = pcall(function() %s end)
    if not ok then say(message) end
  ]]):format(library, result, script)))
  file:close()
  local console = package.loadlib(library, "luaopen_console")()
  local command = ('"%s" %s "%s"'):format(support.interpreter, options or "", source)
  local status = console.run(command, support.patience)
  local lines <close> = assert(io.open(result))
  local said = lines:read "a"
  os.remove(source)
  lines:close()
  os.remove(result)
  return said, status
end

local it = capability.it "consoles"

describe("a console", function()
  it("shows what is written to it", function()
    local said, status = in_console [[
      local output = assert(xpio.fdopen(io.open("CONOUT$", "r+")))
      say(output:write "can be seen\r\n")
      say(tostring(output):match "^%a+", (console.shown():gsub("%s*$", "")))
    ]]
    assert.equal("13 \nterminal can be seen \n", said)
    assert.equal(0, status)
  end)

  it("is readable when a line has been typed", function()
    local said = in_console [[
      local input = assert(xpio.fdopen(io.open("CONIN$", "r+")))
      local task = { _queue = xpio.tqueue() }
      say(input:try_read(100))
      assert(input:when_read(task))
      console.type "no line yet"
      say(#task._queue:wait(0.05))
      console.type "\r"
      say(#task._queue:wait())
      say(input:try_read(2))
      say(input:try_read(100))
      say(input:try_read(100))
    ]]
    assert.equal("\n0 \n1 \nno \n line yet\r\n \n\n", said)
  end)

  it("can be read by others when nobody waits for it any more", function()
    local said = in_console [[
      local keyboard = io.open("CONIN$", "r+")
      local input = assert(xpio.fdopen(keyboard))
      local task = { _queue = xpio.tqueue() }
      assert(input:when_read(task))
      input:close()
      say(#task._queue:wait())
      console.type "for another\r"
      say(keyboard:read())
    ]]
    assert.equal("1 \nfor another \n", said)
  end)

  it("is given to a child, which reads it while its parent waits", function()
    local said = in_console [[
      local keyboard = io.open("CONIN$", "r+")
      local input = assert(xpio.fdopen(keyboard))
      local task = { _queue = xpio.tqueue() }
      local reader, writer = assert(xpio.pipe())
      assert(input:when_read(task))
      task:_dequeue()
      local child = assert(xpio.spawn({ arg[-1], "-e", "io.write(io.read())" }, nil,
        { [0] = keyboard, [1] = writer }))
      console.type "for the child\r"
      say(reader:read(100):match "%C+") -- its standard input is a binary file
      say(child:wait())
    ]]
    assert.equal("for the child \nexit 0 \n", said)
  end)
end)

describe("Ctrl-C in a console", function()
  --- Run a script that can call `press`, whereupon Ctrl-C is pressed: soon, or already
  --- before `press` has returned. Both must come to the same.
  local function pressing(script, options)
    local finger = ([[
      io.read()
      package.loadlib(%q, "luaopen_console")().interrupt()
    ]]):format(library)
    return in_console(([[
      local function press()
        local reader, writer = assert(xpio.pipe())
        local pressed = assert(xpio.spawn({ %q, "-e", %q }, nil, { [0] = reader }))
        writer:write "\n"
        return pressed
      end
    ]]):format(support.interpreter, finger) .. script, options)
  end

  local waits = {
    ["a wait without a timeout"] = "task._queue:wait()",
    ["a wait with a timeout"] = "task._queue:wait(60)",
    ["a wait for ever"] = "task._queue:wait(math.huge)",
    ["a blocking call on the main thread"] = "reader:read(1)",
  }
  for name, wait in pairs(waits) do
    it("interrupts " .. name .. " at the first press, and the program can go on", function()
      local said, status = pressing(([[
        local reader, writer = assert(xpio.pipe())
        local task = { _queue = xpio.tqueue() }
        assert(reader:when_read(task))
        local ok, message = pcall(function()
          press()
          %s
        end)
        say(ok, message:match "interrupted!")
        writer:write "alive"
        if task._dequeue then say(#task._queue:wait()) end
        say(reader:read(10))
      ]]):format(wait))
      assert.equal("false interrupted! \n1 \nalive \n", said)
      assert.equal(0, status)
    end)
  end

  it("interrupts also when the module was loaded by -l", function()
    local said = pressing([[
      press()
      xpio.tqueue():wait(60)
    ]], "-l xpio")
    assert.matches("interrupted!", said)
  end)

  it("lets a wait in a coroutine return what it has", function()
    local said = pressing [[
      local waiting = coroutine.wrap(function()
        press()
        say(#xpio.tqueue():wait(60))
        coroutine.yield()
      end)
      waiting()
    ]]
    assert.matches("^0 \n", said)
    assert.matches("interrupted!", said)
  end)

  it("ends the program at the second press", function()
    local said = pressing [[
      say((pcall(function()
        press()
        xpio.tqueue():wait(60)
      end)))
      press():wait()
      xpio.tqueue():wait(60)
      say "not reached"
    ]]
    assert.equal("false \n", said) -- the exit status is 0 in Wine, and 0xc000013a elsewhere
  end)
end)

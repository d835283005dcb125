--- The examples that start other programs, as processes of their own.
local support = require "example_support"
local capability = require "capability"
local common = require "support"
local lfs = require "lfs"
local xpio = require "xpio"

local folder

setup(function() folder = support.make_folder() end)

teardown(support.remove_folder)

--- Start an example. Returns its process, a pipe of what it writes, stderr too, and one
--- that is its input.
local function start(name, ...)
  local output, far_output = assert(xpio.pipe())
  local far_input, input = assert(xpio.pipe())
  local args = common.arguments(common.interpreter, ("%s/%s.lua"):format(support.examples, name), ...)
  local files = { [0] = far_input, far_output, far_output }
  return assert(xpio.spawn(args, nil, files)), output, input
end

--- Run an example on this input to its end. Returns its output and its status.
local function run(text, name, ...)
  local process, output, input = start(name, ...)
  if text ~= "" then assert(input:write(text)) end
  input:close()
  local all = common.read_all(output, 65536)
  local how, status = process:wait()
  assert.equal("exit", how)
  return all, status
end

--- A command that runs this script, which gets what is added to the command.
local function lua(name, script)
  local path = ("%s/%s.lua"):format(folder, name)
  support.write_file(path, script)
  return table.unpack(common.arguments(common.interpreter, path))
end

local function sorted(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  table.sort(lines)
  return table.concat(lines, " ")
end

local function numbers(count)
  local lines = {}
  for i = 1, count do lines[i] = i .. "\n" end
  return table.concat(lines)
end

describe("parallel.lua", function()
  it("has at most 60 lines", function()
    local _, lines = support.read_file(support.examples .. "/parallel.lua"):gsub("\n", "")
    assert.is_true(lines <= 60)
  end)

  it("runs a command for every line, as the last argument and as it is", function()
    local output, status = run("a\nb c\n$d ' \"\n", "parallel", "echo", "line")
    assert.equal([[line $d ' " line a line b c]], sorted(output))
    assert.equal(0, status)
  end)

  it("runs as many at a time as it may", function()
    -- Each ends when three have begun: with fewer at a time none would.
    local output, status = run(numbers(3), "parallel", "-P", "3", lua("begin", ([[
      local folder = %q
      assert(io.open(folder .. "/begun" .. arg[1], "w")):close()
      for i = 1, 3 do
        repeat local file = io.open(folder .. "/begun" .. i) until file
      end
    ]]):format(folder)))
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("never runs more at a time", function()
    assert(lfs.mkdir(folder .. "/running"))
    local output, status = run(numbers(60), "parallel", "-P", "3", lua("count", ([[
      local lfs = require "lfs"
      local running, count = %q, 0
      assert(lfs.mkdir(running .. arg[1]))
      for name in lfs.dir(running) do count = count + (name:find "%%d" and 1 or 0) end
      print(count)
      assert(lfs.rmdir(running .. arg[1]))
    ]]):format(folder .. "/running/")))
    assert.equal(0, status)
    local count = 0
    for number in output:gmatch "%d+" do
      count = count + 1
      assert.is_true(tonumber(number) <= 3)
    end
    assert.equal(60, count)
  end)

  it("says which commands failed, and exits with 123", function()
    local output, status = run(numbers(4), "parallel", lua("fail", "os.exit(arg[1] == '3' and 9 or 0)"))
    assert.equal("parallel: 3: exit 9\n", output)
    assert.equal(123, status)
  end)

  it("says which signal has ended a command", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local output, status = run("KILL\n", "parallel", "sh", "-c", "kill -$1 $$", "sh")
    assert.equal("parallel: KILL: signal 9\n", output)
    assert.equal(123, status)
  end)

  it("stops at a command that cannot be started", function()
    local output, status = run(numbers(4), "parallel", "no-such-command")
    assert.equal("parallel: spawn: exec: no-such-command: No such file or directory\n", output)
    assert.equal(127, status)
    assert.equal(126, (select(2, run("x\n", "parallel", "/"))))
  end)

  it("explains its use", function()
    for _, arguments in ipairs { {}, { "-P" }, { "-P", "x", "true" }, { "-P", "0", "true" }, { "-P", "3" } } do
      local output, status = run("", "parallel", table.unpack(arguments))
      assert.matches("^usage: ", output)
      assert.equal(2, status)
    end
  end)
end)

describe("pipeline.lua", function()
  it("counts words and has another process show them", function()
    local output, status = run("The cat and the dog", "pipeline", "cat")
    assert.equal("1 and 1 cat 1 dog 2 the", (sorted(output):gsub("%s+", " "):match "^ (.*)"))
    assert.equal(0, status)
  end)
end)

describe("shell-pipeline.lua", function()
  it("connects programs and exits with the status of the last", function()
    local arguments = {}
    for i, script in ipairs {
      "for line in io.lines() do io.write(line:upper(), '\\n') end",
      "local n = 0 for line in io.lines() do n = n + 1 io.write(line, '\\n') end io.write(n)",
      "io.write('<', io.read 'a', '>') os.exit(7)",
    } do
      if i > 1 then arguments[#arguments + 1] = "|" end
      for _, word in ipairs(common.arguments(common.interpreter, "-e", script)) do
        arguments[#arguments + 1] = word
      end
    end
    local output, status = run("b\na\nb\n", "shell-pipeline", table.unpack(arguments))
    assert.equal("<B\nA\nB\n3>", output)
    assert.equal(7, status)
  end)

  it("connects the programs of a shell", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local output, status = run("b\na\nb\n", "shell-pipeline", "sort", "|", "uniq", "-c", "|",
      "sh", "-c", "sed 's/^ *//'; exit 7")
    assert.equal("1 a\n2 b\n", output)
    assert.equal(7, status)
  end)

  it("runs one program, too", function()
    local output, status = run("text", "shell-pipeline", "cat")
    assert.equal("text", output)
    assert.equal(0, status)
  end)

  it("ends a program whose reader has had enough", function()
    if not capability.pipe_signal then return pending(capability.reason "pipe_signal") end
    local output, status = run("", "shell-pipeline", "yes", "|", "head", "-n", "2")
    assert.equal("y\ny\n", output)
    assert.equal(0, status)
  end)

  it("tells of those that fail on the way", function()
    local arguments = common.arguments(common.interpreter, "-e", "os.exit(5)")
    local name = arguments[1]
    table.move({ "|", "no-such-program", "|", "cat" }, 1, 4, #arguments + 1, arguments)
    local output, status = run("", "shell-pipeline", table.unpack(arguments))
    for _, line in ipairs { name .. ": status 5\n", "no-such-program: status 127\n",
      "spawn: exec: no-such-program: No such file or directory\n" } do
      local first, last = output:find(line, 1, true)
      assert.truthy(first, line)
      output = output:sub(1, first - 1) .. output:sub(last + 1)
    end
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("has a status for signals", function()
    if not capability.shell then return pending(capability.reason "shell") end
    assert.equal(137, (select(2, run("", "shell-pipeline", "sh", "-c", "kill -9 $$"))))
  end)

  it("has a status for what cannot be run", function()
    assert.equal(127, (select(2, run("", "shell-pipeline", "true", "|", "no-such-program"))))
    assert.equal(126, (select(2, run("", "shell-pipeline", "/"))))
  end)

  it("explains its use", function()
    for _, arguments in ipairs { {}, { "|" }, { "true", "|" }, { "true", "|", "|", "true" } } do
      local output, status = run("", "shell-pipeline", table.unpack(arguments))
      assert.matches("^usage: ", output)
      assert.equal(2, status)
    end
  end)
end)

describe("supervisor.lua", function()
  it("starts a command again that has failed, until its input closes", function()
    local process, output, input = start("supervisor", "false")
    local text = ""
    while not text:find("once more in 0.2 s", 1, true) do text = text .. assert(output:read(1000)) end
    assert.matches("^supervisor: exit 1; once more in 0.1 s\r?\nsupervisor: exit 1; once more in 0.2 s", text)
    input:close()
    common.read_all(output, 1000)
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  --- Reads up to the end of a line that says this.
  local function read_up_to(output, text)
    local all = ""
    while not all:find(text .. "\n", 1, true) do all = all .. assert(output:read(1000)) end
  end

  it("starts a command again that has failed, with growing pauses, until it succeeds", function()
    local process, output <const>, input = start("supervisor", lua("fourth", ([[
      local folder, starts = %q, 1
      while io.open(folder .. "/start" .. starts) do starts = starts + 1 end
      assert(io.open(folder .. "/start" .. starts, "w")):close()
      os.exit(starts == 4 and 0 or 11)
    ]]):format(folder)))
    assert.equal([[
supervisor: exit 11; once more in 0.1 s
supervisor: exit 11; once more in 0.2 s
supervisor: exit 11; once more in 0.4 s
]], common.read_all(output, 1000))
    assert.same({ "exit", 0 }, { process:wait() })
    input:close()
  end)

  it("ends the command when its input closes", function()
    local process, output, input = start("supervisor", "sleep", "1000")
    input:close()
    assert.equal("", common.read_all(output, 1000)) -- nobody has the pipe any more
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("starts a command again that a signal has ended", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local script = ([[echo x >>%s/starts; test $(wc -l <%s/starts) -ge 4 || kill -SEGV $$]])
      :format(folder, folder)
    local process, output <const>, input = start("supervisor", "sh", "-c", script)
    assert.equal([[
supervisor: signal 11; once more in 0.1 s
supervisor: signal 11; once more in 0.2 s
supervisor: signal 11; once more in 0.4 s
]], common.read_all(output, 1000))
    assert.same({ "exit", 0 }, { process:wait() })
    input:close()
  end)

  it("ends the command and all that it has started when its input closes, politely", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local process, output, input = start("supervisor", "sh", "-c",
      "trap 'echo polite; exit' TERM; sleep 1000 & echo ready; wait")
    read_up_to(output, "ready")
    input:close()
    assert.equal("polite\n", common.read_all(output, 1000)) -- and nobody has the pipe any more
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("kills what does not end by itself", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local process, output, input = start("supervisor", "sh", "-c",
      "trap '' TERM; sleep 1000 & echo ready; wait")
    read_up_to(output, "ready")
    input:close()
    assert.equal("supervisor: the command does not end: it is killed\n", common.read_all(output, 1000))
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("leaves nothing behind of a command that has failed", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local script = ([[test -e %s/once && exit; touch %s/once; sleep 1000 & exit 1]]):format(folder, folder)
    local process, output, input = start("supervisor", "sh", "-c", script)
    local text = common.read_all(output, 1000) -- the sleep would keep it open
    assert.equal("supervisor: exit 1; once more in 0.1 s\n", text)
    assert.same({ "exit", 0 }, { process:wait() })
    input:close()
  end)

  it("does not try again what cannot be started at all", function()
    local process, output, input = start("supervisor", "no-such-command")
    assert.equal("supervisor: spawn: exec: no-such-command: No such file or directory\n",
      (common.read_all(output, 1000):gsub("\r", "")))
    assert.same({ "exit", 127 }, { process:wait() })
    input:close()
  end)

  it("explains its use", function()
    local output, status = run("", "supervisor")
    assert.matches("^usage: ", output)
    assert.equal(2, status)
  end)
end)

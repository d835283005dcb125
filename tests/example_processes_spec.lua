--- The examples that start other programs, as processes of their own.
local support = require "example_support"
local common = require "support"
local xpio = require "xpio"

local folder

setup(function() folder = support.make_folder() end)

teardown(support.remove_folder)

--- Start an example. Returns its process, a pipe of what it writes, stderr too, and one
--- that is its input.
local function start(name, ...)
  local output, far_output = assert(xpio.pipe())
  local far_input, input = assert(xpio.pipe())
  local args = { common.interpreter, ("%s/%s.lua"):format(support.examples, name), ... }
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
    local script = ([[echo $1 >>%s/begun; while test $(wc -l <%s/begun) -lt 3; do :; done]])
      :format(folder, folder)
    local _, status = run(numbers(3), "parallel", "-P", "3", "sh", "-c", script, "sh")
    assert.equal(0, status)
  end)

  it("never runs more at a time", function()
    local script = ([[cd %s; mkdir -p running/$1; ls running | wc -l; rmdir running/$1]]):format(folder)
    local output, status = run(numbers(60), "parallel", "-P", "3", "sh", "-c", script, "sh")
    assert.equal(0, status)
    local count = 0
    for number in output:gmatch "%d+" do
      count = count + 1
      assert.is_true(tonumber(number) <= 3)
    end
    assert.equal(60, count)
  end)

  it("says which commands failed, and exits with 123", function()
    local output, status = run(numbers(4), "parallel", "sh", "-c", "test $1 != 3", "sh")
    assert.equal("parallel: 3: exit 1\n", output)
    assert.equal(123, status)
    output, status = run("KILL\n", "parallel", "sh", "-c", "kill -$1 $$", "sh")
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

describe("shell-pipeline.lua", function()
  it("connects programs and exits with the status of the last", function()
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
    local output, status = run("", "shell-pipeline", "yes", "|", "head", "-n", "2")
    assert.equal("y\ny\n", output)
    assert.equal(0, status)
  end)

  it("tells of those that fail on the way", function()
    local output, status = run("", "shell-pipeline", "sh", "-c", "exit 5", "|", "no-such-program", "|", "cat")
    assert.equal("no-such-program: status 127 sh: status 5 "
      .. "spawn: exec: no-such-program: No such file or directory", sorted(output))
    assert.equal(0, status)
  end)

  it("has a status for signals, and for what cannot be run", function()
    assert.equal(137, (select(2, run("", "shell-pipeline", "sh", "-c", "kill -9 $$"))))
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
  --- Reads up to the end of a line that says this.
  local function read_up_to(output, text)
    local all = ""
    while not all:find(text .. "\n", 1, true) do all = all .. assert(output:read(1000)) end
  end

  it("restarts a command that fails, with growing pauses, until it succeeds", function()
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
    local process, output, input = start("supervisor", "sh", "-c",
      "trap 'echo polite; exit' TERM; sleep 1000 & echo ready; wait")
    read_up_to(output, "ready")
    input:close()
    assert.equal("polite\n", common.read_all(output, 1000)) -- and nobody has the pipe any more
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("kills what does not end by itself", function()
    local process, output, input = start("supervisor", "sh", "-c",
      "trap '' TERM; sleep 1000 & echo ready; wait")
    read_up_to(output, "ready")
    input:close()
    assert.equal("supervisor: the command does not end: it is killed\n", common.read_all(output, 1000))
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("leaves nothing behind of a command that has failed", function()
    local script = ([[test -e %s/once && exit; touch %s/once; sleep 1000 & exit 1]]):format(folder, folder)
    local process, output, input = start("supervisor", "sh", "-c", script)
    local text = common.read_all(output, 1000) -- the sleep would keep it open
    assert.equal("supervisor: exit 1; once more in 0.1 s\n", text)
    assert.same({ "exit", 0 }, { process:wait() })
    input:close()
  end)

  it("does not try again what cannot be started at all", function()
    local process, output = start("supervisor", "no-such-command")
    assert.equal("supervisor: spawn: exec: no-such-command: No such file or directory\n",
      common.read_all(output, 1000))
    assert.same({ "exit", 127 }, { process:wait() })
  end)

  it("explains its use", function()
    local output, status = run("", "supervisor")
    assert.matches("^usage: ", output)
    assert.equal(2, status)
  end)
end)

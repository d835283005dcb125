-- Tests of the programs in examples/, as processes of their own, against programs
-- that others wrote. xpio itself is the peer only where those cannot do it. The
-- file server has files of its own.
local source = os.getenv "XPIO_SOURCE_ROOT" or "."
local support = dofile(source .. "/tests/example_support.lua")
local capability = require "capability"
local xpio = require "xpio"

local run = support.run
local connect = support.connect
local await = support.await
local read_all = support.read_all

local folder

local it_with = support.it_with

setup(function() folder = support.make_folder() end)

teardown(support.remove_folder)

describe("tcp-forward.lua", function()
  local forwarder, listener

  setup(function()
    listener = assert(xpio.socket "TCP")
    assert(listener:bind "127.0.0.1:0")
    assert(listener:listen())
    forwarder = support.start_example(folder, "tcp-forward", listener:getsockname())
  end)

  teardown(function()
    forwarder:stop()
    listener:close()
  end)

  after_each(function() assert.equal("", forwarder:errors()) end)

  -- Both ends of a forwarded connection.
  local function open()
    local client = connect(forwarder.address)
    return client, assert(await(listener):accept())
  end

  it_with("shell", "passes on the client's end of stream and returns the answer", function()
    if not support.has "socat" then return pending "socat is not there" end
    -- sha256sum says nothing before its input ends.
    local summer = support.start(folder,
      "socat -d -d -t 20 TCP-LISTEN:0,bind=127.0.0.1,fork EXEC:sha256sum 2>&1")
    local port
    repeat port = assert(summer.output:read "l"):match "listening on .-:(%d+)" until port
    local forward = support.start_example(folder, "tcp-forward", "127.0.0.1:" .. port)
    local expected = run "head -c 3000000 /dev/zero | sha256sum"
    for _ = 1, 3 do
      local answer = run("head -c 3000000 /dev/zero | socat -t 20 - TCP:%s", forward.address)
      assert.equal(expected, answer)
    end
    assert.equal("", forward:stop())
    summer:stop()
  end)

  it("passes on the client's end of stream while the target goes on", function()
    local client, server = open()
    client:write "question"
    client:shutdown "w"
    assert.equal("question", read_all(server))
    server:write "answer"
    assert.equal("answer", await(client):read(100))
    server:close()
    assert.is_nil(await(client):read(1))
    client:close()
  end)

  it("passes on the target's end of stream while the client goes on", function()
    local client, server = open()
    server:write "greeting"
    server:shutdown "w"
    assert.equal("greeting", read_all(client))
    client:write "and more"
    assert.equal("and more", await(server):read(100))
    client:close()
    assert.is_nil(await(server):read(1))
    server:close()
  end)

  -- Closing a socket with something unread in it resets the connection.
  it("ends the client's side when the target's is reset", function()
    local client, server = open()
    client:write "unread"
    assert.equal("u", await(server):read(1))
    server:close()
    assert.equal("", read_all(client))
    client:close()
  end)

  it("ends the target's side when the client's is reset", function()
    local client, server = open()
    server:write "unread"
    assert.equal("u", await(client):read(1))
    client:close()
    assert.equal("", read_all(server))
    server:close()
  end)

  it("holds a fast sender up while the reader is slow, in bounded memory", function()
    local before = forwarder:memory "VmHWM"
    local client, server = open()
    local block, sent = ("x"):rep(1000000), 0
    -- Until nothing more fits into the system's buffers on the way.
    local queue, task = xpio.tqueue(), {}
    task._queue = queue
    repeat
      local count, message = client:try_write(block)
      if count then sent = sent + count end
      assert(count or message == "retry")
      local ready = true
      if not count then
        client:when_write(task)
        ready = #queue:wait(0.3) > 0
      end
    until not ready
    task:_dequeue()
    client:shutdown "w"
    assert.equal(sent, #read_all(server))
    client:close()
    server:close()
    assert.is_true(sent < 100000000)
    if before then assert.is_true(forwarder:memory "VmHWM" - before < 8 * 1024) end
  end)

  it_with("curl", "closes the client and goes on when the target does not answer", function()
    local unused = assert(xpio.socket "TCP")
    assert(unused:bind "127.0.0.1:0") -- bound but not listening: refused
    local forward = support.start_example(folder, "tcp-forward", unused:getsockname())
    for _ = 1, 2 do
      local _, status = run("curl --silent --max-time 20 http://%s/", forward.address)
      assert.is_true(status == 52 or status == 56) -- an empty reply or a reset
    end
    assert.matches("127%.0%.0%.1:%d+: Connection refused\n", forward:stop())
    unused:close()
  end)

  it_with("curl", "carries many connections at a time, and a large file as it is", function()
    local root = folder .. "/forwarded"
    run("mkdir %s", root)
    run("head -c 20000000 /dev/urandom >%s", root .. "/large")
    local server = support.start_example(folder, "http-server", root)
    local forward = support.start_example(folder, "tcp-forward", server.address)
    local output, status = run(
      "curl --silent --max-time 50 --parallel --parallel-max 8 --fail --output %s %s 2>&1",
      root .. "/copy-#1", ("http://%s/large?[1-8]"):format(forward.address))
    assert.equal(0, status, output)
    local sums = run("cd %s && for file in large copy-*; do sha256sum <$file; done", root)
    assert.equal(sums:match "^[^\n]*\n":rep(9), sums)
    assert.equal("", forward:stop())
    assert.equal("", server:stop())
  end)
end)

describe("udp-echo.lua", function()
  local echo

  setup(function() echo = support.start_example(folder, "udp-echo") end)

  teardown(function() echo:stop() end)

  after_each(function() assert.equal("", echo:errors()) end)

  local function exchange_datagram(data)
    local socket <close> = assert(xpio.socket "UDP")
    assert(socket:bind "127.0.0.1:0")
    assert.equal(#data, socket:sendto(data, echo.address))
    local answer, sender = await(socket):recvfrom(65535)
    assert.equal(echo.address, sender)
    assert.is_true(answer == data)
  end

  it("sends a datagram back", function() exchange_datagram "hello" end)

  it_with("shell", "sends a datagram back to another program", function()
    if not support.has "socat" then return pending "socat is not there" end
    local command = "printf hello | socat -T 20 -t 20 - UDP:%s,readbytes=5"
    assert.equal("hello", (run(command, echo.address)))
  end)

  it("sends an empty datagram back, and goes on", function()
    exchange_datagram ""
    exchange_datagram "more"
  end)

  it("sends the largest datagram back whole", function()
    exchange_datagram(("\0\255x"):rep(21836):sub(1, 65507))
  end)

  it("sends every datagram back to where it came from", function()
    local sockets = {}
    for i = 1, 20 do
      sockets[i] = assert(xpio.socket "UDP")
      assert(sockets[i]:sendto(tostring(i), echo.address))
    end
    for i = 1, 20 do
      assert.equal(tostring(i), (await(sockets[i]):recvfrom(100)))
      sockets[i]:close()
    end
  end)

  it("ends at the first Ctrl-C", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local process = support.start_example(folder, "udp-echo")
    run("kill -INT %s", process.pid)
    assert.equal("", process.output:read "a")
    assert.matches("interrupted!", process:stop())
  end)
end)

describe("pipeline.lua", function()
  local it = capability.it "shell"

  local function pipeline(input, command)
    support.write_file(folder .. "/text", input)
    local program = support.command("%s", support.examples .. "/pipeline.lua")
    if command then program = program .. support.command(" %s", command) end
    return run(("timeout 50 %s %s"):format(support.lua, program) .. " <%s 2>&1", folder .. "/text")
  end

  it("counts words and has another process sort them", function()
    local output, status = pipeline "The cat and the dog: THE end, and\ngr\u{fc}\u{df}e"
    assert.equal([[
      3 the
      2 and
      1 cat
      1 dog
      1 end
      1 grüße
]], output)
    assert.equal(0, status)
  end)

  it("takes no input as no words", function()
    local output, status = pipeline ""
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("counts every word of a long text once", function()
    local words = {}
    for i = 1, 300000 do words[i] = "w" .. i % 1000 end
    local output = pipeline(table.concat(words, " "))
    local expected = {}
    for i = 0, 999 do expected[i + 1] = ("%7d w%d\n"):format(300, i) end
    table.sort(expected)
    local found = {}
    for line in output:gmatch "[^\n]*\n" do found[#found + 1] = line end
    table.sort(found)
    assert.equal(table.concat(expected), table.concat(found))
  end)

  it("hands the counts to the command it is given, and returns its status", function()
    local output, status = pipeline("a b a", "wc -l; exit 3")
    assert.equal("2", output:match "%d+")
    assert.equal(3, status)
  end)

  it("ends quietly when the command ends before it has read everything", function()
    local words = {}
    for i = 1, 100000 do words[i] = "w" .. i end
    local output, status = pipeline(table.concat(words, " "), "head -n 1")
    assert.matches("^ +1 w%d+\n$", output)
    assert.equal(0, status)
  end)
end)

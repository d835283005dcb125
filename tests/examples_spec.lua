-- Tests of the programs in examples/, as processes of their own, against programs
-- that others wrote. xpio itself is the peer only where those cannot do it.
local source = os.getenv "XPIO_SOURCE_ROOT" or "."
local support = dofile(source .. "/tests/example_support.lua")
local xpio = require "xpio"

local run = support.run

local folder

-- A test that needs a program which may not be there.
local function it_with(program, name, body)
  it(name, function()
    if not support.has(program) then return pending(program .. " is not installed") end
    body()
  end)
end

local function connect(address)
  local socket = assert(xpio.socket "TCP")
  return assert(socket:connect(address))
end

-- The socket, as soon as it is readable: a test fails rather than hangs.
local function await(socket)
  local queue = xpio.tqueue()
  assert(socket:when_read { _queue = queue })
  assert(#queue:wait(20) == 1, "nothing came")
  return socket
end

-- All that comes up to the end of the stream, which must not be an error.
local function read_all(socket)
  local pieces = {}
  while true do
    local piece, message = await(socket):read(65536)
    assert.is_nil(message)
    if not piece then return table.concat(pieces) end
    pieces[#pieces + 1] = piece
  end
end

-- Sends bytes as they are and returns all that comes until the server ends the
-- connection. The sending side stays open, as with most clients.
local function exchange(address, bytes)
  local path = folder .. "/request"
  support.write_file(path, bytes)
  return (run("socat -T 20 -,ignoreeof TCP:%s <%s", address, path))
end

-- The same, but the end of the sending is seen by the server.
local function exchange_and_end(address, bytes)
  local path = folder .. "/request"
  support.write_file(path, bytes)
  return (run("socat -t 20 - TCP:%s <%s", address, path))
end

-- The statuses of the responses in a stream, as "200 404".
local function statuses(stream)
  local found = {}
  for status in stream:gmatch "HTTP/1%.1 (%d%d%d) " do found[#found + 1] = status end
  return table.concat(found, " ")
end

setup(function() folder = support.make_folder() end)

teardown(function() support.remove_folder(folder) end)

describe("dispatcher.lua", function()
  -- Runs a program that uses it; returns its output with that to standard error.
  local function run_program(text)
    local path = folder .. "/program.lua"
    support.write_file(path, ("package.path = %q\n"):format(support.examples .. "/?.lua") .. text)
    return (run("timeout 20 " .. support.lua .. " %s 2>&1", path))
  end

  it("has at most 40 lines", function()
    local _, lines = support.read_file(support.examples .. "/dispatcher.lua"):gsub("\n", "")
    assert.is_true(lines <= 40)
  end)

  it("passes arguments to a task and runs it until it blocks", function()
    assert.equal("1\t2\t3\nstarted\n", run_program [[
      local dispatcher = require "dispatcher"
      dispatcher.start(function(...) print(...) dispatcher.sleep(0) end, 1, 2, 3)
      print "started"
      dispatcher.run()
    ]])
  end)

  it("returns from run when no task waits", function()
    assert.equal("end\n", run_program [[require "dispatcher".run() print "end"]])
  end)

  it("runs two tasks that talk to each other over a socketpair", function()
    assert.equal("ping\npong\n", run_program [[
      local xpio, dispatcher = require "xpio", require "dispatcher"
      local a, b = xpio.socketpair()
      dispatcher.start(function() print(a:read(9)) a:write "pong" end)
      dispatcher.start(function() b:write "ping" print(b:read(9)) end)
      dispatcher.run()
    ]])
  end)

  it("lets a task start another one and still block itself", function()
    assert.equal("inner\nouter\n", run_program [[
      local dispatcher = require "dispatcher"
      dispatcher.start(function()
        dispatcher.start(print, "inner")
        dispatcher.sleep(0)
        print "outer"
      end)
      dispatcher.run()
    ]])
  end)

  it("wakes sleepers in the order of their time, and no earlier", function()
    assert.equal("c\nb\na\ntrue\n", run_program [[
      local xpio, dispatcher = require "xpio", require "dispatcher"
      local begin = xpio.gettime()
      local function after(seconds, name) dispatcher.sleep(seconds) print(name) end
      dispatcher.start(after, 0.06, "a")
      dispatcher.start(after, 0.04, "b")
      dispatcher.start(after, 0.02, "c")
      dispatcher.run()
      print(xpio.gettime() - begin >= 0.06)
    ]])
  end)

  it("gives every task a turn when one sleeps for no time at all", function()
    assert.equal("a\nb\na\nb\na\nb\n", run_program [[
      local dispatcher = require "dispatcher"
      local function turns(name) for _ = 1, 3 do print(name) dispatcher.sleep(0) end end
      dispatcher.start(turns, "a")
      dispatcher.start(turns, "b")
      dispatcher.run()
    ]])
  end)

  it("lets sockets have their turn while a task sleeps for no time over and over", function()
    assert.equal("x\n", run_program [[
      local xpio, dispatcher = require "xpio", require "dispatcher"
      local a, b = xpio.socketpair()
      local done = false
      dispatcher.start(function() print(a:read(1)) done = true end)
      dispatcher.start(function() while not done do dispatcher.sleep(0) end end)
      dispatcher.start(function() b:write "x" end)
      dispatcher.run()
    ]])
  end)

  it("reports a task's error, closes its variables and runs the others", function()
    local output = run_program [[
      local dispatcher = require "dispatcher"
      local function break_down() error "it broke" end
      dispatcher.start(function()
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        dispatcher.sleep(0)
        break_down()
      end)
      dispatcher.start(function() dispatcher.sleep(0.01) print "the other" end)
      dispatcher.start(error, {})
      dispatcher.run()
      print "end"
    ]]
    assert.matches("it broke\nstack traceback:.-in upvalue 'break_down'", output)
    assert.matches("table: 0x%x+\nstack traceback:", output)
    assert.matches("closed\nthe other\nend\n", output)
  end)
end)

describe("http-server.lua", function()
  local server, url, root

  setup(function()
    root = folder .. "/root"
    run("mkdir -p %s %s", root .. "/sub", root .. "/bare")
    support.write_file(root .. "/hello.txt", "hello\n")
    support.write_file(root .. "/a name+.txt", "a name\n")
    support.write_file(root .. "/\u{e4}.html", "umlaut\n")
    support.write_file(root .. "/empty.css", "")
    support.write_file(root .. "/noindex.bin", "\0\1\2")
    support.write_file(root .. "/.hidden", "secret\n")
    support.write_file(root .. "/back\\slash", "secret\n")
    support.write_file(root .. "/sub/index.html", "<p>index\n")
    support.write_file(folder .. "/secret.txt", "secret\n")
    run("ln -s ../secret.txt %s", root .. "/link.txt")
    server = support.start_example(folder, "http-server", root)
    url = "http://" .. server.address
  end)

  teardown(function() server:stop() end)

  -- No test may leave an error behind.
  after_each(function() assert.equal("", server:errors()) end)

  -- curl's output and exit status.
  local function curl(format, ...)
    return run("curl --silent --show-error --max-time 30 " .. format .. " 2>&1", ...)
  end

  local function get(path) return (curl("%s", url .. path)) end

  local function get_with_head(path) return (curl("--include %s", url .. path)) end

  local function status_of(path, options)
    local format = "--output /dev/null --write-out '%%{http_code}' " .. (options or "") .. " %s"
    return (curl(format, url .. path))
  end

  describe("answers", function()
    it_with("curl", "GET with the file, its length, its type and the date", function()
      local response = get_with_head "/hello.txt"
      assert.matches("^HTTP/1%.1 200 OK\r\n", response)
      assert.matches("\r\nContent%-Length: 6\r\n", response)
      assert.matches("\r\nContent%-Type: text/plain; charset=utf%-8\r\n", response)
      assert.matches("\r\nDate: %a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT\r\n", response)
      assert.matches("\r\n\r\nhello\n$", response)
    end)

    it_with("curl", "with the type that belongs to the name's ending", function()
      local function type_of(path)
        return (curl("--output /dev/null --write-out '%%{content_type}' %s", url .. path))
      end
      assert.equal("text/css; charset=utf-8", type_of "/empty.css")
      assert.equal("text/html; charset=utf-8", type_of "/sub/")
      assert.equal("application/octet-stream", type_of "/noindex.bin")
    end)

    it_with("curl", "an empty file and binary bytes exactly", function()
      assert.equal("", get "/empty.css")
      assert.equal("\0\1\2", get "/noindex.bin")
    end)

    it_with("curl", "names that are percent-encoded, and ignores the query", function()
      assert.equal("a name\n", get "/a%20name+.txt")
      assert.equal("a name\n", get "/%61%20name%2B.txt?query=%zz")
      assert.equal("umlaut\n", get "/%C3%A4.html")
    end)

    it_with("curl", "a folder with its index.html", function()
      assert.equal("<p>index\n", get "/sub/")
    end)

    it_with("curl", "301 to a folder without its slash, keeping the query", function()
      local response = get_with_head "/sub?a=b"
      assert.matches("^HTTP/1%.1 301 ", response)
      assert.matches("\r\nLocation: /sub/%?a=b\r\n", response)
      assert.equal("<p>index\n", (curl("--location %s", url .. "/sub")))
    end)

    it_with("curl", "404 for what is not there", function()
      assert.equal("404", status_of "/nothing")
      assert.equal("404", status_of "/hello.txt/below-a-file")
      assert.equal("404", status_of "/hello.txt/")
      assert.equal("404", status_of("/" .. ("x"):rep(5000)))
    end)

    it_with("curl", "404 for a folder without an index.html", function()
      assert.equal("404", status_of "/bare/")
    end)

    it_with("curl", "403 for a file that it may not read", function()
      local path = root .. "/private.txt"
      support.write_file(path, "private\n")
      run("chmod 000 %s", path)
      local readable = io.open(path)
      if readable then
        readable:close()
        return pending "root may read everything"
      end
      assert.equal("403", status_of "/private.txt")
    end)

    it_with("curl", "HEAD like GET but without the body", function()
      local function fields_of(path, options)
        local head = curl("--dump-header - --output /dev/null " .. options .. " %s", url .. path)
        return (head:gsub("\r\nDate: [^\r]*", ""))
      end
      for _, path in ipairs { "/hello.txt", "/nothing", "/sub", "/empty.css" } do
        assert.equal(fields_of(path, ""), fields_of(path, "--head"))
      end
      assert.matches("Content%-Length: 6", fields_of("/hello.txt", "--head"))
    end)

    it_with("socat", "HEAD with nothing after the head", function()
      for _, path in ipairs { "/hello.txt", "/nothing", "/sub", "/*" } do
        local request = ("HEAD %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"):format(path)
        assert.matches("^HTTP/1%.1 [^\n]*\r\n.*\r\n\r\n$", exchange(server.address, request))
      end
    end)

    it_with("curl", "405 with Allow for other methods", function()
      for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS", "get", "X!#$%&'*+-.^_`|~1" } do
        local response = curl("--include --request %s %s", method, url .. "/hello.txt")
        assert.matches("^HTTP/1%.1 405 ", response)
        assert.matches("\r\nAllow: GET, HEAD\r\n", response)
      end
    end)

    it_with("curl", "a file through a symbolic link, wherever it points", function()
      assert.equal("secret\n", get "/link.txt")
    end)

    it_with("socat", "a request target that is a whole URL", function()
      local function get_raw(target)
        local rest = " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        return exchange(server.address, "GET " .. target .. rest)
      end
      assert.matches("\r\n\r\nhello\n$", get_raw "http://h/hello.txt")
      -- The root has no index.html.
      assert.equal("404", statuses(get_raw "HTTP://h"))
      assert.equal("404", statuses(get_raw "http://h?a"))
    end)
  end)

  describe("keeps to its root", function()
    local outside = {
      "/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt", "/.%2E/secret.txt",
      "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/sub/..%2f..%2fsecret.txt", "/sub/../hello.txt",
      "/./../secret.txt", "/..\\secret.txt", "/..%5csecret.txt", "/%5c..%5csecret.txt",
      "/%252e%252e/secret.txt", "/%c0%ae%c0%ae/secret.txt", "//etc/passwd", "/%2fetc%2fpasswd",
      "///../secret.txt", "/sub//index.html", "/.hidden", "/%2ehidden", "/..", "/.", "/sub/..",
      "/back\\slash", "/back%5cslash", "http://h/../secret.txt", "http://h//etc/passwd",
    }
    for _, target in ipairs(outside) do
      it_with("socat", "and answers 404 to " .. target, function()
        local request = ("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"):format(target)
        local response = exchange(server.address, request)
        assert.equal("404", statuses(response))
        assert.matches("\r\n\r\n404 Not Found\n$", response)
      end)
    end
  end)

  describe("answers what is malformed once and ends the connection:", function()
    local host = "Host: h\r\n"
    local line = "GET /hello.txt HTTP/1.1\r\n"
    local good = line .. host
    local many = "X: " .. ("y"):rep(100) .. "\r\n"
    local malformed = {
      { "no version", "400", "GET /hello.txt\r\n" .. host },
      { "no target", "400", "GET HTTP/1.1\r\n" .. host },
      { "two spaces", "400", "GET  /hello.txt HTTP/1.1\r\n" .. host },
      { "a space in the target", "400", "GET /a name+.txt HTTP/1.1\r\n" .. host },
      { "a space before the method", "400", " GET /hello.txt HTTP/1.1\r\n" .. host },
      { "a space after the version", "400", "GET /hello.txt HTTP/1.1 \r\n" .. host },
      { "a tab as a space", "400", "GET\t/hello.txt\tHTTP/1.1\r\n" .. host },
      { "a version that is none", "400", "GET /hello.txt HTTP/1.x\r\n" .. host },
      { "a version of two digits", "400", "GET /hello.txt HTTP/1.10\r\n" .. host },
      { "another protocol", "400", "GET /hello.txt SHTTP/1.1\r\n" .. host },
      { "a method that is no token", "400", "G(T /hello.txt HTTP/1.1\r\n" .. host },
      { "a byte beyond ASCII in the target", "400", "GET /\u{e4}.html HTTP/1.1\r\n" .. host },
      { "a TLS greeting", "400", "\22\3\1\2\0\1\0\1\252\3\3\r\n" },
      { "an unknown major version", "505", "GET /hello.txt HTTP/2.0\r\n" .. host },
      { "a header without a colon", "400", line .. "Host h\r\n" .. host },
      { "a header without a name", "400", line .. ": x\r\n" .. host },
      { "a space before the colon", "400", line .. "X : y\r\n" .. host },
      { "a space before the first header", "400", line .. " X: y\r\n" .. host },
      { "a folded header", "400", good .. "X: y\r\n z\r\n" },
      { "a name that is no token", "400", line .. "X(: y\r\n" .. host },
      { "a NUL in a header", "400", line .. "X: \0\r\n" .. host },
      { "a control character in a header", "400", line .. "X: \27\r\n" .. host },
      { "a lone CR in a header", "400", line .. "X: a\rb\r\n" .. host },
      { "a lone LF after a header", "400", line .. "X: a\n" .. host },
      { "no Host in HTTP/1.1", "400", line .. "X: y\r\n" },
      { "no header at all in HTTP/1.1", "400", line },
      { "two Hosts", "400", good .. host },
      { "a Host with a space", "400", line .. "Host: a b\r\n" },
      { "a Host with a path", "400", line .. "Host: a/b\r\n" },
      { "a length that is no number", "400", good .. "Content-Length: x\r\n" },
      { "a negative length", "400", good .. "Content-Length: -1\r\n" },
      { "a length with a sign", "400", good .. "Content-Length: +1\r\n" },
      { "a hexadecimal length", "400", good .. "Content-Length: 0x1\r\n" },
      { "an empty length", "400", good .. "Content-Length:\r\n" },
      { "a list of lengths", "400", good .. "Content-Length: 1, 1\r\n" },
      { "two lengths", "400", good .. ("Content-Length: 1\r\n"):rep(2) },
      { "a length and a transfer coding", "400",
        good .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" },
      { "a transfer coding", "411", good .. "Transfer-Encoding: chunked\r\n" },
      { "a body too large to skip", "413", good .. "Content-Length: 65537\r\n" },
      { "a length beyond all numbers", "413",
        good .. "Content-Length: " .. ("9"):rep(400) .. "\r\n" },
      { "a head too large", "431", good .. many:rep(200) },
      { "a header too large", "431", good .. "X: " .. ("y"):rep(17000) .. "\r\n" },
      { "a request line too large", "431", "GET /" .. ("x"):rep(17000) .. " HTTP/1.1\r\n" .. host },
    }
    for _, case in ipairs(malformed) do
      local name, status, head = table.unpack(case)
      it_with("socat", ("%s: %s"):format(name, status), function()
        -- What follows must not be taken for a request.
        local after = "GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n"
        local response = exchange(server.address, head .. "\r\n" .. after)
        assert.equal(status, statuses(response))
        assert.matches("\r\nConnection: close\r\n", response)
        assert.matches(("\r\n\r\n%s [^\r\n]*\n$"):format(status), response)
      end)
    end

    it_with("socat", "lines that end with LF: 400 at once", function()
      assert.equal("400", statuses(exchange(server.address, "GET / HTTP/1.0\n\n")))
    end)

    it_with("socat", "an end of the stream within the head: 400", function()
      assert.equal("400", statuses(exchange_and_end(server.address, "GET /hello.txt HT")))
    end)

    it_with("socat", "an end of the stream within the body: 400", function()
      local request = "GET /hello.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc"
      assert.equal("400", statuses(exchange_and_end(server.address, request)))
    end)

    it_with("socat", "an endless head: 431, and the client gets to see it", function()
      local endless = "GET / HTTP/1.1\r\n" .. ("X: y\r\n"):rep(1000000)
      assert.equal("431", statuses(exchange(server.address, endless)))
    end)
  end)

  describe("answers 400 to a target that means no path and keeps the connection:", function()
    local targets = {
      "/%", "/%2", "/%zz", "/hello.txt%", "/%%41", "/%-1", "/a%00", "/hello.txt%00.html",
      "*", "hello.txt", "?x", "ftp://h/hello.txt", "h:80",
    }
    for _, target in ipairs(targets) do
      it_with("socat", target, function()
        local requests = "GET %s HTTP/1.1\r\nHost: h\r\n\r\n"
          .. "GET /hello.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        assert.equal("400 200", statuses(exchange(server.address, requests:format(target))))
      end)
    end
  end)

  describe("connections", function()
    -- How many connections curl made for each of two requests: "10" if the second
    -- went over the first one's.
    local function connections_of(options)
      local format = "--output /dev/null --output /dev/null --write-out '%%{num_connects}' %s %s "
      return (curl(format .. options, url .. "/hello.txt", url .. "/nothing"))
    end

    it_with("curl", "go on after a response in HTTP/1.1", function()
      assert.equal("10", connections_of "")
    end)

    it_with("curl", "end when the client asks for it in HTTP/1.1", function()
      assert.equal("11", connections_of "--header 'Connection: x, Close'")
    end)

    it_with("curl", "end after a response in HTTP/1.0", function()
      assert.equal("11", connections_of "--http1.0")
    end)

    it_with("curl", "go on when the client asks for it in HTTP/1.0", function()
      assert.equal("10", connections_of "--http1.0 --header 'Connection: Keep-Alive'")
      local request = "GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
      local response = exchange_and_end(server.address, request)
      assert.matches("\r\nConnection: keep%-alive\r\n", response)
    end)

    it_with("socat", "need no Host in HTTP/1.0", function()
      assert.equal("200", statuses(exchange(server.address, "GET /hello.txt HTTP/1.0\r\n\r\n")))
    end)

    it_with("socat", "take pipelined requests and answer them in order", function()
      local function request(method, path, i)
        return ("%s %s HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n"):format(method, path, ("y"):rep(i))
      end
      local requests = {}
      for i = 1, 500 do
        requests[i] = request("GET", "/hello.txt", i) .. request("HEAD", "/hello.txt", i)
          .. request("GET", "/nothing", i) .. request("GET", "/sub", i)
      end
      local last = "GET /hello.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      local stream = exchange(server.address, table.concat(requests) .. last)
      assert.equal(("200 200 404 301 "):rep(500) .. "200", statuses(stream))
      assert.matches("\r\n\r\nhello\n$", stream)
    end)

    it_with("socat", "that end on the client's side are answered to the last request", function()
      local requests = ("GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n"):rep(3)
      assert.equal("200 200 200", statuses(exchange_and_end(server.address, requests)))
    end)

    it_with("socat", "take empty lines before a request", function()
      local request = "\r\n\r\nGET /hello.txt HTTP/1.0\r\n\r\n"
      assert.equal("200", statuses(exchange(server.address, request)))
    end)

    it("take a request that comes byte by byte", function()
      local socket <close> = connect(server.address)
      socket:setsockopt("TCP_NODELAY", true)
      local request = "GET /hello.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      for i = 1, #request do socket:write(request:sub(i, i)) end
      assert.matches("\r\n\r\nhello\n$", read_all(socket))
    end)

    it_with("curl", "skip a request's body and go on", function()
      local output = curl("--data %s --output /dev/null --write-out '%%{http_code} ' %s "
        .. "--next --silent --output /dev/null --write-out '%%{num_connects}' %s",
        ("x"):rep(5000), url .. "/hello.txt", url .. "/hello.txt")
      assert.equal("405 0", output)
    end)

    it_with("socat", "do not take a request's body for requests", function()
      local inner = "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
      local outer = "GET /hello.txt HTTP/1.1\r\nHost: h\r\nContent-Length: " .. #inner .. "\r\n\r\n"
      local last = "GET /sub HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      assert.equal("200 301", statuses(exchange(server.address, outer .. inner .. last)))
    end)

    it_with("curl", "end after a refused upload, and the client sees why", function()
      support.write_file(folder .. "/upload", ("x"):rep(2000000))
      local upload = support.command("--upload-file %s", folder .. "/upload")
      assert.equal("413", status_of("/x", upload))
      assert.equal("413", status_of("/x", upload .. " --header Expect:"))
      assert.equal("411", status_of("/x", upload .. " --header 'Transfer-Encoding: chunked'"))
    end)

    it("end without a reset while the client still sends, so that it gets the response", function()
      local socket <close> = connect(server.address)
      local head = "GET /hello.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"
      socket:write(head .. ("x"):rep(100000))
      assert.matches("^HTTP/1%.1 413 .*\n413 Content Too Large\n$", read_all(socket))
    end)

    it_with("socat", "end after a request that expects 100 Continue, without its body", function()
      local head = "GET /hello.txt HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
      local response = exchange(server.address, head .. "Content-Length: 5\r\n\r\n")
      assert.matches("^HTTP/1%.1 200 ", response)
      assert.matches("\r\nConnection: close\r\n", response)
    end)

    it_with("curl", "are served 20 at a time", function()
      local _, status = curl("--parallel --parallel-max 20 --fail --output %s %s",
        folder .. "/many-#1", url .. "/hello.txt?[1-200]")
      assert.equal(0, status)
      assert.equal(("hello\n"):rep(200), (run("cat %s/many-*", folder)))
    end)
  end)

  describe("large files", function()
    local size <const> = 60000000
    local sum

    setup(function()
      run("head -c %s /dev/urandom >%s", size, root .. "/large")
      sum = run("sha256sum <%s", root .. "/large")
    end)

    it_with("curl", "arrive as they are", function()
      assert.equal(sum, (run("curl --silent --max-time 30 %s | sha256sum", url .. "/large")))
    end)

    it_with("curl", "take no more memory if the client is slow", function()
      local before = server:memory "VmHWM"
      if not before then return pending "there is no /proc" end
      local command = "curl --silent --max-time 50 --limit-rate 40M %s | sha256sum"
      assert.equal(sum, (run(command, url .. "/large")))
      assert.is_true(server:memory "VmHWM" - before < 8 * 1024)
    end)

    it_with("curl", "hold up nobody while many clients do not read them", function()
      local before = server:memory "VmHWM"
      local clients = {}
      for i = 1, 20 do
        clients[i] = connect(server.address)
        clients[i]:write "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      end
      assert.equal("hello\n", get "/hello.txt")
      local response = read_all(clients[20])
      assert.equal(size, #response - response:find("\r\n\r\n", 1, true) - 3)
      for _, client in ipairs(clients) do client:close() end
      assert.equal("hello\n", get "/hello.txt")
      if before then assert.is_true(server:memory "VmHWM" - before < 16 * 1024) end
    end)

    it_with("curl", "go on for others when a client leaves in the middle", function()
      local _, status = run("curl --silent %s | head -c 1000 >/dev/null", url .. "/large")
      assert.equal(0, status)
      assert.equal("hello\n", get "/hello.txt")
    end)
  end)

  it_with("curl", "runs out of descriptors without dying or spinning, and recovers", function()
    local small <close> = setmetatable({}, { __close = function(self) self.process:stop() end })
    small.process = support.start_example(folder, "http-server", root, "ulimit -n 24")
    local address = small.process.address
    local first = connect(address)
    local request = "GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n"
    first:write(request)
    assert.matches("^HTTP/1%.1 200 ", await(first):read(1000))
    local clients = {}
    for i = 1, 40 do clients[i] = connect(address) end

    local before = small.process:ticks()
    local _, status = run("curl --silent --max-time 1 http://%s/hello.txt", address)
    assert.equal(28, status) -- it is not answered within the second
    if before then assert.is_true(small.process:ticks() - before < 20) end
    assert.matches("accept: Too many open files", small.process:errors())
    first:write(request)
    assert.matches("^HTTP/1%.1 503 ", await(first):read(1000))

    for _, client in ipairs(clients) do client:close() end
    assert.equal("hello\n", (curl("http://%s/hello.txt", address)))
  end)

  it("ends a connection on which no request comes", function()
    -- A copy of the program that has less patience.
    local text, count = support.read_file(support.examples .. "/http-server.lua")
      :gsub("PATIENCE = 30", "PATIENCE = 0.1")
    assert.equal(1, count)
    support.write_file(folder .. "/impatient.lua", text)
    local process = support.start(folder, support.command(
      "env LUA_PATH=%s " .. support.lua .. " %s %s",
      support.examples .. "/?.lua", folder .. "/impatient.lua", root))
    local socket <close> = connect(process.output:read "l":match "%S+$")
    socket:write "GET / HTTP/1.1\r\n"
    assert.equal("", read_all(socket))
    assert.equal("", process:stop())
  end)

  it("ends at the first Ctrl-C, also with connections open", function()
    local process = support.start_example(folder, "http-server", root)
    local socket <close> = connect(process.address)
    run("kill -INT %s", process.pid)
    assert.equal("", process.output:read "a")
    assert.is_nil(await(socket):read(1))
    assert.matches("interrupted!", process:stop())
  end)

  it("says how it is used, and what is wrong with its root or address", function()
    local function fail(...)
      local program = "timeout 20 " .. support.lua .. " %s" .. (" %s"):rep(select("#", ...))
      local output, status = run(program .. " 2>&1", support.examples .. "/http-server.lua", ...)
      assert.is_true(status ~= 0)
      return output
    end
    assert.matches("usage: ", fail())
    assert.matches("usage: ", fail(root, "127.0.0.1", "more"))
    assert.matches("No such file", fail "/nowhere/at/all")
    assert.matches("Not a directory", fail(root .. "/hello.txt"))
    assert.matches("malformed address: 1.2.3.4.5", fail(root, "1.2.3.4.5"))
    assert.matches("in use", fail(root, server.address))
  end)
end)

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

  it_with("socat", "passes on the client's end of stream and returns the answer", function()
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

  it_with("socat", "sends a datagram back", function()
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
    local process = support.start_example(folder, "udp-echo")
    run("kill -INT %s", process.pid)
    assert.equal("", process.output:read "a")
    assert.matches("interrupted!", process:stop())
  end)
end)

describe("pipeline.lua", function()
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

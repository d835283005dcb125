---@meta xpio

-- What module xpio has, for LuaLS. The names in parentheses are sections of the manual,
-- docs/reference.md.

---@class xpio
local xpio = {}

--- "ECONNREFUSED" and so on: the same on all systems. (Codes)
---@alias xpio.code
---| "EACCES" # no permission
---| "EADDRINUSE" # the address is taken
---| "EADDRNOTAVAIL" # not an address of this machine
---| "EAFNOSUPPORT" # the object has no IPv4 address
---| "EAGAIN" # too many processes
---| "EBADF" # closed, or the wrong end of a pipe
---| "ECHILD" # nobody knows the status
---| "ECONNREFUSED" # nobody listens there
---| "ECONNRESET" # the peer has broken the connection
---| "EDESTADDRREQ" # not connected
---| "EHOSTUNREACH" # out of reach
---| "EINVAL" # malformed, bound already, or not listening
---| "EIO" # the other end of a terminal is closed
---| "EISCONN" # connected already
---| "EMFILE" # the process is out of descriptors
---| "EMSGSIZE" # too long for a datagram
---| "ENETUNREACH" # out of reach
---| "ENFILE" # the system is out of descriptors
---| "ENOBUFS" # out of memory
---| "ENOENT" # no such program, or folder
---| "ENOMEM" # out of memory
---| "ENOPROTOOPT" # unknown option
---| "ENOTCONN" # not connected
---| "ENOTSOCK" # not a socket
---| "ENOTSUP" # not with this kind of object, or on this system
---| "EPERM" # only root may do that
---| "EPIPE" # the peer is gone
---| "ESRCH" # the process has ended
---| "ETIMEDOUT" # out of reach
---| string

--- An IPv4 address and a port: "192.168.1.1:80". (Addresses)
---@alias xpio.address string

--- A table of yours that waits for one event at a time. (Tasks)
---@class xpio.task
---@field _queue xpio.tqueue where it is scheduled
---@field _dequeue? fun(self: xpio.task) makes it wait no longer; there while it is scheduled
---@field _dequeuedata? userdata not for you
---@field [any] any what else you put into it

--- Name and version: "xpio 0.1.0". (The module)
---@type string
xpio._VERSION = nil

--- The environment as it was when the module was loaded. (The module)
---@type table<string, string>
xpio.env = nil

--- What blocking calls yield to whoever resumes the task. (Blocking calls)
---@type lightuserdata
xpio.waiting = nil

--- The versions of xpio and of libuv. (The module)
---@return string xpio
---@return string libuv
function xpio.version() end

--- Seconds that only grow, for measuring how long something takes. (The module)
---@return number seconds
function xpio.gettime() end

--- Choose the task that blocking calls schedule from now on. (Tasks)
---@param task xpio.task?
function xpio.setCurrentTask(task) end

--- The task that blocking calls schedule. (Tasks)
---@return xpio.task?
function xpio.getCurrentTask() end

--- Resume a coroutine, in which this is the current task. (Tasks)
---@param task xpio.task
---@param coroutine thread
---@param ... any
---@return boolean success
---@return any ... its results, or the error
function xpio.resume(task, coroutine, ...) end

--- Make a task queue. (Task queues)
---@return xpio.tqueue
function xpio.tqueue() end

--- Make a socket that is neither bound nor connected. (Sockets)
---@param type "TCP"|"UDP"
---@return xpio.socket? socket
---@return string? message
---@return xpio.code? code
function xpio.socket(type) end

--- Make two streams, each the other one's peer. (Sockets)
---@return xpio.socket? one
---@return xpio.socket other or a message
---@return xpio.code? code
function xpio.socketpair() end

--- Make a pipe. (Sockets)
---@return xpio.socket? reader
---@return xpio.socket writer or a message
---@return xpio.code? code
function xpio.pipe() end

--- Make an object of a duplicate of an open descriptor or Lua file. (Foreign descriptors)
---@param file integer|file*
---@return xpio.socket? object
---@return string? message
---@return xpio.code? code
function xpio.fdopen(file) end

--- Make a pseudoterminal; not on Windows. (Processes)
---@return xpio.socket? master
---@return xpio.socket slave or a message
---@return xpio.code? code
function xpio.openpty() end

--- What a child has open, by number: an object, which is closed here once the child has
--- started; a number or file of this process; false for nothing. (Processes)
---@alias xpio.files table<integer, xpio.socket|integer|file*|false>

---@alias xpio.limit integer|"unlimited"

--- Limits of a child's resources: bytes, seconds or counts. (Processes)
---@class xpio.limits
---@field core? xpio.limit size of a core file
---@field cpu? xpio.limit seconds of processor time
---@field data? xpio.limit size of the data
---@field fsize? xpio.limit size of a file that it writes
---@field nofile? xpio.limit open files
---@field stack? xpio.limit size of the stack
---@field as? xpio.limit size of all its memory; not on every system
---@field memlock? xpio.limit memory that stays in memory; not on every system
---@field nproc? xpio.limit processes of the user; not on every system
---@field locks? xpio.limit locks of files; Linux
---@field msgqueue? xpio.limit bytes in message queues; Linux
---@field nice? xpio.limit how far the priority may be raised; Linux
---@field rtprio? xpio.limit priority in real time; Linux
---@field rttime? xpio.limit processor time between two waits, in real time; Linux
---@field sigpending? xpio.limit signals that wait; Linux

--- How a child starts. (Processes)
---@class (exact) xpio.attrs
---@field exe? string the program, in place of args[1]
---@field cwd? string the folder it starts in
---@field pgroup? true|xpio.process lead a process group, or join the one of a process
---@field session? boolean lead a session
---@field ctty? xpio.socket|integer|file* a terminal, to be the one that controls it
---@field umask? integer the mask for new files
---@field nice? integer is added to the priority
---@field limits? xpio.limits
---@field groups? integer[] the groups that it is a member of
---@field gid? integer its group
---@field uid? integer its user

--- How far a start came that failed, or the attribute that the system has not. (Processes)
---@alias xpio.step
---| "setpgid"
---| "ctty"
---| "descriptor"
---| "nice"
---| "setrlimit"
---| "setgroups"
---| "setgid"
---| "setuid"
---| "chdir"
---| "exec"
---| "interpreter"
---| "memory"
---| "pipe"
---| "fork"
---| string

--- Start a program. What is not named in `files` is closed in it, or /dev/null. (Processes)
---@param args string[] the program and its arguments
---@param env? table<string, string> its environment; xpio.env by default
---@param files? xpio.files what it has open
---@param attrs? xpio.attrs
---@return xpio.process? process
---@return string? message
---@return xpio.code? code
---@return xpio.step? step
function xpio.spawn(args, env, files, attrs) end

--- Whether SIGPIPE ended the program until now, and whether it does from now on. (Signals)
---@param acts? boolean
---@return boolean acted
function xpio.sigpipe(acts) end

--- Collects the tasks whose events have come. (Task queues)
---@class xpio.tqueue
local tqueue = {}

--- Wait until a task is ready, or the time is over. Without a timeout, nil if there is
--- nothing to wait for. (Task queues)
---@param timeout? number|false seconds
---@param into? table to be returned as the array, instead of a new one
---@return xpio.task[]? ready
function tqueue:wait(timeout, into) end

--- Whether no task is scheduled. (Task queues)
---@return boolean
function tqueue:isEmpty() end

--- One open descriptor: a socket, an end of a pipe, a terminal, a file. (Sockets)
---@class xpio.socket
local socket = {}

--- Close it, and wake all who wait for it. (Sockets)
---@return true?
---@return string? message
function socket:close() end

--- The number of the descriptor. (Sockets)
---@return integer? number
---@return string? message
---@return xpio.code? code
function socket:fileno() end

--- Schedule the task until there is something to read or accept. (Tasks)
---@param task xpio.task
---@return true?
---@return string? message
---@return xpio.code? code
function socket:when_read(task) end

--- Schedule the task until there is room to write, or a connect has ended. (Tasks)
---@param task xpio.task
---@return true?
---@return string? message
---@return xpio.code? code
function socket:when_write(task) end

--- Give it a local address. (Connections)
---@param address xpio.address
---@return true?
---@return string? message
---@return xpio.code? code
function socket:bind(address) end

--- Listen for connections. (Connections)
---@param backlog? integer how many may wait to be accepted
---@return true?
---@return string? message
---@return xpio.code? code
function socket:listen(backlog) end

--- The next connection. (Connections)
---@return xpio.socket? connection
---@return string? message
---@return xpio.code? code
function socket:accept() end

--- The next connection, or nil and "retry". (Connections)
---@return xpio.socket? connection
---@return "retry"|string|nil message
---@return xpio.code? code
function socket:try_accept() end

--- Connect to a peer. (Connections)
---@param address xpio.address
---@return xpio.socket? self
---@return string? message
---@return xpio.code? code
function socket:connect(address) end

--- Begin to connect, or ask what has become of it: nil and "retry" until it is known.
--- (Connections)
---@param address xpio.address
---@return xpio.socket? self
---@return "retry"|string|nil message
---@return xpio.code? code
function socket:try_connect(address) end

--- The address of this side. (Connections)
---@return xpio.address? address
---@return string? message
---@return xpio.code? code
function socket:getsockname() end

--- The address of the peer. (Connections)
---@return xpio.address? address
---@return string? message
---@return xpio.code? code
function socket:getpeername() end

--- End one direction of the connection, or both. (Connections)
---@param what "r"|"w"|"rw"|"wr"
---@return true?
---@return string? message
---@return xpio.code? code
function socket:shutdown(what) end

--- What is there, at least a byte; nil alone at the end of the stream. (Reading)
---@param size integer bytes at most
---@return string? data
---@return string? message
---@return xpio.code? code
function socket:read(size) end

--- What is there, or nil and "retry"; nil alone at the end of the stream. (Reading)
---@param size integer bytes at most
---@return string? data
---@return "retry"|string|nil message
---@return xpio.code? code
function socket:try_read(size) end

---@alias xpio.data string|number|(string|number)[]

--- Write all of it. (Writing)
---@param data xpio.data
---@param first? integer the byte to begin with
---@return integer? count
---@return string? message
---@return xpio.code? code
---@return integer? written bytes before the error
function socket:write(data, first) end

--- Write what there is room for, or nil and "retry". (Writing)
---@param data xpio.data
---@param first? integer the byte to begin with
---@return integer? count
---@return "retry"|string|nil message
---@return xpio.code? code
function socket:try_write(data, first) end

--- The next datagram, and who sent it. (Datagrams)
---@param size integer bytes at most; the rest is lost
---@return string? data
---@return xpio.address? sender or a message
---@return xpio.code? code
function socket:recvfrom(size) end

--- The next datagram and who sent it, or nil and "retry". (Datagrams)
---@param size integer bytes at most; the rest is lost
---@return string? data
---@return xpio.address|"retry"|nil sender or a message
---@return xpio.code? code
function socket:try_recvfrom(size) end

--- Send one datagram. (Datagrams)
---@param data string|number
---@param address xpio.address
---@return integer? count
---@return string? message
---@return xpio.code? code
function socket:sendto(data, address) end

--- Send one datagram, or nil and "retry". (Datagrams)
---@param data string|number
---@param address xpio.address
---@return integer? count
---@return "retry"|string|nil message
---@return xpio.code? code
function socket:try_sendto(data, address) end

---@alias xpio.option
---| "TCP_NODELAY" # boolean: send small pieces at once
---| "SO_KEEPALIVE" # boolean: notice a peer that has vanished
---| "SO_REUSEADDR" # boolean: bind to an address that was in use until just now
---| "SO_RCVBUF" # integer: bytes that the system buffers for reading
---| "SO_SNDBUF" # integer: bytes that the system buffers for writing
---| "O_NONBLOCK" # boolean: whether system calls return instead of waiting

--- What an option is set to. (Options)
---@param name xpio.option
---@return boolean|integer|nil value
---@return string? message
---@return xpio.code? code
function socket:getsockopt(name) end

--- Set an option. (Options)
---@param name xpio.option
---@param value boolean|integer
---@return true?
---@return string? message
---@return xpio.code? code
function socket:setsockopt(name, value) end

--- A child process. (Processes)
---@class xpio.process
local process = {}

--- Wait for its end: how it ended, and its status or the signal. (Processes)
---@return "exit"|"signal"|nil how
---@return integer status or a message
---@return xpio.code? code
function process:wait() end

--- How it has ended, or nil and "retry". (Processes)
---@return "exit"|"signal"|nil how
---@return integer|"retry" status or a message
---@return xpio.code? code
function process:try_wait() end

--- Schedule the task until the process has ended. (Processes)
---@param task xpio.task
---@return true?
---@return string? message
---@return xpio.code? code
function process:when_wait(task) end

---@alias xpio.signal
---| "HUP"
---| "INT"
---| "QUIT"
---| "KILL"
---| "TERM"
---| "USR1"
---| "USR2"
---| "STOP"
---| "CONT"
---| 0 # only ask whether it is there
---| string
---| integer

--- Send a signal to it, or to all of the group that it leads. (Processes)
---@param signal? xpio.signal "KILL" by default
---@param whom? "process"|"group"
---@return true?
---@return string? message
---@return xpio.code? code
function process:kill(signal, whom) end

--- Its number, for messages. (Processes)
---@return integer number
function process:pid() end

return xpio

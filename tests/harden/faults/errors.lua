-- What can go wrong with a call: the errors that its manual page gives, those first that a short
-- run is to try. EINTR only where a signal can come in between: not in calls that never wait, nor in
-- a child, where signals are blocked. "short" transfers one byte only. Of Lua's allocator, "once":
-- it has nothing until garbage was collected; "twice": and nothing then either.
--
-- An error has to be reported to the program. With a star, xpio may deal with it by itself,
-- everywhere or in the scenarios that are named after the star; with an exclamation mark, it has to.

local errors = {
  lua = "twice* once*",
  malloc = "ENOMEM*load",
  calloc = "ENOMEM",
  realloc = "ENOMEM*",

  socket = "EMFILE ENFILE ENOBUFS ENOMEM EACCES",
  socketpair = "EMFILE ENFILE ENOMEM",
  pipe2 = "EMFILE ENFILE",
  open = "EMFILE* EINTR! ENFILE* ENOENT* EACCES* ENOMEM*",
  close = "EIO* EINTR*",
  dup2 = "EMFILE EBUSY",
  fcntl_dupfd = "EMFILE",
  fcntl_getfl = "EBADF",
  fcntl_setfl = "EPERM",
  fcntl_getfd = "EBADF",
  fcntl_setfd = "EBADF",
  ioctl_FIONBIO = "ENOTTY*",
  ioctl_FIONREAD = "ENOTTY* EIO*",
  ioctl_TIOCSCTTY = "EPERM EIO",
  epoll_create1 = "EMFILE* ENFILE* ENOMEM*",
  eventfd = "EMFILE ENFILE ENOMEM",
  epoll_ctl = "ENOSPC* ENOMEM*",
  epoll_wait = "EINTR!",
  epoll_pwait = "EINTR!",
  poll = "EINTR! ENOMEM*",

  bind = "EADDRINUSE EACCES EADDRNOTAVAIL",
  listen = "EADDRINUSE",
  connect = "ECONNREFUSED EINTR! ENETUNREACH ETIMEDOUT EADDRNOTAVAIL EACCES EAGAIN!",
  accept4 = "EMFILE ECONNABORTED! EINTR! EAGAIN! ENFILE ENOBUFS ENOMEM EPROTO EPERM",
  getsockname = "ENOBUFS*foreign",
  getpeername = "ENOTCONN ENOBUFS",
  getsockopt = "ENOPROTOOPT*foreign ENOMEM*foreign",
  setsockopt = "ENOPROTOOPT ENOMEM EPERM",
  shutdown = "ENOTCONN",

  -- A child's report comes through a pipe, which can have no EIO.
  read = "short* EINTR! EAGAIN! EIO*spawn,attributes,group,children,terminal,interrupt",
  write = "short* EINTR! EAGAIN! EPIPE EIO ENOSPC",
  writev = "short* EINTR! EAGAIN! EPIPE EIO ENOSPC",
  uv_read = "EINTR!",
  uv_write = "EINTR!",
  recv = "short* EINTR! EAGAIN! ECONNRESET ETIMEDOUT ENOMEM",
  send = "short* EINTR! EAGAIN! EPIPE ECONNRESET ENOBUFS ENOMEM",
  sendmsg = "short* EINTR! EAGAIN! EPIPE ECONNRESET ENOBUFS ENOMEM",
  recvfrom = "ECONNREFUSED EINTR! EAGAIN! ENOMEM",
  sendto = "ENOBUFS EINTR! EAGAIN! EMSGSIZE ENETUNREACH EPERM ECONNREFUSED",
  preadv2 = "short* EOPNOTSUPP! EINTR! EAGAIN! EIO",
  pwritev2 = "short* EOPNOTSUPP! EINTR! EAGAIN! EPIPE EIO",

  fstat = "ENOMEM EOVERFLOW",
  fstatfs = "ENOSYS* EINTR! EIO*",
  stat = "EACCES* ENOENT*",
  access = "ENOENT EACCES",
  faccessat = "EACCES* ENOENT*",
  getcwd = "ENOENT* EACCES*",
  fflush = "ENOSPC EIO",
  isatty = "ENOTTY* EIO*",
  tcgetattr = "EIO*",
  posix_openpt = "EMFILE ENOENT ENOSPC",
  grantpt = "EACCES",
  unlockpt = "EINVAL",
  ptsname_r = "ENOTTY",

  vfork = "EAGAIN ENOMEM",
  execve = "ENOENT EACCES ENOEXEC E2BIG ENOMEM ETXTBSY",
  waitid = "EINTR! ECHILD* EINVAL*",
  waitpid = "EINTR! ECHILD*",
  kill = "ESRCH*group EPERM*group",
  setsid = "EPERM",
  setpgid = "ESRCH EPERM EACCES",
  chdir = "ENOENT EACCES EIO",
  nice = "EPERM EACCES",
  getrlimit = "EPERM*",
  setrlimit = "EPERM EINVAL",
  prctl = "EINVAL*",
  pidfd_open = "EMFILE* ENFILE* ENOMEM* ENOSYS* ENODEV*",
  pidfd_send_signal = "ESRCH* EPERM*",
  close_range = "ENOSYS* ENOMEM*",
  getdents64 = "ENOENT* EIO*",
  setresuid = "EPERM EAGAIN",
  setresgid = "EPERM EAGAIN",
  setgroups = "EPERM ENOMEM",
}

local lists = {}
for call, words in pairs(errors) do
  lists[call] = {}
  for name, mark, scenarios in words:gmatch "(%w+)([*!]?)([%w,]*)" do
    table.insert(lists[call], {
      name = name,
      dealt = mark ~= "" and (scenarios == "" or "," .. scenarios .. ","),
      must = mark == "!",
    })
  end
end
return lists

-- What libuv 1.44 does when a call of its own fails, and xpio cannot help: it ends the process, as
-- it has no way to report the error; or, where there is a text, it leaves something behind. Each
-- has to happen: when libuv has learned better, it is to leave this list.
return {
  -- The table of its watchers cannot grow (maybe_resize).
  { call = "realloc", by = "libuv" },
  -- A descriptor cannot be watched, and that is found out when it polls (uv__io_poll).
  { call = "epoll_ctl", by = "libuv" },
  -- The pipe for signals, made for the first loop of the process (uv__signal_global_init).
  { call = "pipe2", by = "libuv", scenario = "load" },
  -- A loop that cannot be made keeps its epoll (uv_loop_init).
  { call = "pipe2", by = "libuv", scenario = "load", text = "^1 descriptors are left$" },
  { call = "eventfd", by = "libuv", scenario = "load", text = "^1 descriptors are left$" },
  -- What it has copied of the environment when memory runs out (uv_os_environ).
  { call = "malloc", by = "libuv", scenario = "load", text = "^%d+ blocks of xpio or libuv are left$" },
}

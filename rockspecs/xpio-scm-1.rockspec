rockspec_format = "3.0"
package = "xpio"
version = "scm-1"

-- xpio has no public address yet: `luarocks make` does not need one.
source = {
  url = "git+https://example.invalid/xpio.git",
}

description = {
  summary = "Sockets, pipes and child processes on libuv",
  detailed = "Calls that wait suspend the coroutine; the scheduler is yours.",
  license = "MIT",
  labels = { "network", "process", "async" },
}

-- Windows: with gcc, that is mingw-w64, and no other compiler.
supported_platforms = { "unix", "mingw32" }

dependencies = { "lua >= 5.4, < 5.6" }

external_dependencies = {
  LIBUV = { header = "uv.h", library = "uv" },
}

build = {
  type = "builtin",
  modules = {
    ["xpio.dispatcher"] = "src/lua/xpio/dispatcher.lua",
  },
  -- What the system has, src/unix/features.h finds out.
  platforms = {
    unix = {
      modules = {
        xpio = {
          sources = {
            "src/address.c",
            "src/attributes.c",
            "src/blocking.c",
            "src/command.c",
            "src/connection.c",
            "src/constructors.c",
            "src/datagram.c",
            "src/error.c",
            "src/field.c",
            "src/grants.c",
            "src/host.c",
            "src/loop.c",
            "src/module.c",
            "src/option.c",
            "src/process.c",
            "src/result.c",
            "src/socket.c",
            "src/spawn.c",
            "src/state.c",
            "src/tqueue.c",
            "src/transfer.c",
            "src/unix/become.c",
            "src/unix/children.c",
            "src/unix/descriptor.c",
            "src/unix/error.c",
            "src/unix/foreign.c",
            "src/unix/names.c",
            "src/unix/pidfd.c",
            "src/unix/place.c",
            "src/unix/pool.c",
            "src/unix/search.c",
            "src/unix/signal.c",
            "src/unix/spawn.c",
            "src/unix/terminal.c",
            "src/unix/transfer.c",
            "src/unix/watcher.c",
            "src/waiter.c",
            "src/watch.c",
          },
          defines = { "_GNU_SOURCE" },
          incdirs = { "include", "$(LIBUV_INCDIR)" },
          libdirs = { "$(LIBUV_LIBDIR)" },
          libraries = { "uv" },
        },
      },
    },
    mingw32 = {
      modules = {
        xpio = {
          sources = {
            "src/address.c",
            "src/attributes.c",
            "src/blocking.c",
            "src/command.c",
            "src/connection.c",
            "src/constructors.c",
            "src/datagram.c",
            "src/error.c",
            "src/field.c",
            "src/grants.c",
            "src/host.c",
            "src/loop.c",
            "src/module.c",
            "src/option.c",
            "src/process.c",
            "src/result.c",
            "src/socket.c",
            "src/spawn.c",
            "src/state.c",
            "src/tqueue.c",
            "src/transfer.c",
            "src/waiter.c",
            "src/watch.c",
            "src/windows/children.c",
            "src/windows/connection.c",
            "src/windows/descriptor.c",
            "src/windows/error.c",
            "src/windows/foreign.c",
            "src/windows/handle.c",
            "src/windows/inherit.c",
            "src/windows/names.c",
            "src/windows/pipe.c",
            "src/windows/search.c",
            "src/windows/signal.c",
            "src/windows/spawn.c",
            "src/windows/stream.c",
            "src/windows/transfer.c",
            "src/windows/watcher.c",
          },
          defines = { "XPIO_BUILDING" },
          incdirs = { "include", "$(LIBUV_INCDIR)" },
          libdirs = { "$(LIBUV_LIBDIR)" },
          libraries = { "uv", "ws2_32", "ntdll" },
        },
      },
    },
  },
}

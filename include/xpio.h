/* xpio: sockets, pipes and child processes for Lua, on libuv. The C interface, for
 * programs that have Lua and xpio in them: hosts, below. The manual has a page on them,
 * "In C programs".
 *
 * A host that has no loop of its own needs no more than this, after luaL_openlibs:
 *
 *     xpio_preload(L);
 *
 * `require "xpio"` then finds what is linked with the host. Loading xpio sets SIGPIPE to
 * be ignored if its action is the default, for the whole process.
 *
 * A Lua state is used by one thread at a time, and its loop by the same one. States of
 * different threads have nothing to do with each other.
 *
 * Functions here may raise a Lua error, for lack of memory if nothing else is said. They
 * leave the stack of `L`, which may be any coroutine of the state, as it was.
 */
#ifndef XPIO_H
#define XPIO_H

#define XPIO_VERSION_MAJOR 0
#define XPIO_VERSION_MINOR 1
#define XPIO_VERSION_PATCH 0
#define XPIO_VERSION "0.1.0"

/* To be compared: 0.1.0 is 100, 1.2.3 is 10203. */
#define XPIO_VERSION_NUMBER                                                                        \
  (XPIO_VERSION_MAJOR * 10000 + XPIO_VERSION_MINOR * 100 + XPIO_VERSION_PATCH)

/* LUAMOD_API would mean "import" on Windows when Lua itself is a DLL, and
 * hidden visibility would hide the symbols elsewhere: so they are exported here. */
#if defined(_WIN32) && defined(XPIO_BUILDING)
#define XPIO_EXPORT __declspec(dllexport)
#elif defined(__GNUC__) && !defined(_WIN32)
#define XPIO_EXPORT __attribute__((visibility("default")))
#else
#define XPIO_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

#include <lua.h>

#if LUA_VERSION_NUM < 504 || LUA_VERSION_NUM > 505
#error "xpio is for Lua 5.4 (5.4.3 or newer) and Lua 5.5"
#endif

struct uv_loop_s; /* uv_loop_t: uv.h need not be included here */

/* The opener: pushes the module's table and returns 1. A second call in the same Lua
 * state pushes the same table. Raises an error when the event loop cannot be made. The
 * state closes everything it opened in lua_close. */
XPIO_EXPORT int luaopen_xpio(lua_State *L);

/* Makes `require` find the module and its parts in Lua (xpio.dispatcher) in this
 * program, and look nowhere else for them. Not in the Lua module xpio.so: a host links
 * the library. */
XPIO_EXPORT void xpio_preload(lua_State *L);

/* Uses the host's loop instead of one of its own; to be called before the module is
 * loaded, afterwards it returns UV_EBUSY, otherwise 0.
 *
 * The loop is to be initialized, and stays the host's. lua_close does not run it, and may
 * be called in one of its callbacks; but the handles that xpio had on it are closed only
 * when the loop is run the next time: run it once more after lua_close (UV_RUN_DEFAULT,
 * say), or uv_loop_close returns UV_EBUSY.
 *
 * What waits in Lua, outside of the loop's callbacks, runs the loop, and with it the
 * host's callbacks. */
XPIO_EXPORT int xpio_use_loop(lua_State *L, struct uv_loop_s *loop);

/* The loop of the state, be it the host's or its own; null before the module is loaded.
 * The host may have handles of its own on it, which are to be closed before lua_close
 * closes a loop that is the state's own. It may run it, too: uv_run goes on while a task
 * waits, and does not sleep while one is ready. */
XPIO_EXPORT struct uv_loop_s *xpio_loop(lua_State *L);

/* To be put around calls of Lua out of the loop's callbacks, because uv_run cannot be
 * called inside of itself. In between, `queue:wait` returns the tasks that are ready but
 * does not run the loop, and whatever would have to block raises an error, "... the host
 * runs this loop". Blocking calls in coroutines suspend them as ever. The calls may be
 * nested; protect the call of Lua (lua_pcall), lest its error skip xpio_leave. */
XPIO_EXPORT void xpio_enter(lua_State *L);
XPIO_EXPORT void xpio_leave(lua_State *L);

/* Whether any task waits, or is ready and not yet collected; whether any is ready, so that
 * it is time to call the dispatcher. Cheap, and raise no error. */
XPIO_EXPORT int xpio_is_waiting(lua_State *L);
XPIO_EXPORT int xpio_is_ready(lua_State *L);

/* Leaves SIGINT to the host: xpio then does not put a handler before one that is there,
 * and Ctrl-C does not interrupt what waits. To be called before the module is loaded;
 * afterwards it returns UV_EBUSY, otherwise 0. Without it, a SIGINT handler that exists
 * is called first, and those that do not are not missed. */
XPIO_EXPORT int xpio_leave_sigint(lua_State *L);

#ifdef __cplusplus
}
#endif

#endif

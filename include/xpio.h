/* xpio: sockets, pipes and task queues for Lua, on libuv. The C interface.
 *
 * A host that links xpio statically makes it available to its scripts with
 *
 *     luaL_requiref(L, "xpio", luaopen_xpio, 0);
 *     lua_pop(L, 1);
 */
#ifndef XPIO_H
#define XPIO_H

#include <lua.h>

#define XPIO_VERSION_MAJOR 0
#define XPIO_VERSION_MINOR 1
#define XPIO_VERSION_PATCH 0
#define XPIO_VERSION "0.1.0"

/* LUAMOD_API would mean "import" on Windows when Lua itself is a DLL, and
 * hidden visibility would hide the symbol elsewhere: so it is exported here. */
#if defined(_WIN32)
#define XPIO_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define XPIO_EXPORT __attribute__((visibility("default")))
#else
#define XPIO_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Opens the module: pushes its table and returns 1. A second call in the same
 * Lua state pushes the same table. Raises a Lua error when the event loop
 * cannot be made. The state closes everything it opened in lua_close. */
XPIO_EXPORT int luaopen_xpio(lua_State *L);

#ifdef __cplusplus
}
#endif

#endif

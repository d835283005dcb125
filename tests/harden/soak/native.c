/* Functions for Lua that the soaks need of the system and xpio has not: a Lua module. */
#include <lauxlib.h>
#include <lua.h>
#include <malloc.h>
#include <sys/socket.h>

int luaopen_native(lua_State *L);

/* reset(descriptor)
 * Has closing a socket break its connection: the peer gets ECONNRESET, and what is on the
 * way is lost. */
static int reset(lua_State *L) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  int descriptor = (int)luaL_checkinteger(L, 1);
  if (setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0)
    return luaL_error(L, "SO_LINGER cannot be set");
  return 0;
}

/* allocated() -> integer
 * How many bytes malloc has given out and not got back, after it has returned to the system
 * what pages it can: what is freed counts no more, wherever it lies. */
static int allocated(lua_State *L) {
  malloc_trim(0);
  struct mallinfo2 info = mallinfo2();
  lua_pushinteger(L, (lua_Integer)info.uordblks + (lua_Integer)info.hblkhd);
  return 1;
}

int luaopen_native(lua_State *L) {
  static const luaL_Reg functions[] = {{"reset", reset}, {"allocated", allocated}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}

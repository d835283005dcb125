/* What xpio's table says of every error that libuv knows and two more, for Lua. The table
 * alone: what the system would say instead of it is left out. */
#include "../src/error.h"

#include <lauxlib.h>
#include <string.h>

#include "../src/system.h"
#include "../src/system_child.h"

#ifdef _WIN32
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
    int luaopen_errors(lua_State *L);

const char *xpio_system_error_message(int error) {
  (void)error;
  return NULL;
}

const char *xpio_system_error_name(int error, char *buffer, size_t size) {
  (void)error;
  (void)buffer;
  (void)size;
  return NULL;
}

/* Nil where libuv has given a number to an error that this system does not have. */
static void push_system_message(lua_State *L, int error) {
#ifdef __GLIBC__
  enum { FIRST_OF_LIBUV = -3000 };
  if (error > FIRST_OF_LIBUV) {
    lua_pushstring(L, strerror(-error));
    return;
  }
#endif
  (void)error;
  lua_pushnil(L);
}

/* {{libuv = "ENOENT", name = "ENOENT", message = "...", system = "..."}, ...}: by its name
 * in libuv, what the table says, and what the GNU C library does. */
int luaopen_errors(lua_State *L) {
  static const struct {
    int error;
    const char *name;
  } known[] = {
#define KNOWN(name, message) {UV_##name, #name},
      UV_ERRNO_MAP(KNOWN)
#undef KNOWN
          {XPIO_ECHILD, "ECHILD"},
      {XPIO_ENOEXEC, "ENOEXEC"},
  };
  lua_newtable(L);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    int error = known[i].error;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, known[i].name);
    lua_setfield(L, -2, "libuv");
    lua_pushstring(L, xpio_error_name(error, NULL, 0));
    lua_setfield(L, -2, "name");
    lua_pushstring(L, xpio_error_message(error));
    lua_setfield(L, -2, "message");
    push_system_message(L, error);
    lua_setfield(L, -2, "system");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

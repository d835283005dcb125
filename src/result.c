#include "result.h"

#include <uv.h>

#include "error.h"

static void push_code(lua_State *L, int error) {
  char buffer[64];
  lua_pushstring(L, xpio_error_name(error, buffer, sizeof buffer));
}

int xpio_push_error(lua_State *L, int error) {
  lua_pushnil(L);
  if (error == UV_EAGAIN) {
    lua_pushliteral(L, "retry");
    return 2;
  }
  lua_pushstring(L, xpio_error_message(error));
  push_code(L, error);
  return 3;
}

int xpio_push_error_as(lua_State *L, int error) {
  lua_pushnil(L);
  lua_insert(L, -2);
  push_code(L, error);
  return 3;
}

int xpio_push_unsupported(lua_State *L, const char *name) {
  lua_pushfstring(L, "%s: not supported on this platform", name);
  return xpio_push_error_as(L, UV_ENOTSUP);
}

int xpio_push_result(lua_State *L, int result) {
  if (result < 0) return xpio_push_error(L, result);
  lua_pushboolean(L, 1);
  return 1;
}

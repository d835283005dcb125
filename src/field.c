/* The fields of the tables that xpio.spawn takes, and errors in them. */
#include <lauxlib.h>
#include <string.h>

#include "spawn.h"

size_t xpio_count_fields(lua_State *L, int index) {
  size_t count = 0;
  index = lua_absindex(L, index);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    count++;
    lua_pop(L, 1);
  }
  return count;
}

bool xpio_is_text(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return false;
  return strlen(lua_tostring(L, index)) == lua_rawlen(L, index);
}

int xpio_field_error(lua_State *L, int argument, const char *field, const char *problem) {
  return luaL_argerror(L, argument, lua_pushfstring(L, "%s: %s", field, problem));
}

int xpio_field_type_error(lua_State *L, int argument, const char *field, const char *expected,
                          int index) {
  const char *actual = luaL_typename(L, index);
  if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) actual = lua_tostring(L, -1);
  return xpio_field_error(L, argument, field,
                          lua_pushfstring(L, "%s expected, got %s", expected, actual));
}

int xpio_text_error(lua_State *L, int argument, const char *field, int index) {
  if (lua_type(L, index) == LUA_TSTRING)
    return xpio_field_error(L, argument, field, "a zero byte cannot be passed");
  return xpio_field_type_error(L, argument, field, "string", index);
}

/* The arguments and the environment of a child. */
#include <lauxlib.h>
#include <string.h>

#include "spawn.h"

size_t xpio_measure_arguments(lua_State *L) {
  luaL_checktype(L, XPIO_SPAWN_ARGS, LUA_TTABLE);
  return xpio_room((size_t)lua_rawlen(L, XPIO_SPAWN_ARGS) + 1, sizeof(char *));
}

/* The length of a table with a hole in it may be that of the part before. */
static void check_holes(lua_State *L, lua_Integer count) {
  lua_pushnil(L);
  while (lua_next(L, XPIO_SPAWN_ARGS)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TNUMBER) continue;
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 && lua_tointeger(L, -1) <= count)
      continue;
    const char *key = luaL_tolstring(L, -1, NULL);
    xpio_field_error(L, XPIO_SPAWN_ARGS, lua_pushfstring(L, "args[%s]", key),
                     "after a hole, or not of an array");
  }
}

void xpio_read_arguments(lua_State *L, char **memory, struct xpio_spawn *spawn) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, XPIO_SPAWN_ARGS);
  spawn->arguments = xpio_take(memory, xpio_room((size_t)count + 1, sizeof(char *)));
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, XPIO_SPAWN_ARGS, i);
    if (!xpio_is_text(L, -1))
      xpio_text_error(L, XPIO_SPAWN_ARGS, lua_pushfstring(L, "args[%I]", (LUAI_UACINT)i), -2);
    spawn->arguments[i - 1] = (char *)lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  spawn->arguments[count] = NULL;
  check_holes(L, count);
  luaL_argcheck(L, count > 0, XPIO_SPAWN_ARGS, "args: empty; args[1] is the program");
  spawn->exe = spawn->arguments[0];
}

/* What is no string counts as nothing: reading finds it. */
static size_t length_of(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING ? (size_t)lua_rawlen(L, index) : 0;
}

size_t xpio_measure_environment(lua_State *L, struct xpio_spawn *spawn) {
  size_t bytes = 0;
  spawn->variable_count = 0;
  lua_pushnil(L);
  while (lua_next(L, XPIO_SPAWN_ENV)) {
    bytes += length_of(L, -2) + sizeof "=" + length_of(L, -1);
    spawn->variable_count++;
    lua_pop(L, 1);
  }
  return xpio_room(spawn->variable_count + 1, sizeof(char *)) + xpio_room(bytes, 1);
}

/* The key below the value on top. */
static void check_variable(lua_State *L) {
  if (!xpio_is_text(L, -2)) xpio_text_error(L, XPIO_SPAWN_ENV, "env: name", -2);
  const char *name = lua_tostring(L, -2);
  if (strchr(name, '=') != NULL)
    xpio_field_error(L, XPIO_SPAWN_ENV, lua_pushfstring(L, "env: name '%s'", name),
                     "'=' cannot be part of a name");
  if (!xpio_is_text(L, -1))
    xpio_text_error(L, XPIO_SPAWN_ENV, lua_pushfstring(L, "env.%s", name), -2);
}

static char *append(char *end, lua_State *L, int index) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  memcpy(end, text, length);
  return end + length;
}

void xpio_read_environment(lua_State *L, char **memory, struct xpio_spawn *spawn) {
  char **variable = xpio_take(memory, xpio_room(spawn->variable_count + 1, sizeof *variable));
  char *end = *memory;
  spawn->environment = variable;
  lua_pushnil(L);
  while (lua_next(L, XPIO_SPAWN_ENV)) {
    check_variable(L);
    *variable++ = end;
    end = append(end, L, -2);
    *end++ = '=';
    end = append(end, L, -1);
    *end++ = '\0';
    lua_pop(L, 1);
  }
  *variable = NULL;
  xpio_take(memory, xpio_room((size_t)(end - *memory), 1));
}

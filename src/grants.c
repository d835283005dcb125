/* The files that a child is granted. */
#include <lauxlib.h>
#include <limits.h>

#include "socket.h"
#include "spawn.h"
#include "state.h"

static bool has_files(lua_State *L) {
  return !lua_isnoneornil(L, XPIO_SPAWN_FILES);
}

size_t xpio_measure_grants(lua_State *L) {
  if (!has_files(L)) return 0;
  luaL_checktype(L, XPIO_SPAWN_FILES, LUA_TTABLE);
  return xpio_room(xpio_count_fields(L, XPIO_SPAWN_FILES), sizeof(struct xpio_grant));
}

/* The key below the value on top, which must be a descriptor number. */
static int check_target(lua_State *L) {
  if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 0 && lua_tointeger(L, -2) < INT_MAX)
    return (int)lua_tointeger(L, -2);
  const char *key = luaL_tolstring(L, -2, NULL);
  return xpio_field_error(L, XPIO_SPAWN_FILES, lua_pushfstring(L, "files[%s]", key),
                          "the key is not a descriptor number");
}

/* The number of the value on top, which must be something to grant, or an error. */
static int check_source(lua_State *L, int target) {
  int number;
  if (!xpio_to_number(L, -1, &number))
    xpio_field_type_error(L, XPIO_SPAWN_FILES, lua_pushfstring(L, "files[%d]", target),
                          "xpio object, descriptor number, file handle or false", -2);
  return number;
}

int xpio_read_grants(lua_State *L, char **memory, struct xpio_spawn *spawn,
                     struct xpio_spawn_failure *failure) {
  if (!has_files(L)) return 0;
  struct xpio_grant *grant = (struct xpio_grant *)*memory;
  spawn->grants = grant;
  lua_pushnil(L);
  while (lua_next(L, XPIO_SPAWN_FILES)) {
    int target = check_target(L);
    bool closed = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    int source = closed ? -1 : check_source(L, target);
    if (source < 0 && !closed) {
      *failure = (struct xpio_spawn_failure){source, "descriptor", NULL, target};
      return -1;
    }
    struct xpio_socket *socket = xpio_test_type(L, -1, XPIO_TYPE_SOCKET);
    *grant++ = (struct xpio_grant){target, source, socket != NULL ? &socket->descriptor : NULL};
    lua_pop(L, 1);
  }
  spawn->grant_count = (size_t)(grant - spawn->grants);
  xpio_take(memory, xpio_room(spawn->grant_count, sizeof *grant));
  return 0;
}

/* An object that is named twice is closed by then. */
void xpio_release_grants(lua_State *L) {
  if (!has_files(L)) return;
  lua_pushnil(L);
  while (lua_next(L, XPIO_SPAWN_FILES)) {
    struct xpio_socket *socket = xpio_test_type(L, -1, XPIO_TYPE_SOCKET);
    if (socket != NULL && xpio_socket_is_open(socket)) xpio_socket_close(socket);
    lua_pop(L, 1);
  }
}

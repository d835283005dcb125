/* The parts in Lua, as they are contained in the library. */
#include <lauxlib.h>
#include <stddef.h>
#include <string.h>

#include "preload.h"
#include "xpio.h"

struct reading {
  const struct xpio_part *part;
  size_t line;
};

static const char *read_line(lua_State *L, void *data, size_t *size) {
  struct reading *reading = data;
  const char *line = reading->part->lines[reading->line];
  (void)L;
  if (line == NULL) return NULL;
  reading->line++;
  *size = strlen(line);
  return line;
}

/* What require calls with the name of a part: runs it, and returns its value. */
static int load_part(lua_State *L) {
  const struct xpio_part *part = lua_touserdata(L, lua_upvalueindex(1));
  struct reading reading = {part, 0};
  const char *name = lua_pushfstring(L, "=%s", part->name);
  if (lua_load(L, read_line, &reading, name, "t") != LUA_OK) return lua_error(L);
  lua_pushstring(L, part->name);
  lua_call(L, 1, 1);
  return 1;
}

void xpio_preload(lua_State *L) {
  luaL_checkstack(L, 3, "xpio");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_xpio);
  lua_setfield(L, -2, "xpio");
  for (const struct xpio_part *part = xpio_parts; part->name != NULL; part++) {
    lua_pushlightuserdata(L, (void *)part);
    lua_pushcclosure(L, load_part, 1);
    lua_setfield(L, -2, part->name);
  }
  lua_pop(L, 1);
}

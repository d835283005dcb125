#include "state.h"

#include <stdlib.h>

static const char *const type_names[XPIO_TYPES] = {
    [XPIO_TYPE_SOCKET] = "xpio.socket",
    [XPIO_TYPE_TQUEUE] = "xpio.tqueue",
    [XPIO_TYPE_WAITER] = "xpio.waiter",
    [XPIO_TYPE_PROCESS] = "xpio.process",
};

const char *xpio_type_name(enum xpio_type type) {
  return type_names[type];
}

static bool has_metatable(lua_State *L, int index, const void *metatable) {
  if (!lua_getmetatable(L, index)) return false;
  const void *found = lua_topointer(L, -1);
  lua_pop(L, 1);
  return found == metatable;
}

/* Most calls are of the object that the call before was of: its address is known to be one
 * of an object until that is finalized. */
void *xpio_test_type(lua_State *L, int index, enum xpio_type type) {
  struct xpio_state *state = xpio_state(L);
  struct xpio_object *object = lua_touserdata(L, index); /* null for a table with the metatable */
  if (object == NULL || object == state->checked[type]) return object;
  if (!has_metatable(L, index, state->metatables[type])) return NULL;
  if (!object->finalized) state->checked[type] = object;
  return object;
}

void xpio_finalized(lua_State *L, void *object, enum xpio_type type) {
  struct xpio_state *state = xpio_state(L);
  ((struct xpio_object *)object)->finalized = true;
  if (state->checked[type] == object) state->checked[type] = NULL;
}

void *xpio_check_type(lua_State *L, int argument, enum xpio_type type) {
  void *object = xpio_test_type(L, argument, type);
  if (object == NULL) luaL_typeerror(L, argument, type_names[type]);
  return object;
}

void xpio_push_upvalues(lua_State *L) {
  for (int upvalue = 1; upvalue <= XPIO_UPVALUES; upvalue++)
    lua_pushvalue(L, lua_upvalueindex(upvalue));
}

void xpio_set_functions(lua_State *L, const luaL_Reg *functions) {
  xpio_push_upvalues(L);
  luaL_setfuncs(L, functions, XPIO_UPVALUES);
}

static const char *const metafields[] = {"__name", "__index", "__gc", "__close", "__tostring"};

/* Sets a field of the table on top to the value at this index. */
static void set_field(lua_State *L, const char *name, int index) {
  lua_pushvalue(L, index);
  lua_setfield(L, -2, name);
}

void xpio_new_metatable(lua_State *L, enum xpio_type type, const luaL_Reg *methods) {
  lua_newtable(L);
  xpio_set_functions(L, methods);
  set_field(L, "__index", -1);
  lua_pushstring(L, type_names[type]);
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  for (size_t i = 0; i < sizeof metafields / sizeof *metafields; i++) {
    lua_getfield(L, -2, metafields[i]);
    lua_setfield(L, -2, metafields[i]);
  }
  set_field(L, "__metatable", -2);
  xpio_state(L)->metatables[type] = lua_topointer(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &type_names[type]);
}

void xpio_set_metatable(lua_State *L, enum xpio_type type) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &type_names[type]);
  lua_setmetatable(L, -2);
}

char *xpio_state_buffer(struct xpio_state *state, size_t size) {
  if (size <= state->buffer_size) return state->buffer;
  char *buffer = realloc(state->buffer, size);
  if (buffer == NULL) return NULL;
  state->buffer = buffer;
  state->buffer_size = size;
  return buffer;
}

#include "state.h"

#include <stdlib.h>
#include <string.h>

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

/* Once xpio is finalized no box has an object. */
static void *object_of(const struct xpio_state *state, const struct xpio_box *box,
                       enum xpio_type type) {
  return box->object != NULL && state->loop != NULL ? box->object : state->closed[type];
}

/* Most calls are of the object that the call before was of. An address alone does not say
 * that it is the same box, for Lua may have freed that without a word; but then its object
 * is still there, and no other box has it. */
static bool is_checked(lua_State *L, int index, const struct xpio_box *box,
                       const struct xpio_checked *checked) {
  return box == checked->box && lua_rawlen(L, index) == sizeof *box &&
         box->object == checked->object;
}

void *xpio_test_type(lua_State *L, int index, enum xpio_type type) {
  struct xpio_state *state = xpio_state(L);
  const struct xpio_box *box = lua_touserdata(L, index); /* null for a table with the metatable */
  if (box == NULL) return NULL;
  if (is_checked(L, index, box, &state->checked[type])) return box->object;
  if (!has_metatable(L, index, state->metatables[type])) return NULL;
  void *object = object_of(state, box, type);
  /* Waiters are taken out of their boxes by their queue, without a word to this. */
  if (object == box->object && type != XPIO_TYPE_WAITER)
    state->checked[type] = (struct xpio_checked){box, object};
  return object;
}

void *xpio_check_type(lua_State *L, int argument, enum xpio_type type) {
  void *object = xpio_test_type(L, argument, type);
  if (object == NULL) luaL_typeerror(L, argument, type_names[type]);
  return object;
}

void *xpio_object(lua_State *L, int index, enum xpio_type type) {
  return object_of(xpio_state(L), lua_touserdata(L, index), type);
}

static void set_metatable(lua_State *L, enum xpio_type type) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &type_names[type]);
  lua_setmetatable(L, -2);
}

int xpio_raise_no_memory(lua_State *L) {
  lua_pushliteral(L, "not enough memory");
  return lua_error(L);
}

struct xpio_box *xpio_new_box(lua_State *L, enum xpio_type type, int user_values) {
  struct xpio_box *box = lua_newuserdatauv(L, sizeof *box, user_values);
  box->object = NULL;
  set_metatable(L, type);
  return box;
}

/* Lua knows nothing of the object's memory, and would collect boxes that are dropped too
 * late, with their descriptors still open. So it allocates as much, once. */
static void weigh(lua_State *L, size_t size) {
  lua_newuserdatauv(L, size, 0);
  lua_pop(L, 1);
}

void *xpio_new_object(lua_State *L, enum xpio_type type, size_t size, int user_values) {
  weigh(L, size);
  struct xpio_box *box = xpio_new_box(L, type, user_values);
  struct xpio_object *object = calloc(1, size);
  if (object == NULL) {
    xpio_raise_no_memory(L);
    return NULL;
  }
  xpio_list_append(&xpio_state(L)->objects[type], &object->link);
  return box->object = object;
}

/* It lives as long as the state's userdata, which all of xpio's functions refer to. */
void *xpio_new_closed(lua_State *L, enum xpio_type type, size_t size) {
  int state = lua_upvalueindex(XPIO_UPVALUE_STATE);
  if (lua_getiuservalue(L, state, XPIO_STATE_CLOSED) == LUA_TNIL) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, state, XPIO_STATE_CLOSED);
    lua_replace(L, -2);
  }
  void *object = memset(lua_newuserdatauv(L, size, 0), 0, size);
  lua_rawseti(L, -2, type);
  lua_pop(L, 1);
  return xpio_state(L)->closed[type] = object;
}

void *xpio_take_object(lua_State *L, enum xpio_type type) {
  struct xpio_state *state = xpio_state(L);
  struct xpio_checked *checked = &state->checked[type];
  if (!has_metatable(L, 1, state->metatables[type]) || state->loop == NULL) return NULL;
  struct xpio_box *box = lua_touserdata(L, 1);
  void *object = box->object;
  box->object = NULL;
  if (checked->box == box) *checked = (struct xpio_checked){NULL, NULL};
  return object;
}

void xpio_free_object(void *object) {
  xpio_list_remove(&((struct xpio_object *)object)->link);
  free(object);
}

void xpio_push_upvalues(lua_State *L) {
  for (int upvalue = 1; upvalue <= XPIO_UPVALUES; upvalue++)
    lua_pushvalue(L, lua_upvalueindex(upvalue));
}

void xpio_set_functions(lua_State *L, const luaL_Reg *functions) {
  xpio_push_upvalues(L);
  luaL_setfuncs(L, functions, XPIO_UPVALUES);
}

static const char *const metafields[] = {"__name", "__index", "__close", "__tostring"};

/* Sets a field of the table on top to the value at this index. */
static void set_field(lua_State *L, const char *name, int index) {
  lua_pushvalue(L, index);
  lua_setfield(L, -2, name);
}

void xpio_new_metatable(lua_State *L, enum xpio_type type, const luaL_Reg *methods,
                        lua_CFunction finalizer) {
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
  if (finalizer != NULL) {
    xpio_push_upvalues(L);
    lua_pushcclosure(L, finalizer, XPIO_UPVALUES);
    lua_setfield(L, -2, "__gc");
  }
  set_field(L, "__metatable", -2);
  xpio_state(L)->metatables[type] = lua_topointer(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &type_names[type]);
}

char *xpio_state_buffer(struct xpio_state *state, size_t size) {
  if (size <= state->buffer_size) return state->buffer;
  char *buffer = realloc(state->buffer, size);
  if (buffer == NULL) return NULL;
  state->buffer = buffer;
  state->buffer_size = size;
  return buffer;
}

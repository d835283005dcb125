#include "state.h"

#include <stdlib.h>

#include "loop.h"
#include "result.h"
#include "socket.h"

static const char *const type_names[XPIO_TYPES] = {
    [XPIO_TYPE_SOCKET] = "xpio.socket",
    [XPIO_TYPE_TQUEUE] = "xpio.tqueue",
    [XPIO_TYPE_WAITER] = "xpio.waiter",
};

const char *xpio_type_name(enum xpio_type type) {
  return type_names[type];
}

void *xpio_test_type(lua_State *L, int index, enum xpio_type type) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
  const void *metatable = lua_topointer(L, -1);
  lua_pop(L, 1);
  return metatable == xpio_state(L)->metatables[type] ? lua_touserdata(L, index) : NULL;
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

void xpio_new_metatable(lua_State *L, enum xpio_type type, const luaL_Reg *methods) {
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &type_names[type]);
  lua_pushstring(L, type_names[type]);
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  xpio_set_functions(L, methods);
  xpio_state(L)->metatables[type] = lua_topointer(L, -1);
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

/* lua_close finalizes in the reverse order of creation, so nearly everything of
 * xpio's is closed by now. What is left was made by finalizers while closing:
 * Lua does not finalize that any more. */
static int state_gc(lua_State *L) {
  struct xpio_state *state = lua_touserdata(L, 1);
  if (state->loop == NULL) return 0;
  while (!xpio_list_empty(&state->sockets))
    xpio_socket_close(XPIO_CONTAINER(state->sockets.next, struct xpio_socket, open));
  xpio_loop_close(state->loop);
  state->loop = NULL;
  free(state->buffer);
  state->buffer = NULL;
  state->buffer_size = 0;
  return 0;
}

void xpio_state_open(lua_State *L) {
  struct xpio_state *state = lua_newuserdatauv(L, sizeof *state, XPIO_STATE_USER_VALUES);
  state->loop = NULL;
  state->buffer = NULL;
  state->buffer_size = 0;
  xpio_list_init(&state->sockets);
  for (int type = 0; type < XPIO_TYPES; type++) state->metatables[type] = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  int error = xpio_loop_open(&state->loop);
  if (error < 0) luaL_error(L, "xpio: cannot make an event loop: %s", xpio_error_message(error));
  lua_pushliteral(L, "_queue");
  lua_pushliteral(L, "_dequeue");
  lua_pushliteral(L, "_dequeuedata");
}

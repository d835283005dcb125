/* The opener, and what lua_close does: it alone knows all the parts. */
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "blocking.h"
#include "error.h"
#include "host.h"
#include "loop.h"
#include "process.h"
#include "result.h"
#include "socket.h"
#include "state.h"
#include "system.h"
#include "tqueue.h"
#include "waiter.h"
#include "xpio.h"

/* The first object of this type that is left; null when none is. */
static void *first_object(const struct xpio_state *state, enum xpio_type type) {
  const struct xpio_link *objects = &state->objects[type];
  if (xpio_list_empty(objects)) return NULL;
  return XPIO_CONTAINER(objects->next, struct xpio_object, link);
}

/* lua_close finalizes in the reverse order of creation, so nearly everything of
 * xpio's is gone by now. What is left was made by finalizers while closing, which Lua
 * does not finalize any more, or could not be finalized when its time was. */
static int state_gc(lua_State *L) {
  struct xpio_state *state = lua_touserdata(L, 1);
  if (state->loop == NULL) return 0;
  xpio_host_forget_state(L, state);
  void *object;
  /* Closing its pipe may end a child: whether its status is known must not depend on
   * how fast. */
  while ((object = first_object(state, XPIO_TYPE_PROCESS)) != NULL) xpio_process_free(object);
  while ((object = first_object(state, XPIO_TYPE_SOCKET)) != NULL) xpio_socket_free(object);
  /* Last, for the others wake their waiters. */
  while ((object = first_object(state, XPIO_TYPE_TQUEUE)) != NULL) xpio_tqueue_free(object);
  memset(state->checked, 0, sizeof state->checked);
  xpio_loop_close(state->loop);
  state->loop = NULL;
  free(state->buffer);
  state->buffer = NULL;
  state->buffer_size = 0;
  return 0;
}

/* Makes the state and its loop, and pushes the shared upvalues but for the last. */
static struct xpio_state *open_state(lua_State *L) {
  struct xpio_state *state = lua_newuserdatauv(L, sizeof *state, XPIO_STATE_USER_VALUES);
  memset(state, 0, sizeof *state);
  for (int type = 0; type < XPIO_TYPES; type++) xpio_list_init(&state->objects[type]);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  int error = xpio_loop_open(&state->loop, xpio_host(L));
  if (error < 0) luaL_error(L, "xpio: cannot make an event loop: %s", xpio_error_message(error));
  lua_pushliteral(L, "_queue");
  lua_pushliteral(L, "_dequeue");
  lua_pushliteral(L, "_dequeuedata");
  return state;
}

/* xpio.setCurrentTask(task | nil)
 * Sets the task that blocking calls schedule. Manual: Tasks. */
static int set_current_task(lua_State *L) {
  int type = lua_type(L, 1);
  if (type != LUA_TTABLE && type > LUA_TNIL) luaL_typeerror(L, 1, "table");
  lua_settop(L, 1);
  lua_setiuservalue(L, lua_upvalueindex(XPIO_UPVALUE_STATE), XPIO_STATE_CURRENT_TASK);
  return 0;
}

/* xpio.getCurrentTask() -> task | nil
 * Manual: Tasks. */
static int get_current_task(lua_State *L) {
  lua_getiuservalue(L, lua_upvalueindex(XPIO_UPVALUE_STATE), XPIO_STATE_CURRENT_TASK);
  return 1;
}

static int push_failure(lua_State *L, const char *message) {
  lua_pushboolean(L, 0);
  lua_pushstring(L, message);
  return 2;
}

/* Resumes the coroutine with the values on top of the stack, and pushes what
 * coroutine.resume returns; returns the number of that. */
static int resume_coroutine(lua_State *L, lua_State *coroutine, int values) {
  int results;
  if (coroutine == L) return push_failure(L, "cannot resume non-suspended coroutine");
  if (values > 0 && !lua_checkstack(coroutine, values))
    return push_failure(L, "too many arguments to resume");
  if (values > 0) lua_xmove(L, coroutine, values);
  int status = lua_resume(coroutine, L, values, &results);
  bool succeeded = status == LUA_OK || status == LUA_YIELD;
  if (!succeeded) results = 1;
  /* A C function has room for LUA_MINSTACK values (lua.h), of which few are in use. With
   * the results come a boolean, and for a moment the task. */
  if (results >= LUA_MINSTACK / 2 && !lua_checkstack(L, results + 2)) {
    lua_pop(coroutine, results);
    return push_failure(L, "too many results to resume");
  }
  lua_pushboolean(L, succeeded);
  lua_xmove(coroutine, L, results);
  return results + 1;
}

/* xpio.resume(task, coroutine, ...) -> true, values | false, message
 * coroutine.resume, in which this is the current task. Manual: Tasks. */
static int resume(lua_State *L) {
  if (lua_type(L, 1) != LUA_TTABLE) luaL_typeerror(L, 1, "table");
  lua_State *coroutine = lua_tothread(L, 2);
  if (coroutine == NULL) luaL_typeerror(L, 2, "coroutine");
  int values = lua_gettop(L) - 2, state = lua_upvalueindex(XPIO_UPVALUE_STATE);
  lua_pushvalue(L, 1);
  lua_getiuservalue(L, state, XPIO_STATE_CURRENT_TASK);
  lua_replace(L, 1);
  lua_setiuservalue(L, state, XPIO_STATE_CURRENT_TASK);
  int results = resume_coroutine(L, coroutine, values);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, state, XPIO_STATE_CURRENT_TASK);
  return results;
}

/* xpio.gettime() -> seconds
 * A float that only grows; where it starts is not said. Manual: The module. */
static int get_time(lua_State *L) {
  lua_pushnumber(L, (lua_Number)uv_hrtime() / 1e9);
  return 1;
}

/* xpio.version() -> xpio's version, libuv's version
 * Manual: The module. */
static int version(lua_State *L) {
  lua_pushliteral(L, XPIO_VERSION);
  lua_pushstring(L, uv_version_string());
  return 2;
}

/* xpio.sigpipe([acts]) -> boolean
 * Whether SIGPIPE acted until now, as it does by default: a write to a pipe without
 * a reader ends the program. acts: true for that, false to have it ignored, as it is
 * once xpio is loaded. Manual: Signals. */
static int sigpipe(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) luaL_checktype(L, 1, LUA_TBOOLEAN);
  lua_pushboolean(L, xpio_system_sigpipe_acts());
  if (!lua_isnoneornil(L, 1)) xpio_system_set_sigpipe(lua_toboolean(L, 1));
  return 1;
}

struct environment {
  uv_env_item_t *items;
  int count;
};

/* (environment) -> table. Of a name that occurs twice the first value counts,
 * as for getenv. cmd.exe keeps the current folder of each drive in variables whose
 * names begin with "=": those are its own. */
static int copy_environment(lua_State *L) {
  const struct environment *environment = lua_touserdata(L, 1);
  lua_createtable(L, 0, environment->count);
  for (int i = environment->count - 1; i >= 0; i--) {
    if (strchr(environment->items[i].name, '=') != NULL) continue;
    lua_pushstring(L, environment->items[i].value);
    lua_setfield(L, -2, environment->items[i].name);
  }
  return 1;
}

/* Pushes the environment as a table. The copy is made in a protected call, for
 * libuv's items are to be freed also when there is no memory for it. */
static void push_environment(lua_State *L) {
  struct environment environment;
  int error = uv_os_environ(&environment.items, &environment.count);
  if (error < 0) luaL_error(L, "xpio: cannot read the environment: %s", xpio_error_message(error));
  lua_pushcfunction(L, copy_environment);
  lua_pushlightuserdata(L, &environment);
  int status = lua_pcall(L, 1, 1, 0);
  uv_os_free_environ(environment.items, environment.count);
  if (status != LUA_OK) lua_error(L);
}

static void make_metatables(lua_State *L) {
  xpio_tqueue_open(L);
  xpio_socket_open(L);
  xpio_connection_open(L);
  xpio_transfer_open(L);
  xpio_datagram_open(L);
  xpio_option_open(L);
  lua_pop(L, 1);
  xpio_process_open(L);
}

/* Runs with the shared upvalues, but for the function for `_dequeue`, and
 * returns that. */
static int open_waiters(lua_State *L) {
  xpio_waiter_open(L);
  return 1;
}

/* Runs with the shared upvalues; returns the module's table. */
static int open_module(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"tqueue", xpio_tqueue_new},
      {"setCurrentTask", set_current_task},
      {"getCurrentTask", get_current_task},
      {"resume", resume},
      {"gettime", get_time},
      {"version", version},
      {"sigpipe", sigpipe},
      {NULL, NULL},
  };
  make_metatables(L);
  lua_newtable(L);
  xpio_set_functions(L, functions);
  xpio_constructors_open(L);
  xpio_spawn_open(L);
  lua_pushliteral(L, "xpio " XPIO_VERSION);
  lua_setfield(L, -2, "_VERSION");
  xpio_push_waiting(L);
  lua_setfield(L, -2, "waiting");
  push_environment(L);
  lua_setfield(L, -2, "env");
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, lua_upvalueindex(XPIO_UPVALUE_STATE), XPIO_STATE_MODULE);
  return 1;
}

/* Its address is the registry key of the module's table. */
static const char module_key;

int luaopen_xpio(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &module_key) == LUA_TTABLE) return 1;
  lua_settop(L, 0);
  xpio_system_set_sigpipe(false);
  struct xpio_state *state = open_state(L);
  for (int upvalue = 1; upvalue < XPIO_UPVALUE_DEQUEUE; upvalue++) lua_pushvalue(L, upvalue);
  lua_pushnil(L);
  lua_pushcclosure(L, open_waiters, XPIO_UPVALUES);
  lua_call(L, 0, 1);
  lua_pushcclosure(L, open_module, XPIO_UPVALUES);
  lua_call(L, 0, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &module_key);
  xpio_host_set_state(L, state); /* nothing can fail any more */
  return 1;
}

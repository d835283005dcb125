/* xpio.spawn */
#include "spawn.h"

#include <lauxlib.h>
#include <uv.h>

#include "error.h"
#include "loop.h"
#include "process.h"
#include "result.h"
#include "state.h"

/* "spawn: chdir: /nowhere: No such file or directory", and the code and the step.
 * UV_EAGAIN is no "retry" here: it says that there are too many processes. */
static int push_failure(lua_State *L, const struct xpio_spawn_failure *failure) {
  const char *message = failure->error == UV_ENOTSUP ? "not supported on this platform"
                                                     : xpio_error_message(failure->error);
  if (failure->subject != NULL)
    lua_pushfstring(L, "spawn: %s: %s: %s", failure->step, failure->subject, message);
  else if (failure->target >= 0)
    lua_pushfstring(L, "spawn: %s: files[%d]: %s", failure->step, failure->target, message);
  else
    lua_pushfstring(L, "spawn: %s: %s", failure->step, message);
  int results = xpio_push_error_as(L, failure->error);
  lua_pushstring(L, failure->step);
  return results + 1;
}

/* env is xpio.env when it is left out. */
static void default_environment(lua_State *L) {
  if (lua_isnoneornil(L, XPIO_SPAWN_ENV)) {
    lua_getiuservalue(L, lua_upvalueindex(XPIO_UPVALUE_STATE), XPIO_STATE_MODULE);
    lua_pushliteral(L, "env");
    lua_rawget(L, -2);
    lua_replace(L, XPIO_SPAWN_ENV);
    lua_pop(L, 1);
    if (!lua_istable(L, XPIO_SPAWN_ENV))
      luaL_error(L, "xpio.env: table expected, got %s", luaL_typename(L, XPIO_SPAWN_ENV));
  }
  luaL_checktype(L, XPIO_SPAWN_ENV, LUA_TTABLE);
}

/* What there is to be done, from the arguments. Returns -1 with a failure. */
static int read_all(lua_State *L, struct xpio_spawn *spawn, struct xpio_spawn_failure *failure) {
  size_t size = xpio_measure_arguments(L) + xpio_measure_environment(L, spawn) +
                xpio_measure_grants(L) + xpio_measure_attributes(L);
  char *memory = xpio_state_buffer(xpio_state(L), size);
  *failure = (struct xpio_spawn_failure){UV_ENOMEM, "memory", NULL, -1};
  if (memory == NULL) return -1;
  xpio_read_arguments(L, &memory, spawn);
  xpio_read_environment(L, &memory, spawn);
  if (xpio_read_grants(L, &memory, spawn, failure) < 0) return -1;
  return xpio_read_attributes(L, &memory, spawn, failure);
}

/* xpio.spawn(args [, env [, files [, attrs]]]) -> process | nil, message, code, step
 * args: an array of strings, the program's name first; env: a table, name to value,
 * xpio.env if it is left out; files: a table, the number in the child to an xpio
 * object, a number, a Lua file handle, or false; attrs: a table of exe, cwd, pgroup,
 * session, ctty, umask, nice, limits, uid, gid, groups.
 * The objects in files are closed when the child has started. Manual: Processes. */
static int spawn(lua_State *L) {
  lua_settop(L, XPIO_SPAWN_ATTRS);
  struct xpio_loop *loop = xpio_state(L)->loop;
  if (loop == NULL) return xpio_push_error(L, UV_EBADF);
  default_environment(L);
  struct xpio_process *process = xpio_process_new(L);
  struct xpio_spawn request = {
      .terminal = XPIO_INHERIT, .umask = XPIO_INHERIT, .gid = XPIO_INHERIT, .uid = XPIO_INHERIT};
  struct xpio_spawn_failure failure;
  struct xpio_child *child;
  /* A program that only starts children, and never waits, would have ever more zombies. */
  xpio_system_reap_orphans(loop);
  if (read_all(L, &request, &failure) < 0) return push_failure(L, &failure);
  if (xpio_system_spawn(loop, &request, &child, &failure) < 0) return push_failure(L, &failure);
  xpio_process_spawned(L, process, child);
  xpio_release_grants(L);
  return 1;
}

void xpio_spawn_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"spawn", spawn}, {NULL, NULL}};
  xpio_set_functions(L, functions);
}

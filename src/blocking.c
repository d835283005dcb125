#include "blocking.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "loop.h"
#include "result.h"
#include "state.h"

/* Its address is the value. */
static const char waiting;

void xpio_push_waiting(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&waiting);
}

int xpio_try(lua_State *L, int (*attempt)(lua_State *L)) {
  int results = attempt(L);
  if (results != XPIO_WOULD_WAIT) return results;
  lua_pushnil(L);
  lua_pushliteral(L, "retry");
  return 2;
}

int xpio_when(lua_State *L, xpio_arm *arm) {
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const char *problem = xpio_prepare(L, 2);
  if (problem != NULL) return luaL_argerror(L, 2, problem);
  return xpio_push_result(L, xpio_schedule(L, 2, arm, false));
}

static int no_operation(lua_State *L) {
  (void)L;
  return 0;
}

/* Waits on the main thread, which has no scheduler to yield to: a waiter on the
 * C stack, and the loop run until it is ready. Returns 0 or an error. */
static int wait_in_place(lua_State *L, xpio_arm *arm) {
  struct xpio_loop *loop = xpio_state(L)->loop;
  struct xpio_event *event;
  int error = arm(L, &event);
  if (error < 0 || event == NULL) return error;
  struct xpio_tqueue queue;
  struct xpio_waiter waiter;
  xpio_tqueue_init(&queue, xpio_state(L));
  xpio_waiter_init(&waiter, &queue);
  xpio_waiter_start(&waiter, event, false);
  bool interrupted = false;
  while (waiter.state == XPIO_WAITER_WAITING && !interrupted) {
    xpio_loop_pass(loop, XPIO_FOREVER);
    interrupted = xpio_loop_take_interrupt(loop);
  }
  xpio_waiter_stop(&waiter);
  if (interrupted) {
    /* lua.c's SIGINT handler has set a hook that raises the error. Hooks run
     * when a function is called, so call one. */
    lua_pushcfunction(L, no_operation);
    lua_call(L, 0, 0);
  }
  return 0;
}

static int run(lua_State *L, const struct xpio_operation *operation);

/* Above the slots of the operation lie the task that the call has scheduled, nil
 * at first, and while it is blocked, the waiter. */
static int task_slot(const struct xpio_operation *operation) {
  return operation->slots + 1;
}

static int waiter_slot(const struct xpio_operation *operation) {
  return operation->slots + 2;
}

/* Goes on after lua_yieldk: above the waiter lie the values that the coroutine was
 * resumed with. The task leaves its queue before lua_closeslot, which calls Lua
 * functions: a debug hook may raise an error there. */
static int resumed(lua_State *L, int status, lua_KContext context) {
  (void)status;
  const struct xpio_operation *operation = (const struct xpio_operation *)context;
  int values = lua_gettop(L) - waiter_slot(operation);
  xpio_unblock(L, waiter_slot(operation));
  lua_closeslot(L, waiter_slot(operation));
  if (values > 0) return values;
  lua_settop(L, task_slot(operation));
  return run(L, operation);
}

/* Schedules the call's task, perhaps again, and yields. */
static int suspend(lua_State *L, const struct xpio_operation *operation, bool again) {
  const char *problem = xpio_prepare(L, task_slot(operation));
  if (problem != NULL) return luaL_error(L, "current task: %s", problem);
  int error = xpio_schedule(L, task_slot(operation), operation->arm, again);
  if (error < 0) return xpio_push_error(L, error);
  struct xpio_waiter *waiter = lua_touserdata(L, waiter_slot(operation));
  waiter->blocked = L;
  /* Should the coroutine be closed instead of resumed, this dequeues the task. */
  lua_toclose(L, waiter_slot(operation));
  xpio_push_waiting(L);
  return lua_yieldk(L, 1, (lua_KContext)operation, resumed);
}

static bool on_main_thread(lua_State *L) {
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  return main;
}

/* Why the call cannot be suspended here, or null. Fills the task's slot, once: the
 * call goes on with its task whatever is current later. */
static const char *obstacle(lua_State *L, const struct xpio_operation *operation) {
  if (!lua_isyieldable(L) && on_main_thread(L))
    return "this call would have to wait, but the host runs this loop";
  if (!lua_isyieldable(L))
    return "this call would have to wait, but its coroutine cannot yield here (inside table.sort "
           "or string.gsub, say)";
  if (!lua_isnil(L, task_slot(operation))) return NULL;
  lua_getiuservalue(L, lua_upvalueindex(XPIO_UPVALUE_STATE), XPIO_STATE_CURRENT_TASK);
  lua_replace(L, task_slot(operation));
  if (!lua_isnil(L, task_slot(operation))) return NULL;
  return "no current task: call xpio.setCurrentTask before a blocking call in a coroutine";
}

static int run(lua_State *L, const struct xpio_operation *operation) {
  bool waited = !lua_isnil(L, task_slot(operation));
  for (;;) {
    xpio_state(L)->again = waited;
    int results = operation->attempt(L);
    if (results != XPIO_WOULD_WAIT) return results;
    lua_settop(L, task_slot(operation));
    if (!lua_isyieldable(L) && on_main_thread(L) && xpio_loop_may_run(xpio_state(L)->loop)) {
      int error = wait_in_place(L, operation->arm);
      if (error < 0) return xpio_push_error(L, error);
      waited = true;
      continue;
    }
    const char *problem = obstacle(L, operation);
    if (problem == NULL) return suspend(L, operation, waited);
    /* The attempt may not have tried at all: before complaining, make sure. */
    xpio_state(L)->again = true;
    results = operation->attempt(L);
    if (results != XPIO_WOULD_WAIT) return results;
    return luaL_error(L, "%s", problem);
  }
}

int xpio_block(lua_State *L, const struct xpio_operation *operation) {
  lua_settop(L, operation->arguments);
  lua_settop(L, task_slot(operation));
  return run(L, operation);
}

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

int xpio_try(lua_State *L, enum xpio_type type, xpio_attempt *attempt) {
  int results = attempt(L, xpio_check_type(L, 1, type), false);
  if (results != XPIO_WOULD_WAIT) return results;
  lua_pushnil(L);
  lua_pushliteral(L, "retry");
  return 2;
}

int xpio_when(lua_State *L, enum xpio_type type, xpio_arm *arm) {
  void *object = xpio_check_type(L, 1, type);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  struct xpio_tqueue *queue = xpio_prepare(L, 2);
  if (queue == NULL) return luaL_argerror(L, 2, lua_tostring(L, -1));
  return xpio_push_result(L, xpio_schedule(L, 2, queue, arm, object, false));
}

static int no_operation(lua_State *L) {
  (void)L;
  return 0;
}

/* Waits on the main thread, which has no scheduler to yield to: a waiter on the
 * C stack, and the loop run until it is ready. Returns 0 or an error. */
static int wait_in_place(lua_State *L, xpio_arm *arm, void *object) {
  struct xpio_loop *loop = xpio_state(L)->loop;
  struct xpio_event *event;
  int error = arm(object, &event);
  if (error < 0 || event == NULL) return error;
  struct xpio_tqueue queue = {.state = NULL};
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

static int run(lua_State *L, const struct xpio_operation *operation, void *object, bool again);

/* Above the slots of the operation lie the task that the call has scheduled, and while
 * it is blocked, the waiter. */
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
  bool fits = values == 0 || lua_checkstack(L, LUA_MINSTACK);
  if (!fits) lua_settop(L, waiter_slot(operation)); /* now there is room again */
  xpio_unblock(L, waiter_slot(operation));
  lua_closeslot(L, waiter_slot(operation));
  if (!fits) return luaL_error(L, "stack overflow (too many values to resume with)");
  if (values > 0) return values;
  lua_settop(L, task_slot(operation));
  return run(L, operation, xpio_object(L, 1, operation->type), true);
}

/* Schedules the call's task, perhaps again, and yields. */
static int suspend(lua_State *L, const struct xpio_operation *operation, void *object, bool again) {
  int task = task_slot(operation);
  struct xpio_tqueue *queue = xpio_prepare(L, task);
  if (queue == NULL) return luaL_error(L, "current task: %s", lua_tostring(L, -1));
  int error = xpio_schedule(L, task, queue, operation->arm, object, again);
  if (error < 0) return operation->failure(L, error);
  xpio_set_blocked(L, waiter_slot(operation));
  /* Should the coroutine be closed instead of resumed, this dequeues the task. */
  lua_toclose(L, waiter_slot(operation));
  xpio_push_waiting(L);
  return lua_yieldk(L, 1, (lua_KContext)operation, resumed);
}

/* Says that the call cannot wait; but if the attempt has not tried at all, it may yet
 * succeed. */
static int refuse(lua_State *L, const struct xpio_operation *operation, void *object,
                  const char *problem) {
  int results = operation->attempt(L, object, true);
  return results != XPIO_WOULD_WAIT ? results : luaL_error(L, "%s", problem);
}

static bool on_main_thread(lua_State *L) {
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  return main;
}

static const char *why_not_yieldable(lua_State *L) {
  if (on_main_thread(L)) return "this call would have to wait, but the host runs this loop";
  return "this call would have to wait, but its coroutine cannot yield here (inside table.sort "
         "or string.gsub, say)";
}

/* Waits in the coroutine. The task is that which is current when it waits first, whatever
 * is current later. */
static int wait_suspended(lua_State *L, const struct xpio_operation *operation, void *object,
                          bool again) {
  if (!again && lua_getiuservalue(L, lua_upvalueindex(XPIO_UPVALUE_STATE),
                                  XPIO_STATE_CURRENT_TASK) == LUA_TNIL)
    return refuse(
        L, operation, object,
        "no current task: call xpio.setCurrentTask before a blocking call in a coroutine");
  return suspend(L, operation, object, again);
}

static int run(lua_State *L, const struct xpio_operation *operation, void *object, bool again) {
  for (;;) {
    int results = operation->attempt(L, object, again);
    if (results != XPIO_WOULD_WAIT) return results;
    if (lua_isyieldable(L)) return wait_suspended(L, operation, object, again);
    if (!on_main_thread(L) || !xpio_loop_may_run(xpio_state(L)->loop))
      return refuse(L, operation, object, why_not_yieldable(L));
    int error = wait_in_place(L, operation->arm, object);
    if (error < 0) return operation->failure(L, error);
    again = true;
  }
}

int xpio_block(lua_State *L, const struct xpio_operation *operation) {
  void *object = xpio_check_type(L, 1, operation->type);
  lua_settop(L, operation->arguments);
  return run(L, operation, object, false);
}

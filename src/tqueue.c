#include "tqueue.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <uv.h>

#include "loop.h"
#include "result.h"
#include "state.h"
#include "system.h"
#include "waiter.h"

/* A timeout of this many seconds, 285 years, or more is one without an end: its
 * nanoseconds would come close to what 64 bits hold. */
#define LONGEST_SECONDS 9e9

static struct xpio_tqueue *check_queue(lua_State *L) {
  return xpio_check_type(L, 1, XPIO_TYPE_TQUEUE);
}

/* The timeout at this index in nanoseconds, rounded up. */
static uint64_t check_timeout(lua_State *L, int argument) {
  if (lua_type(L, argument) != LUA_TNUMBER) luaL_typeerror(L, argument, "number");
  lua_Number seconds = lua_tonumber(L, argument);
  luaL_argcheck(L, seconds == seconds, argument, "timeout is not a number (NaN)");
  if (seconds <= 0) return 0;
  if (seconds >= LONGEST_SECONDS) return XPIO_FOREVER;
  return (uint64_t)(seconds * 1e9) + 1;
}

/* Whether Ctrl-C is to end a wait that began when there had been `count` of them:
 * it has come since, or the hook that raises its error has not run yet. A wake-up
 * may also be left over from one whose error was raised outside of any wait. */
static bool is_interrupted(lua_State *L, struct xpio_loop *loop, unsigned count) {
  if (!xpio_loop_take_interrupt(loop)) return false;
  if (xpio_system_interrupt_count() != count) return true;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  bool hooked = lua_gethook(lua_tothread(L, -1)) != NULL;
  lua_pop(L, 1);
  return hooked;
}

/* Runs the loop until the queue has a ready task, the time is over, or Ctrl-C.
 * One pass is made in any case: an object that is always ready must not keep
 * the events of others out. But where the host runs the loop, it has made that. */
static void poll_queue(lua_State *L, struct xpio_tqueue *queue, uint64_t timeout) {
  struct xpio_loop *loop = queue->state->loop;
  unsigned interrupts = xpio_system_interrupt_count();
  bool may_run = xpio_loop_may_run(loop);
  if (timeout == 0 || queue->ready_count > 0) {
    if (may_run) xpio_loop_pass(loop, 0);
    xpio_loop_take_interrupt(loop);
    return;
  }
  if (!may_run) luaL_error(L, "wait would have to block, but the host runs this loop");
  uint64_t start = timeout == XPIO_FOREVER ? 0 : uv_hrtime();
  uint64_t left = timeout;
  do {
    xpio_loop_pass(loop, left);
    if (is_interrupted(L, loop, interrupts)) return;
    if (timeout != XPIO_FOREVER) {
      /* libuv's timers are milliseconds and may fire early. */
      uint64_t elapsed = uv_hrtime() - start;
      left = elapsed < timeout ? timeout - elapsed : 0;
    }
  } while (queue->ready_count == 0 && left > 0);
}

/* Makes sure that the array at index 3 has an element for so many tasks: what is nil
 * becomes false. After that, no task is lost for want of memory. */
static void make_room(lua_State *L, size_t count) {
  for (size_t i = 1; i <= count; i++) {
    if (lua_rawgeti(L, 3, (lua_Integer)i) == LUA_TNIL) {
      lua_pushboolean(L, 0);
      lua_rawseti(L, 3, (lua_Integer)i);
    }
    lua_pop(L, 1);
  }
}

/* Ends the array at index 3, the top, after so many elements. */
static void end_after(lua_State *L, size_t count) {
  lua_Integer i = (lua_Integer)count;
  while (lua_rawgeti(L, 3, ++i) != LUA_TNIL) {
    lua_pushnil(L);
    lua_rawseti(L, 3, i);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Makes the array at index 3, a table that is used again or nil, that of the tasks that
 * are ready now, and leaves it on top. A finalizer that runs when memory is allocated may
 * change their number. */
static int push_ready(lua_State *L, struct xpio_tqueue *queue) {
  size_t count = queue->ready_count;
  bool again = !lua_isnil(L, 3);
  if (again) {
    make_room(L, count);
  } else {
    lua_createtable(L, count < INT_MAX ? (int)count : INT_MAX, 0);
    lua_replace(L, 3);
  }
  if (count > queue->ready_count) count = queue->ready_count;
  if (count > 0) {
    lua_getiuservalue(L, 1, XPIO_TQUEUE_SLOTS);
    for (size_t i = 1; i <= count; i++) {
      xpio_collect(L, queue, 4);
      lua_rawseti(L, 3, (lua_Integer)i);
    }
    lua_pop(L, 1);
  }
  if (again) end_after(L, count);
  return 1;
}

/* tqueue:wait([timeout [, into]]) -> array of tasks | nil
 * timeout: seconds; nil or false for none. into: a table that becomes the array.
 * nil: nothing is scheduled and there is no timeout. The array is empty when the time was
 * over or on Ctrl-C. Raises an error when it would have to block in a callback of the
 * host's. Manual: Task queues. */
static int tqueue_wait(lua_State *L) {
  struct xpio_tqueue *queue = check_queue(L);
  bool timed = lua_toboolean(L, 2);
  uint64_t timeout = timed ? check_timeout(L, 2) : XPIO_FOREVER;
  int into = lua_type(L, 3);
  if (into != LUA_TTABLE && into > LUA_TNIL) luaL_typeerror(L, 3, "table");
  lua_settop(L, 3);
  if (queue->closed || queue->state->loop == NULL || (!timed && queue->scheduled == 0)) {
    lua_pushnil(L);
    return 1;
  }
  poll_queue(L, queue, timeout);
  return push_ready(L, queue);
}

/* tqueue:isEmpty() -> boolean
 * True when no task is scheduled on the queue. Manual: Task queues. */
static int tqueue_is_empty(lua_State *L) {
  const struct xpio_tqueue *queue = check_queue(L);
  lua_pushboolean(L, queue->scheduled == 0);
  return 1;
}

/* tostring(tqueue) -> "task queue (1 waiting, 0 ready)" */
static int tqueue_tostring(lua_State *L) {
  const struct xpio_tqueue *queue = check_queue(L);
  lua_pushfstring(L, "task queue (%I waiting, %I ready)",
                  (LUAI_UACINT)(queue->scheduled - queue->ready_count),
                  (LUAI_UACINT)queue->ready_count);
  return 1;
}

/* The __gc that a program may call: the queue stays usable, as one that takes no tasks. */
static int tqueue_leave(lua_State *L) {
  xpio_dequeue_all(L, 1, check_queue(L));
  return 0;
}

/* Called by the collector. */
static int tqueue_finalize(lua_State *L) {
  struct xpio_tqueue *queue = xpio_take_object(L, XPIO_TYPE_TQUEUE);
  if (queue == NULL) return 0;
  xpio_dequeue_all(L, 1, queue);
  xpio_forget_waiters(L, 1, queue);
  xpio_tqueue_free(queue);
  return 0;
}

/* xpio.tqueue() -> tqueue
 * Manual: Task queues. */
int xpio_tqueue_new(lua_State *L) {
  struct xpio_state *state = xpio_state(L);
  if (state->loop == NULL) return xpio_push_error(L, UV_EBADF);
  struct xpio_tqueue *queue =
      xpio_new_object(L, XPIO_TYPE_TQUEUE, sizeof *queue, XPIO_TQUEUE_USER_VALUES);
  xpio_tqueue_init(queue, state);
  lua_newtable(L);
  lua_setiuservalue(L, -2, XPIO_TQUEUE_SLOTS);
  return 1;
}

void xpio_tqueue_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", tqueue_wait},  {"isEmpty", tqueue_is_empty},
      {"__gc", tqueue_leave}, {"__tostring", tqueue_tostring},
      {NULL, NULL},
  };
  struct xpio_tqueue *closed = xpio_new_closed(L, XPIO_TYPE_TQUEUE, sizeof *closed);
  xpio_tqueue_init(closed, xpio_state(L));
  closed->closed = true;
  xpio_new_metatable(L, XPIO_TYPE_TQUEUE, methods, tqueue_finalize);
  lua_pop(L, 1);
}

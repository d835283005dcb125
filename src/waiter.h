/* Waiters: one stands for one task on one queue.
 *
 * A waiter is a userdata of the queue, kept and reused by it. While it is
 * scheduled it holds the task and the object waited for as user values, so
 * that both live as long as the queue does. `task._dequeuedata` is the waiter.
 *
 *              schedule                 wake                  collect
 *     idle ---------------> waiting ------------> ready ----------------> idle
 *       ^                      |                    |
 *       +------ dequeue -------+------ dequeue -----+
 *
 * A waiting waiter is in the list of the event it waits for, the others are in
 * the lists of their queue.
 */
#ifndef XPIO_WAITER_H
#define XPIO_WAITER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "list.h"

struct xpio_state;

struct xpio_tqueue {
  struct xpio_state *state;
  struct xpio_link ready; /* waiters whose event has come, in that order */
  struct xpio_link idle;  /* waiters for reuse */
  size_t waiting_count, ready_count;
  lua_Integer slots; /* waiters made: the length of the queue's first user value */
  bool closed;       /* finalized: takes no more tasks */
};

enum xpio_waiter_state { XPIO_WAITER_IDLE, XPIO_WAITER_WAITING, XPIO_WAITER_READY };

struct xpio_waiter {
  struct xpio_link link;
  struct xpio_tqueue *queue;
  /* The coroutine whose blocking call scheduled it, else null; only compared. */
  const lua_State *blocked;
  lua_Integer slot; /* where the queue keeps it */
  enum xpio_waiter_state state;
};

/* The user values of a waiter, and of a queue. */
enum { XPIO_WAITER_TASK = 1, XPIO_WAITER_OBJECT, XPIO_WAITER_USER_VALUES = 2 };
enum { XPIO_TQUEUE_WAITERS = 1, XPIO_TQUEUE_USER_VALUES = 1 };

/* Finds the list that a waiter for some event of the object at stack index 1
 * belongs to, and sees to it that the event will be noticed. Null when the
 * event is there already. Returns 0 or an error. */
typedef int xpio_arm(lua_State *L, struct xpio_link **event);

/* An empty queue, and a waiter of it that no Lua value stands for. */
void xpio_tqueue_init(struct xpio_tqueue *queue, struct xpio_state *state);
void xpio_waiter_init(struct xpio_waiter *waiter, struct xpio_tqueue *queue);

/* What is wrong with scheduling the table at this index, pushed as a string; or
 * null, and its queue is pushed. Reading `_queue` may raise an error. */
const char *xpio_task_problem(lua_State *L, int task);

/* Schedules the task at index `task` on the queue on top of the stack, to wait
 * for an event of the object at index 1. Replaces the queue by the waiter and
 * returns 0; on failure pops it, returns the error and changes nothing. May
 * raise a memory error, and then too has changed nothing. */
int xpio_schedule(lua_State *L, int task, xpio_arm *arm);

/* Links a waiter to its event, or makes it ready when that is null. */
void xpio_waiter_start(struct xpio_waiter *waiter, struct xpio_link *event);

/* Takes a waiter out of its event's list or the ready list. */
void xpio_waiter_stop(struct xpio_waiter *waiter);

/* Makes every waiter in the list ready. */
void xpio_wake(struct xpio_link *event);

/* Takes the first ready waiter's task out of the queue, the userdata at index
 * `queue`, and pushes it. There must be one. Allocates nothing. */
void xpio_collect(lua_State *L, int queue);

/* Takes all tasks out of a queue, whose userdata is at this index. */
void xpio_dequeue_all(lua_State *L, int queue);

/* Makes the waiters' metatable, and pushes the function for `_dequeue`. */
void xpio_waiter_open(lua_State *L);

#endif

/* Waiters: one stands for one task on one queue.
 *
 * A waiter belongs to the queue, and is reused by it; so does the userdata that Lua code
 * has of it, `task._dequeuedata`. While it is scheduled the queue holds the task and the
 * object waited for beside that, so that both live as long as the queue does.
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
#include "state.h"

struct xpio_tqueue {
  struct xpio_object object;
  struct xpio_state *state;
  struct xpio_link ready;     /* waiters whose event has come, in that order */
  struct xpio_link idle;      /* waiters for reuse */
  struct xpio_block *waiters; /* a list of the memory of all; the first has room for more */
  size_t scheduled;           /* tasks that are waiting or ready */
  size_t ready_count;         /* those that are ready */
  lua_Integer slots;          /* the length of the queue's user value */
  bool closed;                /* finalized: takes no more tasks */
};

enum xpio_waiter_state { XPIO_WAITER_IDLE, XPIO_WAITER_WAITING, XPIO_WAITER_READY };

/* Something to wait for. */
struct xpio_event {
  struct xpio_link waiters;
  /* An attempt at what they wait for has succeeded. Who begins to wait next is
   * taken to have had its turn, and is woken after those who have not; a blocking
   * call that was woken in vain and waits again has not. Otherwise, of many readers
   * the first to be woken would be the first to wait again, for ever. */
  bool served;
  bool woken; /* some have been woken, and nothing has been attempted since */
};

struct xpio_waiter {
  struct xpio_link link;
  struct xpio_tqueue *queue;
  /* The coroutine whose blocking call scheduled it, else null; only compared. */
  const lua_State *blocked;
  lua_Integer slot;    /* where the queue keeps it: one of its user value */
  unsigned char state; /* an enum xpio_waiter_state, in less memory */
  bool served;         /* its task had its turn when it began to wait */
};

/* The user value of a queue, and of its waiters, is an array of slots. These have three
 * elements each: a waiter, its task, and the object waited for; the latter two are false
 * while it is idle. */
enum { XPIO_TQUEUE_SLOTS = 1, XPIO_TQUEUE_USER_VALUES = 1 };
enum { XPIO_WAITER_SLOTS = 1, XPIO_WAITER_USER_VALUES = 1 };
enum { XPIO_SLOT_WAITER, XPIO_SLOT_TASK, XPIO_SLOT_OBJECT, XPIO_SLOT_ELEMENTS };

/* Finds the event of the object to wait for, and sees to it that it will be noticed.
 * Null when it is there already. Returns 0 or an error. */
typedef int xpio_arm(void *object, struct xpio_event **event);

/* An empty queue, of zeros before, and a waiter of it that no Lua value stands for. */
void xpio_tqueue_init(struct xpio_tqueue *queue, struct xpio_state *state);

/* Frees a queue, and the waiters with it: none may be waiting, or what they wait for is
 * gone. */
void xpio_tqueue_free(struct xpio_tqueue *queue);
void xpio_waiter_init(struct xpio_waiter *waiter, struct xpio_tqueue *queue);

/* Prepares the table at this index, the top of the stack, for being scheduled: returns its
 * queue, which then has an idle waiter, with what belongs to it on the stack; or pushes
 * what is wrong with the task and returns null. Reading `_queue` may raise an error. */
struct xpio_tqueue *xpio_prepare(lua_State *L, int task);

/* Schedules the task on its queue, right after xpio_prepare, to wait for an event of the
 * object, the userdata at index 1. Pushes the waiter right above the task and returns 0;
 * on failure it pushes nothing, returns the error, and the task is as it was. May raise a
 * memory error; the task is not scheduled then. `again`: the task was woken in vain. */
int xpio_schedule(lua_State *L, int task, struct xpio_tqueue *queue, xpio_arm *arm, void *object,
                  bool again);

/* Lets an idle waiter wait for the event, or makes it ready when that is null. */
void xpio_waiter_start(struct xpio_waiter *waiter, struct xpio_event *event, bool again);

/* Makes a waiter idle, wherever it is. */
void xpio_waiter_stop(struct xpio_waiter *waiter);

void xpio_event_init(struct xpio_event *event);

/* To be told the result of every attempt at what the event's waiters want. */
static inline void xpio_event_attempted(struct xpio_event *event, ptrdiff_t result) {
  if (result >= 0) event->served = true;
  event->woken = false;
}

/* Whether what there is, or will be, is for others, who have waited: for a call that
 * has not. They may still be on their way from their queue. */
static inline bool xpio_event_is_awaited(const struct xpio_event *event) {
  return event->woken || !xpio_list_empty(&event->waiters);
}

/* Makes all its waiters ready: first, in the order in which they came, those
 * whose turn it is. */
void xpio_wake(struct xpio_event *event);

/* Lets the waiter at this index, just scheduled, stand for a blocking call of the running
 * coroutine; and dequeues its task, if it still does. */
void xpio_set_blocked(lua_State *L, int index);
void xpio_unblock(lua_State *L, int index);

/* Takes the first ready waiter's task out of the queue and pushes it. There must
 * be one. `slots` is the index of the queue's user value. Allocates nothing. */
void xpio_collect(lua_State *L, struct xpio_tqueue *queue, int slots);

/* Takes all tasks out of the queue at this index, which takes no more after that. */
void xpio_dequeue_all(lua_State *L, int index, struct xpio_tqueue *queue);

/* Sees to it that nothing of Lua's at this index refers to the waiters any more. */
void xpio_forget_waiters(lua_State *L, int index, const struct xpio_tqueue *queue);

/* Makes the waiters' metatable, and pushes the function for `_dequeue`. */
void xpio_waiter_open(lua_State *L);

#endif

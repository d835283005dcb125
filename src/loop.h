/* The event loop of a Lua state, which all its task queues share. */
#ifndef XPIO_LOOP_H
#define XPIO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct xpio_loop {
  uv_loop_t uv;
  uv_timer_t timer;       /* ends a pass at its deadline */
  uv_async_t wakeup;      /* sent by the SIGINT handler */
  uint64_t chained;       /* uv_now when the signal handlers were last looked at */
  uv_timer_t chain_timer; /* and when it should be looked at again */
  uint64_t pass;          /* counts the passes: tells a repeated event from a new one */
  bool interrupted;
  struct xpio_watcher *watchers;  /* a list of the system's */
  struct xpio_children *children; /* the system's; null until the first is spawned */
};

/* Waits without a deadline; also the longest timeout, 584 years. */
#define XPIO_FOREVER UINT64_MAX

/* Makes a loop, to be closed by the caller. Returns 0 or a libuv error. */
int xpio_loop_open(struct xpio_loop **loop);

/* Everything that was opened on the loop must be closed before. */
void xpio_loop_close(struct xpio_loop *loop);

/* Runs the loop once and sleeps in it for at most this many nanoseconds, until
 * something happens. Callbacks run in here, and only here. */
void xpio_loop_pass(struct xpio_loop *loop, uint64_t nanoseconds);

/* True once after every SIGINT. */
bool xpio_loop_take_interrupt(struct xpio_loop *loop);

#endif

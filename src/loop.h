/* The event loop of a Lua state, which all its task queues share: its own, or one of the
 * host, the C program around it, which may run it too. */
#ifndef XPIO_LOOP_H
#define XPIO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* What the host has said, by the functions in xpio.h. */
struct xpio_host {
  uv_loop_t *loop;     /* to be used; null: the state makes one of its own */
  unsigned entered;    /* how many of its callbacks, out of its uv_run, are calling Lua */
  bool handles_sigint; /* leave SIGINT to it */
};

/* No handle here keeps uv_run going by itself: `wakeup` does, while there is a task. */
struct xpio_loop {
  uv_loop_t *uv;
  uv_loop_t own;
  const struct xpio_host *host;
  uv_timer_t timer;     /* ends a pass at its deadline */
  uv_async_t wakeup;    /* sent by the SIGINT handler */
  uv_prepare_t prepare; /* comes before every poll, whoever runs the loop */
  uv_idle_t idle;       /* while it is active the poll does not sleep */
  uint32_t pass;        /* counts the polls: tells a repeated event from a new one */
  size_t handles;       /* open, or not closed yet */
  size_t scheduled;     /* tasks that are waiting or ready */
  size_t ready;         /* those that are ready */
  bool running;         /* xpio_loop_pass does, now */
  bool closing;
  bool interrupted;
  struct xpio_watcher *watchers;  /* a list of the system's */
  struct xpio_spares *spares;     /* an array of some, or null */
  struct xpio_pool *pool;         /* what watches the others, or null */
  size_t direct;                  /* how many libuv watches itself */
  struct xpio_children *children; /* the system's; null until the first is spawned */
};

/* Waits without a deadline; also the longest timeout, 584 years. */
#define XPIO_FOREVER UINT64_MAX

/* Makes a loop, to be closed by the caller. `host` must be there until then. Returns 0
 * or a libuv error. */
int xpio_loop_open(struct xpio_loop **result, const struct xpio_host *host);

/* Everything that was opened on the loop must be closed before. The host's loop is not
 * run: there the memory is freed when the host runs it next. */
void xpio_loop_close(struct xpio_loop *loop);

/* Whether it is the state's own, and not the host's. */
bool xpio_loop_is_own(const struct xpio_loop *loop);

/* Whether xpio_loop_pass may be called: it may not out of a callback of the loop. */
bool xpio_loop_may_run(const struct xpio_loop *loop);

/* Runs the loop once and sleeps in it for at most this many nanoseconds, until
 * something happens. Callbacks run in here, and out of the host's uv_run. */
void xpio_loop_pass(struct xpio_loop *loop, uint64_t nanoseconds);

/* True once after every SIGINT. */
bool xpio_loop_take_interrupt(struct xpio_loop *loop);

/* To be told how many tasks there are, of all queues of the loop. */
void xpio_loop_count_scheduled(struct xpio_loop *loop, int difference);

/* Every handle on the loop is counted: `add`, after its init, makes it one that does not
 * keep uv_run going, and its close callback ends with `closed`: the loop may be gone
 * after that. `close` is uv_close with such a callback that does nothing else. */
void xpio_loop_add_handle(struct xpio_loop *loop, uv_handle_t *handle);
void xpio_loop_close_handle(struct xpio_loop *loop, uv_handle_t *handle);
void xpio_loop_handle_closed(struct xpio_loop *loop);

#endif

#include "loop.h"

#include <stdlib.h>

#include "system.h"
#include "system_child.h"

/* How often a pass that may sleep looks whether a new signal handler has been
 * installed: lua.c installs that for SIGINT anew for every line it reads. */
enum { CHAIN_MILLISECONDS = 100 };

/* The longest timer: libuv adds it to the current time. */
#define LONGEST_MILLISECONDS (UINT64_MAX / 4)

/* Ends the pass. Until version 1.45 uv_run calls the timers that are due before it
 * polls; if that was the last of them it would now poll without a timeout. */
static void on_timer(uv_timer_t *timer) {
  uv_stop(timer->loop);
}

static void on_wakeup(uv_async_t *wakeup) {
  struct xpio_loop *loop = wakeup->data;
  loop->interrupted = true;
}

static int init(struct xpio_loop *loop) {
  int error = uv_loop_init(&loop->uv);
  if (error < 0) return error;
  uv_timer_init(&loop->uv, &loop->timer);
  uv_timer_init(&loop->uv, &loop->chain_timer);
  uv_unref((uv_handle_t *)&loop->chain_timer);
  error = uv_async_init(&loop->uv, &loop->wakeup, on_wakeup);
  if (error == 0) {
    loop->wakeup.data = loop;
    uv_unref((uv_handle_t *)&loop->wakeup);
    return 0;
  }
  uv_close((uv_handle_t *)&loop->timer, NULL);
  uv_close((uv_handle_t *)&loop->chain_timer, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  uv_loop_close(&loop->uv);
  return error;
}

int xpio_loop_open(struct xpio_loop **result) {
  struct xpio_loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL) return UV_ENOMEM;
  unsigned reserved = xpio_system_reserve_standard();
  int error = init(loop);
  xpio_system_release_standard(reserved);
  if (error < 0) {
    free(loop);
    return error;
  }
  xpio_system_interrupt_add(&loop->wakeup);
  *result = loop;
  return 0;
}

void xpio_loop_close(struct xpio_loop *loop) {
  xpio_system_interrupt_remove(&loop->wakeup);
  xpio_system_close_watchers(loop);
  xpio_system_close_children(loop);
  uv_close((uv_handle_t *)&loop->wakeup, NULL);
  uv_close((uv_handle_t *)&loop->timer, NULL);
  uv_close((uv_handle_t *)&loop->chain_timer, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  uv_loop_close(&loop->uv);
  xpio_system_free_watchers(loop);
  xpio_system_free_children(loop);
  free(loop);
}

static void start_timer(struct xpio_loop *loop, uint64_t nanoseconds) {
  uint64_t milliseconds = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
  if (milliseconds > LONGEST_MILLISECONDS) milliseconds = LONGEST_MILLISECONDS;
  /* libuv counts from the time it has cached, which may be long past. */
  uv_update_time(&loop->uv);
  uv_timer_start(&loop->timer, on_timer, milliseconds, 0);
}

/* Looks for new signal handlers, unless that was done just now. The timer then sees
 * to it that a pass that goes on sleeping is followed by another look. */
static void chain_signals(struct xpio_loop *loop) {
  if (uv_is_active((uv_handle_t *)&loop->chain_timer)) return;
  uint64_t since = uv_now(&loop->uv) - loop->chained;
  if (loop->chained == 0 || since >= CHAIN_MILLISECONDS) {
    loop->chained = uv_now(&loop->uv);
    xpio_system_interrupt_chain();
    xpio_system_chain_children(loop);
  } else {
    uv_timer_start(&loop->chain_timer, on_timer, CHAIN_MILLISECONDS, 0);
  }
}

void xpio_loop_pass(struct xpio_loop *loop, uint64_t nanoseconds) {
  loop->pass++;
  if (nanoseconds == 0) {
    /* uv_run does not poll unless it finds a handle that keeps the loop alive. */
    uv_ref((uv_handle_t *)&loop->wakeup);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_unref((uv_handle_t *)&loop->wakeup);
    return;
  }
  chain_signals(loop);
  /* A loop without anything active would not sleep at all. */
  bool timed = nanoseconds != XPIO_FOREVER || !uv_loop_alive(&loop->uv);
  if (timed) start_timer(loop, nanoseconds);
  uv_run(&loop->uv, UV_RUN_ONCE);
  if (timed) uv_timer_stop(&loop->timer);
}

bool xpio_loop_take_interrupt(struct xpio_loop *loop) {
  bool interrupted = loop->interrupted;
  loop->interrupted = false;
  return interrupted;
}

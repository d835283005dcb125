#include "loop.h"

#include <stdlib.h>

#include "system.h"
#include "system_child.h"

void xpio_loop_add_handle(struct xpio_loop *loop, uv_handle_t *handle) {
  uv_unref(handle);
  loop->handles++;
}

bool xpio_loop_is_own(const struct xpio_loop *loop) {
  return loop->uv == &loop->own;
}

static void destroy(struct xpio_loop *loop) {
  xpio_system_free_watchers(loop);
  xpio_system_free_children(loop);
  free(loop);
}

void xpio_loop_handle_closed(struct xpio_loop *loop) {
  loop->handles--;
  if (loop->handles == 0 && loop->closing && !xpio_loop_is_own(loop)) destroy(loop);
}

static void on_closed(uv_handle_t *handle) {
  xpio_loop_handle_closed(handle->data);
}

void xpio_loop_close_handle(struct xpio_loop *loop, uv_handle_t *handle) {
  handle->data = loop;
  uv_close(handle, on_closed);
}

/* Ends the pass. Until version 1.45 uv_run calls the timers that are due before it
 * polls; if that was the last of them it would now poll without a timeout. */
static void on_timer(uv_timer_t *timer) {
  uv_stop(timer->loop);
}

static void on_wakeup(uv_async_t *wakeup) {
  struct xpio_loop *loop = wakeup->data;
  loop->interrupted = true;
}

static void on_idle(uv_idle_t *idle) {
  (void)idle;
}

/* lua.c installs its SIGINT handler anew for every line it reads, so ours may have been
 * replaced since the last poll. To look costs a cheap system call, and a poll that
 * sleeps less than the timer that it would take to look less often. */
static void chain_interrupt(const struct xpio_loop *loop) {
  if (!loop->host->handles_sigint) xpio_system_interrupt_chain();
}

/* A task may have become ready outside of the loop. The host is to come back from a poll
 * at once, for it collects the tasks after that. */
static void on_prepare(uv_prepare_t *prepare) {
  struct xpio_loop *loop = prepare->data;
  loop->pass++;
  xpio_system_chain_children(loop);
  if (!loop->running) chain_interrupt(loop);
  if (loop->ready > 0 && !loop->running)
    uv_idle_start(&loop->idle, on_idle);
  else
    uv_idle_stop(&loop->idle);
}

static void add_handles(struct xpio_loop *loop) {
  uv_timer_init(loop->uv, &loop->timer);
  uv_prepare_init(loop->uv, &loop->prepare);
  uv_idle_init(loop->uv, &loop->idle);
  uv_handle_t *const handles[] = {
      (uv_handle_t *)&loop->wakeup,
      (uv_handle_t *)&loop->timer,
      (uv_handle_t *)&loop->prepare,
      (uv_handle_t *)&loop->idle,
  };
  for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
    xpio_loop_add_handle(loop, handles[i]);
    handles[i]->data = loop;
  }
  uv_ref((uv_handle_t *)&loop->timer);
  uv_prepare_start(&loop->prepare, on_prepare);
}

static int init(struct xpio_loop *loop) {
  loop->uv = loop->host->loop;
  if (loop->uv == NULL) {
    int error = uv_loop_init(&loop->own);
    if (error < 0) return error;
    loop->uv = &loop->own;
  }
  int error = uv_async_init(loop->uv, &loop->wakeup, on_wakeup);
  if (error == 0)
    add_handles(loop);
  else if (xpio_loop_is_own(loop))
    uv_loop_close(loop->uv);
  return error;
}

int xpio_loop_open(struct xpio_loop **result, const struct xpio_host *host) {
  struct xpio_loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL) return UV_ENOMEM;
  xpio_system_stay_loaded();
  loop->host = host;
  unsigned reserved = xpio_system_reserve_standard();
  int error = init(loop);
  xpio_system_release_standard(reserved);
  if (error < 0) {
    free(loop);
    return error;
  }
  if (!host->handles_sigint) xpio_system_interrupt_add(&loop->wakeup);
  *result = loop;
  return 0;
}

void xpio_loop_close(struct xpio_loop *loop) {
  if (!loop->host->handles_sigint) xpio_system_interrupt_remove(&loop->wakeup);
  xpio_system_close_watchers(loop);
  xpio_system_close_children(loop);
  loop->closing = true;
  xpio_loop_close_handle(loop, (uv_handle_t *)&loop->wakeup);
  xpio_loop_close_handle(loop, (uv_handle_t *)&loop->timer);
  xpio_loop_close_handle(loop, (uv_handle_t *)&loop->prepare);
  xpio_loop_close_handle(loop, (uv_handle_t *)&loop->idle);
  if (!xpio_loop_is_own(loop)) return;
  while (loop->handles > 0) uv_run(loop->uv, UV_RUN_ONCE);
  /* A handle that the host has left on it refers to the loop: that must stay then. */
  if (uv_loop_close(loop->uv) == 0) destroy(loop);
}

static void start_timer(struct xpio_loop *loop, uint64_t nanoseconds) {
  uint64_t milliseconds = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
  /* libuv counts from the time it has cached, which may be long past. */
  uv_update_time(loop->uv);
  uv_timer_start(&loop->timer, on_timer, milliseconds, 0);
}

bool xpio_loop_may_run(const struct xpio_loop *loop) {
  return !loop->running && loop->host->entered == 0;
}

/* Whether uv_run goes on: it does not even poll unless a handle wants it to. */
static void keep_alive(struct xpio_loop *loop, bool alive) {
  if (alive)
    uv_ref((uv_handle_t *)&loop->wakeup);
  else
    uv_unref((uv_handle_t *)&loop->wakeup);
}

void xpio_loop_count_scheduled(struct xpio_loop *loop, int difference) {
  bool alive = loop->scheduled > 0;
  loop->scheduled += (size_t)difference;
  if (alive != (loop->scheduled > 0)) keep_alive(loop, !alive);
}

static void poll_now(struct xpio_loop *loop) {
  bool alive = loop->scheduled > 0;
  if (!alive) keep_alive(loop, true);
  uv_run(loop->uv, UV_RUN_NOWAIT);
  if (!alive) keep_alive(loop, loop->scheduled > 0);
}

static void poll_until(struct xpio_loop *loop, uint64_t nanoseconds) {
  chain_interrupt(loop);
  /* A loop without anything active would not sleep at all. */
  bool timed = nanoseconds != XPIO_FOREVER || !uv_loop_alive(loop->uv);
  if (timed) start_timer(loop, nanoseconds);
  uv_run(loop->uv, UV_RUN_ONCE);
  if (timed) uv_timer_stop(&loop->timer);
}

void xpio_loop_pass(struct xpio_loop *loop, uint64_t nanoseconds) {
  loop->running = true;
  if (nanoseconds == 0)
    poll_now(loop);
  else
    poll_until(loop, nanoseconds);
  loop->running = false;
}

bool xpio_loop_take_interrupt(struct xpio_loop *loop) {
  bool interrupted = loop->interrupted;
  loop->interrupted = false;
  return interrupted;
}

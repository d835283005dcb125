/* The descriptors that libuv does not watch itself: all in one epoll, which it does watch.
 *
 * Closing a descriptor would not take it out: a process that shares its description
 * keeps that open. So interest is always taken back before. That fails if somebody else has
 * closed it, and events may go on to come: so the memory of a watcher stays that of a
 * watcher, and one that gets the same number takes over what is left of the other. */
#include "watcher.h"

#ifdef XPIO_HAVE_EPOLL

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../loop.h"
#include "unix.h"

struct xpio_pool {
  int epoll;
  size_t count; /* of the descriptors in it */
  uv_poll_t poll;
  struct xpio_watcher *left_over; /* their `report` is null */
};

static void deliver(const struct epoll_event *event) {
  const struct xpio_watcher *watcher = event->data.ptr;
  int events = 0;
  if (watcher->report == NULL) return;
  if (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) events |= XPIO_READABLE;
  if (event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) events |= XPIO_WRITABLE;
  watcher->report(watcher->owner, events, 0);
}

/* What is ready stays so until its task has run, and epoll begins again with the first:
 * when as many events have come as there are descriptors, those were all. */
static void on_poll(uv_poll_t *poll, int status, int uv_events) {
  const struct xpio_pool *pool = poll->data;
  enum { MOST = 256 };
  struct epoll_event events[MOST];
  size_t left = pool->count;
  int count = MOST;
  (void)status, (void)uv_events;
  if (left == 0) uv_poll_stop(poll); /* what is there has no watcher any more */
  while (count == MOST && left > 0) {
    count = epoll_wait(pool->epoll, events, left < MOST ? (int)left : MOST, 0);
    for (int i = 0; i < count; i++) deliver(&events[i]);
    if (count > 0) left -= (size_t)count;
  }
}

static int open_epoll(struct xpio_pool *pool, struct xpio_loop *loop) {
  int created = epoll_create1(EPOLL_CLOEXEC);
  pool->epoll = created < 0 ? xpio_unix_error() : xpio_unix_above_standard(created);
  if (pool->epoll < 0) return pool->epoll;
  int error = uv_poll_init(loop->uv, &pool->poll, pool->epoll);
  if (error < 0) close(pool->epoll);
  return error;
}

static int start(struct xpio_pool *pool) {
  if (uv_is_active((uv_handle_t *)&pool->poll)) return 0;
  return uv_poll_start(&pool->poll, UV_READABLE, on_poll);
}

static int open_pool(struct xpio_loop *loop) {
  struct xpio_pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) return UV_ENOMEM;
  int error = open_epoll(pool, loop);
  if (error < 0) {
    free(pool);
    return error;
  }
  pool->poll.data = pool;
  loop->pool = pool;
  xpio_loop_add_handle(loop, (uv_handle_t *)&pool->poll);
  return 0;
}

static int control(struct xpio_pool *pool, int operation, int number, struct epoll_event *event) {
  int error = operation == EPOLL_CTL_ADD ? start(pool) : 0;
  if (error < 0 || epoll_ctl(pool->epoll, operation, number, event) == 0) return error;
  if (operation != EPOLL_CTL_ADD || errno != EEXIST) return xpio_unix_error();
  return epoll_ctl(pool->epoll, EPOLL_CTL_MOD, number, event) == 0 ? 0 : xpio_unix_error();
}

int xpio_unix_pool_add(struct xpio_loop *loop, struct xpio_watcher **result) {
  int error = loop->pool == NULL ? open_pool(loop) : 0;
  if (error < 0) return error;
  struct xpio_watcher *watcher = loop->pool->left_over;
  if (watcher != NULL)
    loop->pool->left_over = watcher->next;
  else
    watcher = malloc(sizeof *watcher);
  if (watcher == NULL) return UV_ENOMEM;
  watcher->interest = 0;
  watcher->pooled = true;
  *result = watcher;
  return 0;
}

int xpio_unix_pool_set(struct xpio_loop *loop, struct xpio_watcher *watcher, int number,
                       int interest) {
  if (interest == watcher->interest) return 0;
  int operation = EPOLL_CTL_MOD;
  if (watcher->interest == 0) operation = EPOLL_CTL_ADD;
  if (interest == 0) operation = EPOLL_CTL_DEL;
  struct epoll_event event = {.data.ptr = watcher};
  if (interest & XPIO_READABLE) event.events |= EPOLLIN;
  if (interest & XPIO_WRITABLE) event.events |= EPOLLOUT;
  int error = control(loop->pool, operation, number, &event);
  if (error < 0) return error;
  if (operation == EPOLL_CTL_ADD) loop->pool->count++;
  if (operation == EPOLL_CTL_DEL) loop->pool->count--;
  watcher->interest = (unsigned char)interest;
  return 0;
}

void xpio_unix_pool_remove(struct xpio_loop *loop, struct xpio_watcher *watcher, int number) {
  if (xpio_unix_pool_set(loop, watcher, number, 0) < 0) loop->pool->count--;
  watcher->report = NULL;
  watcher->next = loop->pool->left_over;
  loop->pool->left_over = watcher;
}

void xpio_unix_pool_close(struct xpio_loop *loop) {
  if (loop->pool == NULL) return;
  xpio_loop_close_handle(loop, (uv_handle_t *)&loop->pool->poll);
  close(loop->pool->epoll);
}

void xpio_unix_pool_free(struct xpio_loop *loop) {
  while (loop->pool != NULL && loop->pool->left_over != NULL) {
    struct xpio_watcher *watcher = loop->pool->left_over;
    loop->pool->left_over = watcher->next;
    free(watcher);
  }
  free(loop->pool);
  loop->pool = NULL;
}

#else

int xpio_unix_pool_add(struct xpio_loop *loop, struct xpio_watcher **result) {
  (void)loop, (void)result;
  return UV_ENOTSUP;
}

int xpio_unix_pool_set(struct xpio_loop *loop, struct xpio_watcher *watcher, int number,
                       int interest) {
  (void)loop, (void)watcher, (void)number, (void)interest;
  return UV_ENOTSUP;
}

void xpio_unix_pool_remove(struct xpio_loop *loop, struct xpio_watcher *watcher, int number) {
  (void)loop, (void)watcher, (void)number;
}

void xpio_unix_pool_close(struct xpio_loop *loop) {
  (void)loop;
}

void xpio_unix_pool_free(struct xpio_loop *loop) {
  (void)loop;
}

#endif

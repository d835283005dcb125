/* Watching descriptors on Unix, by uv_poll_t. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef XPIO_HAVE_EPOLL
#include <sys/epoll.h>
#endif

#include "../loop.h"
#include "../system.h"
#include "unix.h"

/* A poller outlives its descriptor: libuv needs the handle until a later pass
 * of the loop has closed it. Then its memory is kept for the next one. */
struct xpio_poller {
  uv_poll_t handle;
  xpio_report *report;
  void *owner;
  int own_epoll; /* that watches in its stead, or -1 */
  struct xpio_poller *next;
};

static void on_closed(uv_handle_t *handle) {
  struct xpio_poller *poller = handle->data;
  struct xpio_loop *loop = (struct xpio_loop *)handle->loop;
  poller->next = loop->idle_pollers;
  loop->idle_pollers = poller;
}

_Static_assert(offsetof(struct xpio_loop, uv) == 0, "a uv_loop_t is its xpio_loop");

static struct xpio_poller *allocate(struct xpio_loop *loop) {
  struct xpio_poller *poller = loop->idle_pollers;
  if (poller == NULL) return malloc(sizeof *poller);
  loop->idle_pollers = poller->next;
  return poller;
}

static void release(struct xpio_poller *poller, struct xpio_loop *loop) {
  poller->next = loop->idle_pollers;
  loop->idle_pollers = poller;
}

void xpio_system_free_pollers(struct xpio_loop *loop) {
  while (loop->idle_pollers != NULL) {
    struct xpio_poller *poller = loop->idle_pollers;
    loop->idle_pollers = poller->next;
    free(poller);
  }
}

#ifdef XPIO_HAVE_EPOLL
/* uv_poll_init would make the descriptor non-blocking, for everyone who shares
 * its description and against the program's wish if it is in blocking mode. An
 * epoll descriptor of its own watches it instead, and libuv watches that. */
static int open_own_epoll(struct xpio_poller *poller, int number) {
  struct epoll_event none = {.events = 0};
  int created = epoll_create1(EPOLL_CLOEXEC);
  poller->own_epoll = created < 0 ? xpio_unix_error() : xpio_unix_above_standard(created);
  if (poller->own_epoll < 0) return poller->own_epoll;
  if (epoll_ctl(poller->own_epoll, EPOLL_CTL_ADD, number, &none) == 0) return 0;
  int error = xpio_unix_error();
  close(poller->own_epoll);
  poller->own_epoll = -1;
  return error;
}

static int own_epoll_events(struct xpio_poller *poller) {
  struct epoll_event event;
  if (epoll_wait(poller->own_epoll, &event, 1, 0) != 1) return 0;
  int events = 0;
  if (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) events |= XPIO_READABLE;
  if (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) events |= XPIO_WRITABLE;
  return events;
}

static int set_own_epoll(struct xpio_poller *poller, int number, int interest) {
  struct epoll_event event = {.events = 0};
  if (interest & XPIO_READABLE) event.events |= EPOLLIN;
  if (interest & XPIO_WRITABLE) event.events |= EPOLLOUT;
  if (epoll_ctl(poller->own_epoll, EPOLL_CTL_MOD, number, &event) < 0) return xpio_unix_error();
  return 0;
}

static int init_handle(struct xpio_poller *poller, struct xpio_descriptor *descriptor,
                       struct xpio_loop *loop) {
  poller->own_epoll = -1;
  if (!descriptor->foreign && !descriptor->blocking)
    return uv_poll_init(&loop->uv, &poller->handle, descriptor->number);
  int error = open_own_epoll(poller, descriptor->number);
  if (error < 0) return error;
  error = uv_poll_init(&loop->uv, &poller->handle, poller->own_epoll);
  if (error < 0) close(poller->own_epoll);
  return error;
}
#else
/* The flag is restored at once: others see it changed for a moment. */
static int init_handle(struct xpio_poller *poller, struct xpio_descriptor *descriptor,
                       struct xpio_loop *loop) {
  poller->own_epoll = -1;
  int flags = fcntl(descriptor->number, F_GETFL);
  int error = uv_poll_init(&loop->uv, &poller->handle, descriptor->number);
  if (error == 0 && flags >= 0 && !(flags & O_NONBLOCK)) fcntl(descriptor->number, F_SETFL, flags);
  return error;
}

static int own_epoll_events(struct xpio_poller *poller) {
  (void)poller;
  return 0;
}

static int set_own_epoll(struct xpio_poller *poller, int number, int interest) {
  (void)poller, (void)number, (void)interest;
  return 0;
}
#endif

/* On an error (POLLERR) libuv has stopped the handle and says UV_EBADF. */
static void on_poll(uv_poll_t *handle, int status, int uv_events) {
  struct xpio_poller *poller = handle->data;
  int events = 0;
  if (status < 0)
    events = XPIO_READABLE | XPIO_WRITABLE;
  else if (poller->own_epoll >= 0)
    events = own_epoll_events(poller);
  else
    events = (uv_events & UV_READABLE ? XPIO_READABLE : 0) |
             (uv_events & UV_WRITABLE ? XPIO_WRITABLE : 0);
  if (events != 0) poller->report(poller->owner, events, status < 0);
}

static int open_poller(struct xpio_descriptor *descriptor, struct xpio_loop *loop,
                       xpio_report *report, void *owner) {
  struct xpio_poller *poller = allocate(loop);
  if (poller == NULL) return UV_ENOMEM;
  int error = init_handle(poller, descriptor, loop);
  if (error < 0) {
    release(poller, loop);
    /* epoll refuses what never blocks: files, directories, /dev/null. */
    return error == UV_EPERM ? XPIO_ALWAYS_READY : error;
  }
  poller->handle.data = poller;
  poller->report = report;
  poller->owner = owner;
  descriptor->poller = poller;
  return 0;
}

int xpio_system_watch(struct xpio_descriptor *descriptor, struct xpio_loop *loop, int interest,
                      xpio_report *report, void *owner) {
  if (descriptor->poller == NULL) {
    if (descriptor->first_access == XPIO_ACCESS_PLAIN) return XPIO_ALWAYS_READY;
    int result = open_poller(descriptor, loop, report, owner);
    if (result != 0) return result;
  }
  struct xpio_poller *poller = descriptor->poller;
  if (interest == 0) return uv_poll_stop(&poller->handle);
  if (poller->own_epoll >= 0) {
    int error = set_own_epoll(poller, descriptor->number, interest);
    if (error < 0) return error;
    return uv_poll_start(&poller->handle, UV_READABLE, on_poll);
  }
  int events = (interest & XPIO_READABLE ? UV_READABLE : 0) |
               (interest & XPIO_WRITABLE ? UV_WRITABLE : 0);
  return uv_poll_start(&poller->handle, events, on_poll);
}

void xpio_unix_close_poller(struct xpio_descriptor *descriptor) {
  struct xpio_poller *poller = descriptor->poller;
  if (poller == NULL) return;
  descriptor->poller = NULL;
  uv_close((uv_handle_t *)&poller->handle, on_closed);
  if (poller->own_epoll >= 0) close(poller->own_epoll);
}

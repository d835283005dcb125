/* Watching descriptors on Unix, by uv_poll_t. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../list.h"
#include "../loop.h"
#include "../system.h"
#include "unix.h"

#ifdef XPIO_HAVE_EPOLL
#include <sys/epoll.h>
#endif

/* A watcher outlives its descriptor. libuv needs the handle until a later pass of the loop
 * has closed it; then its memory is kept for the next one. But most are not closed: what
 * uv_poll_init does takes three system calls, and the next descriptor with this number
 * needs none of them. */
struct xpio_watcher {
  uv_poll_t handle; /* its data: the loop */
  xpio_report *report;
  union {
    void *owner;
    struct xpio_watcher *next; /* of those without a descriptor, whose memory is kept */
  };
  int own_epoll; /* that watches in its stead, or -1 */
};

/* The stopped watchers, by the number of their descriptors, which are closed. */
struct xpio_spares {
  size_t size;
  struct xpio_watcher *watchers[];
};

static struct xpio_watcher *allocate(struct xpio_loop *loop) {
  struct xpio_watcher *watcher = loop->watchers;
  if (watcher == NULL) return malloc(sizeof *watcher);
  loop->watchers = watcher->next;
  return watcher;
}

static void release(struct xpio_watcher *watcher, struct xpio_loop *loop) {
  watcher->next = loop->watchers;
  loop->watchers = watcher;
}

static void on_closed(uv_handle_t *handle) {
  struct xpio_loop *loop = handle->data;
  release(XPIO_CONTAINER(handle, struct xpio_watcher, handle), loop);
  xpio_loop_handle_closed(loop);
}

static bool has_spare_for(const struct xpio_spares *spares, size_t number) {
  return spares != NULL && number < spares->size;
}

static struct xpio_watcher *take_spare(struct xpio_spares *spares, int number) {
  if (!has_spare_for(spares, (size_t)number)) return NULL;
  struct xpio_watcher *watcher = spares->watchers[number];
  spares->watchers[number] = NULL;
  return watcher;
}

/* Returns false when there is no memory for it. */
static bool make_room(struct xpio_loop *loop, size_t number) {
  if (has_spare_for(loop->spares, number)) return true;
  size_t old = loop->spares == NULL ? 0 : loop->spares->size, size = 2 * number + 16;
  struct xpio_spares *spares =
      realloc(loop->spares, sizeof *spares + size * sizeof *spares->watchers);
  if (spares == NULL) return false;
  spares->size = size;
  while (old < size) spares->watchers[old++] = NULL;
  loop->spares = spares;
  return true;
}

static void close_watcher(struct xpio_watcher *watcher) {
  uv_close((uv_handle_t *)&watcher->handle, on_closed);
  if (watcher->own_epoll >= 0) close(watcher->own_epoll);
}

void xpio_system_close_watchers(struct xpio_loop *loop) {
  size_t size = loop->spares == NULL ? 0 : loop->spares->size;
  for (size_t number = 0; number < size; number++)
    if (loop->spares->watchers[number] != NULL) close_watcher(loop->spares->watchers[number]);
  free(loop->spares);
  loop->spares = NULL;
}

void xpio_system_free_watchers(struct xpio_loop *loop) {
  while (loop->watchers != NULL) {
    struct xpio_watcher *watcher = loop->watchers;
    loop->watchers = watcher->next;
    free(watcher);
  }
}

#ifdef XPIO_HAVE_EPOLL
/* uv_poll_init would make the descriptor non-blocking, for everyone who shares
 * its description and against the program's wish if it is in blocking mode. An
 * epoll descriptor of its own watches it instead, and libuv watches that. */
static int open_own_epoll(struct xpio_watcher *watcher, int number) {
  struct epoll_event none = {.events = 0};
  int created = epoll_create1(EPOLL_CLOEXEC);
  watcher->own_epoll = created < 0 ? xpio_unix_error() : xpio_unix_above_standard(created);
  if (watcher->own_epoll < 0) return watcher->own_epoll;
  if (epoll_ctl(watcher->own_epoll, EPOLL_CTL_ADD, number, &none) == 0) return 0;
  int error = xpio_unix_error();
  close(watcher->own_epoll);
  watcher->own_epoll = -1;
  return error;
}

static int own_epoll_events(struct xpio_watcher *watcher) {
  struct epoll_event event;
  if (epoll_wait(watcher->own_epoll, &event, 1, 0) != 1) return 0;
  int events = 0;
  if (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) events |= XPIO_READABLE;
  if (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) events |= XPIO_WRITABLE;
  return events;
}

static int set_own_epoll(struct xpio_watcher *watcher, int number, int interest) {
  struct epoll_event event = {.events = 0};
  if (interest & XPIO_READABLE) event.events |= EPOLLIN;
  if (interest & XPIO_WRITABLE) event.events |= EPOLLOUT;
  if (epoll_ctl(watcher->own_epoll, EPOLL_CTL_MOD, number, &event) < 0) return xpio_unix_error();
  return 0;
}

static int init_handle(struct xpio_watcher *watcher, struct xpio_descriptor *descriptor) {
  watcher->own_epoll = -1;
  if (!descriptor->foreign && !descriptor->blocking)
    return uv_poll_init(descriptor->loop->uv, &watcher->handle, descriptor->number);
  int error = open_own_epoll(watcher, descriptor->number);
  if (error < 0) return error;
  error = uv_poll_init(descriptor->loop->uv, &watcher->handle, watcher->own_epoll);
  if (error < 0) close(watcher->own_epoll);
  return error;
}
#else
/* The flag is restored at once: others see it changed for a moment. */
static int init_handle(struct xpio_watcher *watcher, struct xpio_descriptor *descriptor) {
  watcher->own_epoll = -1;
  int flags = fcntl(descriptor->number, F_GETFL);
  int error = uv_poll_init(descriptor->loop->uv, &watcher->handle, descriptor->number);
  if (error == 0 && flags >= 0 && !(flags & O_NONBLOCK)) fcntl(descriptor->number, F_SETFL, flags);
  return error;
}

static int own_epoll_events(struct xpio_watcher *watcher) {
  (void)watcher;
  return 0;
}

static int set_own_epoll(struct xpio_watcher *watcher, int number, int interest) {
  (void)watcher, (void)number, (void)interest;
  return 0;
}
#endif

/* On an error (POLLERR) libuv has stopped the handle and says UV_EBADF. */
static void on_poll(uv_poll_t *handle, int status, int uv_events) {
  struct xpio_watcher *watcher = XPIO_CONTAINER(handle, struct xpio_watcher, handle);
  int events = 0;
  if (status < 0)
    events = XPIO_READABLE | XPIO_WRITABLE;
  else if (watcher->own_epoll >= 0)
    events = own_epoll_events(watcher);
  else
    events = (uv_events & UV_READABLE ? XPIO_READABLE : 0) |
             (uv_events & UV_WRITABLE ? XPIO_WRITABLE : 0);
  if (events != 0) watcher->report(watcher->owner, events, status < 0 ? events : 0);
}

/* Whether libuv watches it directly, and it is non-blocking already. */
static bool is_watched_plainly(const struct xpio_descriptor *descriptor) {
  return !descriptor->foreign && !descriptor->blocking;
}

static int make_watcher(struct xpio_descriptor *descriptor) {
  struct xpio_loop *loop = descriptor->loop;
  struct xpio_watcher *watcher = allocate(loop);
  if (watcher == NULL) return UV_ENOMEM;
  int error = init_handle(watcher, descriptor);
  if (error < 0) {
    release(watcher, loop);
    /* epoll refuses what never blocks: files, directories, /dev/null. */
    return error == UV_EPERM ? XPIO_ALWAYS_READY : error;
  }
  xpio_loop_add_handle(loop, (uv_handle_t *)&watcher->handle);
  watcher->handle.data = loop;
  descriptor->watcher = watcher;
  return 0;
}

static int open_watcher(struct xpio_descriptor *descriptor, xpio_report *report, void *owner) {
  if (is_watched_plainly(descriptor))
    descriptor->watcher = take_spare(descriptor->loop->spares, descriptor->number);
  if (descriptor->watcher == NULL) {
    int result = make_watcher(descriptor);
    if (result != 0) return result;
  }
  descriptor->watcher->report = report;
  descriptor->watcher->owner = owner;
  return 0;
}

int xpio_system_watch(struct xpio_descriptor *descriptor, int interest, xpio_report *report,
                      void *owner) {
  if (descriptor->watcher == NULL) {
    if (descriptor->first_access == XPIO_ACCESS_PLAIN) return XPIO_ALWAYS_READY;
    int result = open_watcher(descriptor, report, owner);
    if (result != 0) return result;
  }
  struct xpio_watcher *watcher = descriptor->watcher;
  if (interest == 0) return uv_poll_stop(&watcher->handle);
  if (watcher->own_epoll >= 0) {
    int error = set_own_epoll(watcher, descriptor->number, interest);
    if (error < 0) return error;
    return uv_poll_start(&watcher->handle, UV_READABLE, on_poll);
  }
  int events = (interest & XPIO_READABLE ? UV_READABLE : 0) |
               (interest & XPIO_WRITABLE ? UV_WRITABLE : 0);
  return uv_poll_start(&watcher->handle, events, on_poll);
}

void xpio_unix_close_watcher(struct xpio_descriptor *descriptor) {
  struct xpio_watcher *watcher = descriptor->watcher;
  size_t number = (size_t)descriptor->number;
  if (watcher == NULL) return;
  descriptor->watcher = NULL;
  bool spare = is_watched_plainly(descriptor) && watcher->own_epoll < 0 &&
               !descriptor->loop->closing && make_room(descriptor->loop, number);
  if (spare && uv_poll_stop(&watcher->handle) == 0)
    descriptor->loop->spares->watchers[number] = watcher;
  else
    close_watcher(watcher);
}

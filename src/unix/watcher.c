/* Watching descriptors on Unix: by uv_poll_t, or in the pool. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../list.h"
#include "../loop.h"
#include "unix.h"
#include "watcher.h"

/* So many at most are watched by libuv itself, and none on a host's loop, where others may
 * be, too. When it gets 1,024 events at once it polls again, up to 48 times (uv__io_poll in
 * src/unix/linux-core.c of version 1.44), and what is ready stays so until its task has run:
 * each time the same would come. */
#ifndef XPIO_MOST_DIRECT
#define XPIO_MOST_DIRECT 1000
#endif

/* What libuv watches. It needs the handle until a later pass of the loop has closed it;
 * then its memory is kept for the next one. But most are not closed: what uv_poll_init
 * does takes three system calls, and the next descriptor with this number needs none of
 * them. */
struct direct {
  struct xpio_watcher watcher; /* first: one is the other */
  uv_poll_t handle;            /* its data: the loop */
};

/* The stopped ones, by the number of their descriptors, which are closed. */
struct xpio_spares {
  size_t size;
  struct direct *watchers[];
};

static struct direct *allocate(struct xpio_loop *loop) {
  struct direct *direct = (struct direct *)loop->watchers;
  if (direct == NULL) return malloc(sizeof *direct);
  loop->watchers = direct->watcher.next;
  return direct;
}

static void release(struct direct *direct, struct xpio_loop *loop) {
  direct->watcher.next = loop->watchers;
  loop->watchers = &direct->watcher;
}

static void on_closed(uv_handle_t *handle) {
  struct xpio_loop *loop = handle->data;
  release(XPIO_CONTAINER(handle, struct direct, handle), loop);
  xpio_loop_handle_closed(loop);
}

static bool has_spare_for(const struct xpio_spares *spares, size_t number) {
  return spares != NULL && number < spares->size;
}

static struct direct *take_spare(struct xpio_spares *spares, int number) {
  if (!has_spare_for(spares, (size_t)number)) return NULL;
  struct direct *direct = spares->watchers[number];
  spares->watchers[number] = NULL;
  return direct;
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

static void close_direct(struct direct *direct) {
  uv_close((uv_handle_t *)&direct->handle, on_closed);
}

void xpio_system_close_watchers(struct xpio_loop *loop) {
  size_t size = loop->spares == NULL ? 0 : loop->spares->size;
  for (size_t number = 0; number < size; number++)
    if (loop->spares->watchers[number] != NULL) close_direct(loop->spares->watchers[number]);
  free(loop->spares);
  loop->spares = NULL;
  xpio_unix_pool_close(loop);
}

void xpio_system_free_watchers(struct xpio_loop *loop) {
  while (loop->watchers != NULL) {
    struct direct *direct = (struct direct *)loop->watchers;
    loop->watchers = direct->watcher.next;
    free(direct);
  }
  xpio_unix_pool_free(loop);
}

/* On an error (POLLERR) libuv has stopped the handle and says UV_EBADF. */
static void on_poll(uv_poll_t *handle, int status, int uv_events) {
  const struct xpio_watcher *watcher = &XPIO_CONTAINER(handle, struct direct, handle)->watcher;
  int events = ((uv_events & UV_READABLE) ? XPIO_READABLE : 0) |
               ((uv_events & UV_WRITABLE) ? XPIO_WRITABLE : 0);
  if (status < 0) events = XPIO_READABLE | XPIO_WRITABLE;
  if (events != 0) watcher->report(watcher->owner, events, status < 0 ? events : 0);
}

/* Whether it is our own, and non-blocking already, as libuv would make it: for everyone
 * who shares its description, and against the program's wish if it is in blocking mode. */
static bool is_plain(const struct xpio_descriptor *descriptor) {
  return !descriptor->foreign && !descriptor->blocking;
}

/* Where there is no pool the flag is restored at once: others see it changed for a moment. */
static int init_handle(struct direct *direct, const struct xpio_descriptor *descriptor) {
  int number = descriptor->number, flags = is_plain(descriptor) ? -1 : fcntl(number, F_GETFL);
  int error = uv_poll_init(descriptor->loop->uv, &direct->handle, number);
  if (error == 0 && flags >= 0 && !(flags & O_NONBLOCK)) fcntl(number, F_SETFL, flags);
  return error;
}

static int make_direct(struct xpio_descriptor *descriptor, struct direct **result) {
  struct xpio_loop *loop = descriptor->loop;
  struct direct *direct = allocate(loop);
  if (direct == NULL) return UV_ENOMEM;
  int error = init_handle(direct, descriptor);
  if (error < 0) {
    release(direct, loop);
    return error;
  }
  xpio_loop_add_handle(loop, (uv_handle_t *)&direct->handle);
  direct->handle.data = loop;
  *result = direct;
  return 0;
}

static int open_direct(struct xpio_descriptor *descriptor) {
  struct xpio_loop *loop = descriptor->loop;
  struct direct *direct = is_plain(descriptor) ? take_spare(loop->spares, descriptor->number)
                                               : NULL;
  int error = direct == NULL ? make_direct(descriptor, &direct) : 0;
  if (error < 0) return error;
  loop->direct++;
  descriptor->watcher = &direct->watcher;
  descriptor->watcher->pooled = false;
  return 0;
}

static int open_watcher(struct xpio_descriptor *descriptor, xpio_report *report, void *owner) {
  const struct xpio_loop *loop = descriptor->loop;
  bool direct = is_plain(descriptor) && xpio_loop_is_own(loop) && loop->direct < XPIO_MOST_DIRECT;
  int error = direct || !XPIO_UNIX_HAS_POOL
                  ? open_direct(descriptor)
                  : xpio_unix_pool_add(descriptor->loop, &descriptor->watcher);
  if (error < 0) return error;
  descriptor->watcher->report = report;
  descriptor->watcher->owner = owner;
  return 0;
}

static int set_direct(struct direct *direct, int interest) {
  int events = ((interest & XPIO_READABLE) ? UV_READABLE : 0) |
               ((interest & XPIO_WRITABLE) ? UV_WRITABLE : 0);
  if (events == 0) return uv_poll_stop(&direct->handle);
  return uv_poll_start(&direct->handle, events, on_poll);
}

static int set_interest(const struct xpio_descriptor *descriptor, int interest) {
  struct xpio_watcher *watcher = descriptor->watcher;
  if (!watcher->pooled) return set_direct((struct direct *)watcher, interest);
  return xpio_unix_pool_set(descriptor->loop, watcher, descriptor->number, interest);
}

int xpio_system_watch(struct xpio_descriptor *descriptor, int interest, xpio_report *report,
                      void *owner) {
  if (descriptor->watcher == NULL && descriptor->first_access == XPIO_ACCESS_PLAIN)
    return XPIO_ALWAYS_READY;
  int error = descriptor->watcher == NULL ? open_watcher(descriptor, report, owner) : 0;
  if (error == 0) error = set_interest(descriptor, interest);
  if (error != UV_EPERM) return error;
  /* epoll refuses what never blocks: files, directories, /dev/null. */
  xpio_unix_close_watcher(descriptor);
  return XPIO_ALWAYS_READY;
}

/* Not on a host's loop: when the spare is closed there, as the state is, something of the
 * host's may have the number and would not be watched any more. */
static bool keep_spare(struct direct *direct, const struct xpio_descriptor *descriptor) {
  struct xpio_loop *loop = descriptor->loop;
  size_t number = (size_t)descriptor->number;
  if (!is_plain(descriptor) || loop->closing || !xpio_loop_is_own(loop)) return false;
  if (!make_room(loop, number) || loop->spares->watchers[number] != NULL) return false;
  if (uv_poll_stop(&direct->handle) < 0) return false;
  loop->spares->watchers[number] = direct;
  return true;
}

void xpio_unix_close_watcher(struct xpio_descriptor *descriptor) {
  struct xpio_watcher *watcher = descriptor->watcher;
  if (watcher == NULL) return;
  descriptor->watcher = NULL;
  if (watcher->pooled) {
    xpio_unix_pool_remove(descriptor->loop, watcher, descriptor->number);
    return;
  }
  struct direct *direct = (struct direct *)watcher;
  descriptor->loop->direct--;
  if (!keep_spare(direct, descriptor)) close_direct(direct);
}

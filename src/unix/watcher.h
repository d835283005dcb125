/* Watchers: each tells of the events of one descriptor. libuv watches most of them; the
 * others are in the pool, an epoll of the loop's own that libuv watches. */
#ifndef XPIO_WATCHER_H
#define XPIO_WATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "../system.h"
#include "features.h"

struct xpio_watcher {
  xpio_report *report;
  union {
    void *owner;
    struct xpio_watcher *next; /* of those without a descriptor, whose memory is kept */
  };
  unsigned char interest; /* that the pool knows of */
  bool pooled;
};

enum {
#ifdef XPIO_HAVE_EPOLL
  XPIO_UNIX_HAS_POOL = 1
#else
  XPIO_UNIX_HAS_POOL = 0
#endif
};

/* A watcher in the pool, which is made with the first. `set` says which events of its
 * descriptor are wanted. They return 0 or an error: UV_EPERM for what never blocks. */
int xpio_unix_pool_add(struct xpio_loop *loop, struct xpio_watcher **result);
int xpio_unix_pool_set(struct xpio_loop *loop, struct xpio_watcher *watcher, int number,
                       int interest);
void xpio_unix_pool_remove(struct xpio_loop *loop, struct xpio_watcher *watcher, int number);

/* Closes it; its memory, which the loop needs until then, is freed by `free`. */
void xpio_unix_pool_close(struct xpio_loop *loop);
void xpio_unix_pool_free(struct xpio_loop *loop);

#endif

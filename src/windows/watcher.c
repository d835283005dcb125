/* Watching descriptors on Windows: sockets, by uv_poll_t. */
#include <stdlib.h>

#include "../loop.h"
#include "inherit.h"
#include "internal.h"

static int uv_events(int events) {
  return ((events & XPIO_READABLE) ? UV_READABLE : 0) |
         ((events & XPIO_WRITABLE) ? UV_WRITABLE : 0);
}

static void on_poll(uv_poll_t *handle, int status, int events);

static int start(struct xpio_watcher *watcher, int interest) {
  watcher->interest = interest;
  if (interest == 0) return uv_poll_stop(&watcher->handle.poll);
  return uv_poll_start(&watcher->handle.poll, uv_events(interest), on_poll);
}

/* Left to itself, libuv would ask the system again right now, before anybody has read:
 * the answer would be that there is something, and it would come when there is nothing
 * any more. So an event ends the interest in it. */
static void on_poll(uv_poll_t *handle, int status, int events) {
  struct xpio_watcher *watcher = handle->data;
  int happened = ((events & UV_READABLE) ? XPIO_READABLE : 0) |
                 ((events & UV_WRITABLE) ? XPIO_WRITABLE : 0);
  int rest = watcher->interest & ~happened;
  if (status < 0 || start(watcher, rest) < 0) {
    uv_poll_stop(handle);
    happened = XPIO_READABLE | XPIO_WRITABLE;
  }
  if (happened != 0) watcher->report(watcher->owner, happened, happened);
}

static void on_closed(uv_handle_t *handle) {
  struct xpio_watcher *watcher = handle->data;
  struct xpio_loop *loop = watcher->loop;
  free(watcher);
  xpio_loop_handle_closed(loop);
}

/* libuv makes the socket non-blocking. */
static int init_handle(struct xpio_watcher *watcher, struct xpio_descriptor *descriptor) {
  xpio_windows_forbid_children(); /* libuv makes a socket of its own with it */
  int error = uv_poll_init_socket(descriptor->loop->uv, &watcher->handle.poll,
                                  xpio_windows_socket(descriptor));
  xpio_windows_allow_children();
  if (error == 0 && descriptor->blocking) xpio_system_set_nonblocking(descriptor, false);
  return error;
}

static int open_watcher(struct xpio_descriptor *descriptor) {
  struct xpio_watcher *watcher = calloc(1, sizeof *watcher);
  if (watcher == NULL) return UV_ENOMEM;
  int error = init_handle(watcher, descriptor);
  if (error < 0) {
    free(watcher);
    return error;
  }
  xpio_loop_add_handle(descriptor->loop, &watcher->handle.any);
  watcher->handle.any.data = watcher;
  watcher->loop = descriptor->loop;
  descriptor->watcher = watcher;
  return 0;
}

static int watch_socket(struct xpio_descriptor *descriptor, int interest, xpio_report *report,
                        void *owner) {
  if (descriptor->watcher == NULL) {
    if (xpio_windows_is_idle(descriptor)) return XPIO_ALWAYS_READY;
    int error = open_watcher(descriptor);
    if (error < 0) return error;
  }
  descriptor->watcher->report = report;
  descriptor->watcher->owner = owner;
  if (!(descriptor->access & XPIO_ACCESS_READING_ENDED) || !(interest & XPIO_READABLE))
    return start(descriptor->watcher, interest);
  int error = start(descriptor->watcher, interest & ~XPIO_READABLE);
  return error < 0 ? error : XPIO_ALWAYS_READY;
}

int xpio_system_watch(struct xpio_descriptor *descriptor, int interest, xpio_report *report,
                      void *owner) {
  if (xpio_windows_is_socket(descriptor)) return watch_socket(descriptor, interest, report, owner);
  if (xpio_windows_is_stream(descriptor))
    return xpio_windows_watch_stream(descriptor, interest, report, owner);
  return XPIO_ALWAYS_READY;
}

void xpio_windows_end_reading(struct xpio_descriptor *descriptor) {
  struct xpio_watcher *watcher = descriptor->watcher;
  if (watcher == NULL) return;
  start(watcher, watcher->interest & ~XPIO_READABLE);
  watcher->report(watcher->owner, XPIO_READABLE, XPIO_READABLE);
}

void xpio_windows_close_watcher(struct xpio_descriptor *descriptor) {
  if (descriptor->watcher == NULL) return;
  uv_close(&descriptor->watcher->handle.any, on_closed);
  descriptor->watcher = NULL;
}

#include "watch.h"

#include "loop.h"
#include "socket.h"
#include "state.h"
#include "system.h"
#include "waiter.h"

void xpio_watch_init(struct xpio_watch *watch) {
  xpio_event_init(&watch->readable);
  xpio_event_init(&watch->writable);
  watch->read_pass = 0;
  watch->interest = 0;
}

void xpio_watch_wake_all(struct xpio_watch *watch) {
  xpio_wake(&watch->readable);
  xpio_wake(&watch->writable);
}

static xpio_report on_event;

static int set_interest(struct xpio_socket *socket, int interest) {
  int result = xpio_system_watch(&socket->descriptor, interest, on_event, socket);
  /* What is always ready now need not stay so, and says nothing of the other event. */
  if (result <= 0) socket->watch.interest = result == 0 ? interest : 0;
  return result;
}

/* Interest that nobody shares any more is dropped, but interest in reading only
 * when the event comes again in a later pass: the reader of a connection most
 * often comes back, and then neither waking it nor its new wait costs a system
 * call. A repeat in the same pass is libuv polling once more after it got as
 * many events as it has room for, and says nothing. */
static void on_event(void *owner, int events, int ended) {
  struct xpio_socket *socket = owner;
  struct xpio_watch *watch = &socket->watch;
  uint32_t pass = socket->state->loop->pass;
  int interest = watch->interest &= ~ended;
  if (events & XPIO_READABLE) {
    if (!xpio_list_empty(&watch->readable.waiters)) {
      xpio_wake(&watch->readable);
      watch->read_pass = pass;
    } else if (watch->read_pass != pass) {
      interest &= ~XPIO_READABLE;
    }
  }
  if (events & XPIO_WRITABLE) {
    xpio_wake(&watch->writable);
    interest &= ~XPIO_WRITABLE;
  }
  socket->read_all = false;
  /* Whoever still waits would wait in vain: let the call report the error. */
  if (interest != watch->interest && set_interest(socket, interest) < 0) xpio_watch_wake_all(watch);
}

int xpio_watch_arm(struct xpio_socket *socket, int direction, struct xpio_event **event) {
  struct xpio_watch *watch = &socket->watch;
  *event = NULL;
  if ((socket->descriptor.modes & direction) == 0) return 0;
  if ((watch->interest & direction) == 0) {
    int result = set_interest(socket, watch->interest | direction);
    if (result == XPIO_ALWAYS_READY) return 0;
    if (result < 0) {
      xpio_watch_wake_all(watch);
      return result;
    }
  }
  *event = direction == XPIO_READABLE ? &watch->readable : &watch->writable;
  return 0;
}

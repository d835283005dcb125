/* Interest in a descriptor's events, kept in step with who waits for them. */
#ifndef XPIO_WATCH_H
#define XPIO_WATCH_H

#include <stdint.h>

#include "waiter.h"

struct xpio_socket;

struct xpio_watch {
  struct xpio_event readable, writable;
  uint32_t read_pass;     /* the pass of the loop that last woke readers */
  unsigned char interest; /* the events that the system reports */
};

void xpio_watch_init(struct xpio_watch *watch);

/* Sees to it that an event of an open socket, for XPIO_READABLE or XPIO_WRITABLE,
 * will be noticed, and puts it into `event`; null when it is there already or
 * can never come, so that the call itself reports what is. Returns 0 or an
 * error. */
int xpio_watch_arm(struct xpio_socket *socket, int direction, struct xpio_event **event);

/* Wakes everyone who waits for anything. */
void xpio_watch_wake_all(struct xpio_watch *watch);

#endif

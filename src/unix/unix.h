/* What the files of the Unix part share. */
#ifndef XPIO_UNIX_H
#define XPIO_UNIX_H

#include <poll.h>
#include <stdbool.h>

struct xpio_descriptor;

/* The numbers below it are the standard streams. */
enum { XPIO_LOWEST_NUMBER = 3 };

/* How a call on a descriptor is kept from blocking. */
enum xpio_access {
  XPIO_ACCESS_NONBLOCKING, /* its description is non-blocking */
  XPIO_ACCESS_DONTWAIT,    /* a shared socket: MSG_DONTWAIT on every call */
  XPIO_ACCESS_NOWAIT,      /* a shared pipe: preadv2 and pwritev2 with RWF_NOWAIT */
  XPIO_ACCESS_POLLED,      /* shared, and nothing better: only what poll promises */
  XPIO_ACCESS_PLAIN        /* it never blocks, or the program wants it to */
};

/* errno as a libuv error, UV_EAGAIN for all that mean "not now". */
int xpio_unix_error(void);

/* The number, or a duplicate of it above 2 instead: a process may have been started
 * with a standard stream closed, and what is written to that stream must not get
 * into something of ours. Passes on an error, and may return one. */
int xpio_unix_above_standard(int number);

/* Whether poll reports any of these events, an error, or a hang-up right now. */
bool xpio_unix_ready(int number, short events);

/* Closes the descriptor's watcher if it has one. */
void xpio_unix_close_watcher(struct xpio_descriptor *descriptor);

#endif

/* What the files of the Unix part share. */
#ifndef XPIO_UNIX_H
#define XPIO_UNIX_H

#include <poll.h>
#include <stdbool.h>
#include <uv.h>

#include "../system.h"
#include "features.h"

/* The numbers below it are the standard streams. */
enum { XPIO_LOWEST_NUMBER = 3 };

/* How a call on a descriptor is kept from blocking. */
enum xpio_access {
  XPIO_ACCESS_NONBLOCKING, /* its description is non-blocking */
  XPIO_ACCESS_DONTWAIT,    /* a shared socket: accept and connect, too, are kept from it */
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

/* Opens a file, close-on-exec, above the standard streams. Returns its number or an error, and
 * never UV_EAGAIN for a signal that came in between: who opens something has no try_ form. */
int xpio_unix_open(const char *path, int flags);

/* Takes over a number that is close-on-exec and non-blocking; modes as in system.h. */
void xpio_unix_adopt(struct xpio_descriptor *descriptor, int number, enum xpio_kind kind,
                     int modes);

/* Whether poll reports any of these events, an error, or a hang-up right now. */
bool xpio_unix_ready(int number, short events);

/* Closes the descriptor's watcher if it has one. */
void xpio_unix_close_watcher(struct xpio_descriptor *descriptor);

/* SIGCHLD. From `add` to `remove`, SIGCHLD sends this `wakeup` while our handler is
 * in place. `chain` puts it there; false when the host has replaced it by another. */
int xpio_unix_child_signal_add(uv_async_t *wakeup);
bool xpio_unix_child_signal_chain(void);
void xpio_unix_child_signal_remove(uv_async_t *wakeup);

/* Sees to it that the system keeps the status of children for us: it does not while
 * SIGCHLD is ignored, which is inherited through exec. */
void xpio_unix_keep_child_statuses(void);

#endif

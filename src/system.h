/* The system interface: all that the portable part asks of an operating
 * system. It is implemented once for each, in a folder of its own.
 *
 * Nothing here calls Lua or raises an error. A function that can fail returns
 * a negative libuv error code; every code that means "not now" arrives as
 * UV_EAGAIN, and no other. A descriptor that failed to open stays closed.
 */
#ifndef XPIO_SYSTEM_H
#define XPIO_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <uv.h>

struct xpio_loop;
struct xpio_watcher;

enum xpio_kind {
  XPIO_KIND_TCP,
  XPIO_KIND_UDP,
  XPIO_KIND_UNIX_STREAM,
  XPIO_KIND_UNIX_DATAGRAM,
  XPIO_KIND_OTHER_SOCKET,
  XPIO_KIND_PIPE,
  XPIO_KIND_TERMINAL,
  XPIO_KIND_FILE
};

enum { XPIO_READABLE = 1, XPIO_WRITABLE = 2 };

/* What the system knows of an open object. The portable part embeds it and
 * reads the fields of the first group; the rest is the system's own. */
struct xpio_descriptor {
  int number; /* -1 when closed */
  unsigned char kind;
  unsigned char modes; /* XPIO_READABLE, XPIO_WRITABLE: what it was opened for */
  bool blocking;       /* in blocking mode by the program's own wish */
  struct xpio_loop *loop;

  unsigned char access;       /* how a call is kept from blocking, or what it can do */
  unsigned char first_access; /* the same, but for blocking mode */
  bool foreign;               /* its description is shared with others: leave O_NONBLOCK alone */
  bool connecting;            /* a connect to `peer` is under way */
  struct sockaddr_in peer;
  struct xpio_watcher *watcher; /* null until something waits */
};

/* Marks a descriptor as closed; what it will be opened as belongs to the loop. To be
 * called before any of the following. */
void xpio_descriptor_init(struct xpio_descriptor *descriptor, struct xpio_loop *loop);

/* Opening. Descriptors made here are close-on-exec and non-blocking from birth. */
int xpio_system_socket(struct xpio_descriptor *descriptor, enum xpio_kind kind);
int xpio_system_socketpair(struct xpio_descriptor *one, struct xpio_descriptor *other);
int xpio_system_pipe(struct xpio_descriptor *reader, struct xpio_descriptor *writer);
int xpio_system_openpty(struct xpio_descriptor *master, struct xpio_descriptor *slave);
int xpio_system_accept(struct xpio_descriptor *listener, struct xpio_descriptor *accepted);

/* Opens a duplicate of a descriptor that others may share. Their description's
 * O_NONBLOCK flag is never changed, and yet reading and writing do not block. */
int xpio_system_duplicate(struct xpio_descriptor *descriptor, int number);

/* The descriptor number below a C stream, whose buffered output is written first. */
int xpio_system_file_number(FILE *stream);

/* Closes it and its watcher. Does nothing when it is closed. */
void xpio_system_close(struct xpio_descriptor *descriptor);

/* Transfers: one system call each. They return the number of bytes; 0 from
 * reading a stream is its end. */
ptrdiff_t xpio_system_read(struct xpio_descriptor *descriptor, char *buffer, size_t size);
ptrdiff_t xpio_system_write(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                            unsigned count);
/* The most buffers that one xpio_system_write takes. */
enum { XPIO_WRITE_BUFFERS = 1024 };

/* Whether what was written is still on its way to the system: an error of it is told
 * by the next write, be that one of no bytes. */
bool xpio_system_is_sending(const struct xpio_descriptor *descriptor);

/* `sender->sin_family` is AF_UNSPEC when the system named no IPv4 sender. */
ptrdiff_t xpio_system_receive_from(struct xpio_descriptor *descriptor, char *buffer, size_t size,
                                   struct sockaddr_in *sender);
ptrdiff_t xpio_system_send_to(struct xpio_descriptor *descriptor, const char *data, size_t size,
                              const struct sockaddr_in *address);

/* Names and connections. connect reports the outcome of a pending attempt when
 * it is called again, and gives that up when the address is another one.
 * getsockname and getpeername know IPv4 addresses only. */
int xpio_system_bind(struct xpio_descriptor *descriptor, const struct sockaddr_in *address);
int xpio_system_listen(struct xpio_descriptor *descriptor, int backlog);
int xpio_system_connect(struct xpio_descriptor *descriptor, const struct sockaddr_in *address);
int xpio_system_getsockname(struct xpio_descriptor *descriptor, struct sockaddr_in *address);
int xpio_system_getpeername(struct xpio_descriptor *descriptor, struct sockaddr_in *address);
int xpio_system_shutdown(struct xpio_descriptor *descriptor, int modes);

/* Options: level and option are the constants of getsockopt. */
int xpio_system_get_option(struct xpio_descriptor *descriptor, int level, int option, int *value);
int xpio_system_set_option(struct xpio_descriptor *descriptor, int level, int option, int value);
int xpio_system_get_nonblocking(struct xpio_descriptor *descriptor, bool *nonblocking);
int xpio_system_set_nonblocking(struct xpio_descriptor *descriptor, bool nonblocking);

/* Sets which events are wanted: `interest` of XPIO_READABLE and XPIO_WRITABLE,
 * or 0 for none. They are reported to `report` out of xpio_loop_pass, or of a call
 * that brings them about, and again in every pass while they last; but not those
 * in `ended`, which have to be wanted anew: all of them after an error, and
 * wherever the system tells an event only once. An error or a hang-up counts as
 * both events.
 * Returns 0, an error, or XPIO_ALWAYS_READY where what was added to the interest is
 * there, or never is to be waited for (a regular file): that will not be reported,
 * and the rest of the interest is as it was. */
typedef void xpio_report(void *owner, int events, int ended);
enum { XPIO_ALWAYS_READY = 1 };
int xpio_system_watch(struct xpio_descriptor *descriptor, int interest, xpio_report *report,
                      void *owner);

/* In two steps, for the loop must run in between, when all descriptors are closed:
 * ends what still goes on below them; frees the memory of watchers. */
void xpio_system_close_watchers(struct xpio_loop *loop);
void xpio_system_free_watchers(struct xpio_loop *loop);

/* Ctrl-C. `add`, once for a loop, lets SIGINT send its `wakeup`, and `remove` ends
 * that. `chain`, which may be called at any time, chains the SIGINT handler again
 * if the host has installed its own anew; a default or ignored SIGINT is left
 * alone. */
void xpio_system_interrupt_add(uv_async_t *wakeup);
void xpio_system_interrupt_chain(void);
void xpio_system_interrupt_remove(uv_async_t *wakeup);

/* Lua unloads its modules in lua_close; but a signal handler that was chained behind ours, the
 * loop of a host, or a thread of libuv's may still be about to call into this one. So it
 * stays in memory from now on. */
void xpio_system_stay_loaded(void);

/* How often a chained SIGINT handler was called, up to the limits of the type. */
unsigned xpio_system_interrupt_count(void);

/* Between the two, no new descriptor gets a number of a standard stream: libuv
 * refuses to close those. Returns what `release` wants. */
unsigned xpio_system_reserve_standard(void);
void xpio_system_release_standard(unsigned reserved);

/* Whether SIGPIPE does anything, which by default is to end the process; and a
 * choice between that and ignoring it. A handler of the host's is left alone. */
bool xpio_system_sigpipe_acts(void);
void xpio_system_set_sigpipe(bool acts);

/* The system's own message for an error that error.h does not know, and its symbolic
 * name. Valid until the next call in this thread. */
const char *xpio_system_error_message(int error);
const char *xpio_system_error_name(int error, char *buffer, size_t size);

#endif

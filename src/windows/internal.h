/* What the files of the Windows part share.
 *
 * A socket's number is its SOCKET; that of anything else is a descriptor of the C
 * runtime. Both are handles of the kernel, and none is inheritable. */
#ifndef XPIO_INTERNAL_H
#define XPIO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "../system.h"

/* Older releases of mingw-w64 have no names for them. */
#ifndef WSA_FLAG_NO_HANDLE_INHERIT
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
#endif
#ifndef SIO_UDP_CONNRESET
#define SIO_UDP_CONNRESET _WSAIOW(IOC_VENDOR, 12)
#endif

/* What is in the `access` of a descriptor. */
enum {
  XPIO_ACCESS_OVERLAPPED = 1,    /* its handle was opened for overlapped I/O */
  XPIO_ACCESS_READING_ENDED = 2, /* a socket that is shut down for reading */
  XPIO_ACCESS_REUSE = 4          /* the option SO_REUSEADDR, as the program sees it */
};

static inline bool xpio_windows_is_socket(const struct xpio_descriptor *descriptor) {
  return descriptor->kind <= XPIO_KIND_OTHER_SOCKET;
}

/* Pipes and consoles, which libuv reads and writes as streams. */
static inline bool xpio_windows_is_stream(const struct xpio_descriptor *descriptor) {
  return descriptor->kind == XPIO_KIND_PIPE || descriptor->kind == XPIO_KIND_TERMINAL;
}

static inline SOCKET xpio_windows_socket(const struct xpio_descriptor *descriptor) {
  return (SOCKET)(unsigned)descriptor->number;
}

/* The handle below a descriptor of the C runtime. */
HANDLE xpio_windows_handle(const struct xpio_descriptor *descriptor);

/* Returns 0, or why no socket function can be called: UV_EBADF, UV_ENOTSOCK. */
int xpio_windows_check_socket(const struct xpio_descriptor *descriptor);

/* The last error of a socket function, or of another, as a libuv error. */
int xpio_windows_socket_error(void);
int xpio_windows_error(void);

/* Takes over a new SOCKET: not inheritable, and non-blocking. Closes it when that
 * cannot be. Returns 0 or an error. */
int xpio_windows_adopt_socket(struct xpio_descriptor *descriptor, SOCKET socket,
                              enum xpio_kind kind);

/* Whether it is a stream that goes nowhere, of which nothing is ever told: whoever waits
 * for it is to try, and learn that. */
bool xpio_windows_is_idle(const struct xpio_descriptor *descriptor);

/* Whether a call on the socket would wait: to be asked of one that others share, who may
 * have set it to blocking mode. `events` are XPIO_READABLE or XPIO_WRITABLE. */
bool xpio_windows_would_wait(const struct xpio_descriptor *descriptor, int events);

/* Where a datagram or a connection to this address goes: Unix takes 0.0.0.0 for this
 * machine, Windows refuses it. */
struct sockaddr_in xpio_windows_destination(const struct sockaddr_in *address);

/* Sockets. */
ptrdiff_t xpio_windows_receive(struct xpio_descriptor *descriptor, char *buffer, size_t size);
ptrdiff_t xpio_windows_send(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                            unsigned count);

/* What a handle was opened for: XPIO_READABLE, XPIO_WRITABLE; whether for overlapped
 * I/O; and whether nobody has the other end of a pipe. */
int xpio_windows_modes(HANDLE handle);
bool xpio_windows_is_overlapped(HANDLE handle);
bool xpio_windows_is_alone(HANDLE handle);

/* Opens a descriptor of the C runtime, for the caller to close, with a duplicate of the
 * handle. Returns its number or an error. */
int xpio_windows_open_duplicate(HANDLE handle);

/* The type of a socket, SOCK_STREAM say; false if it is none. */
bool xpio_windows_socket_type(SOCKET socket, int *type);

/* Reads what there is, and in blocking mode waits for it. No other thread may be in a call
 * on the same file. */
ptrdiff_t xpio_windows_read_pipe(const struct xpio_descriptor *descriptor, char *buffer,
                                 size_t size);

/* Writes all, and waits until it is taken. */
ptrdiff_t xpio_windows_write_pipe(const struct xpio_descriptor *descriptor, const uv_buf_t *buffer);

/* Streams. `watch` is as xpio_system_watch, `close` as xpio_system_close. */
ptrdiff_t xpio_windows_read_stream(struct xpio_descriptor *descriptor, char *buffer, size_t size);
ptrdiff_t xpio_windows_write_stream(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                                    unsigned count);
int xpio_windows_watch_stream(struct xpio_descriptor *descriptor, int interest,
                              xpio_report *on_event, void *owner);
void xpio_windows_close_stream(struct xpio_descriptor *descriptor);

/* Whether a piece of what was written is on its way. */
bool xpio_windows_is_busy(const struct xpio_descriptor *descriptor);

/* Between the two, no stream of the loop is being read: asking for the type of a
 * handle does not return while another thread is in a read of the same file. */
void xpio_windows_pause_streams(struct xpio_loop *loop);
void xpio_windows_resume_streams(struct xpio_loop *loop);

/* The libuv stream that has this descriptor of the C runtime, or null. */
uv_stream_t *xpio_windows_find_stream(struct xpio_loop *loop, int number);

/* A watcher outlives its descriptor: libuv needs the handle until a later pass of the
 * loop has closed it. */
struct xpio_watcher {
  union {
    uv_handle_t any;
    uv_poll_t poll;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tty_t console;
  } handle;
  struct xpio_loop *loop;
  xpio_report *report;
  void *owner;
  int interest;
};

/* Of a socket that may have a watcher: closes that; or reports that there is something
 * to read, which from now on is always so. */
void xpio_windows_close_watcher(struct xpio_descriptor *descriptor);
void xpio_windows_end_reading(struct xpio_descriptor *descriptor);

#endif

/* Reading and writing on Unix, without ever blocking. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "../system.h"
#include "unix.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* SIGPIPE is ignored anyway, unless the host changed its mind */
#endif

_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "libuv promises uv_buf_t to be an iovec");

bool xpio_unix_ready(int number, short events) {
  struct pollfd poll_descriptor = {.fd = number, .events = events};
  return poll(&poll_descriptor, 1, 0) > 0;
}

static ptrdiff_t result_of(ssize_t count) {
  return count < 0 ? xpio_unix_error() : count;
}

static bool is_socket(const struct xpio_descriptor *descriptor) {
  return descriptor->kind <= XPIO_KIND_OTHER_SOCKET;
}

/* Also for those that are non-blocking: a child that has the same socket, by a number or a
 * duplicate, has it in blocking mode. */
static int wait_flag(const struct xpio_descriptor *descriptor) {
  return descriptor->access == XPIO_ACCESS_PLAIN ? 0 : MSG_DONTWAIT;
}

static int send_flags(const struct xpio_descriptor *descriptor) {
  return MSG_NOSIGNAL | wait_flag(descriptor);
}

/* How much may be read without waiting for more. With VTIME set, a terminal is
 * ready at its first byte but waits for others if asked for more than it has;
 * FIONREAD 0 is an end of file that was typed. */
static size_t size_without_waiting(const struct xpio_descriptor *descriptor, size_t size) {
  int available = 0;
  if (descriptor->kind != XPIO_KIND_TERMINAL) return size;
  if (ioctl(descriptor->number, FIONREAD, &available) < 0 || available < 1) return 1;
  return size < (size_t)available ? size : (size_t)available;
}

/* Only what poll has promised: a reader alone on its descriptor never blocks. */
static ptrdiff_t read_polled(struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  if (!xpio_unix_ready(descriptor->number, POLLIN)) return UV_EAGAIN;
  return result_of(read(descriptor->number, buffer, size_without_waiting(descriptor, size)));
}

static ptrdiff_t write_buffers(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                               unsigned count) {
  if (count == 1) return result_of(write(descriptor->number, buffers->base, buffers->len));
  return result_of(writev(descriptor->number, (const struct iovec *)buffers, (int)count));
}

/* A pipe that can be written has room for PIPE_BUF bytes. A terminal has room
 * for one: of more, even a few may block, and RWF_NOWAIT is refused. A device
 * takes records, which must not be cut. */
static ptrdiff_t write_polled(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                              unsigned count) {
  if (!xpio_unix_ready(descriptor->number, POLLOUT)) return UV_EAGAIN;
  if (descriptor->kind == XPIO_KIND_FILE) return write_buffers(descriptor, buffers, count);
  size_t most = descriptor->kind == XPIO_KIND_PIPE ? PIPE_BUF : 1;
  while (count > 1 && buffers->len == 0) buffers++, count--;
  size_t size = buffers->len < most ? buffers->len : most;
  return result_of(write(descriptor->number, buffers->base, size));
}

#ifdef RWF_NOWAIT
/* A kernel or file system that does not know RWF_NOWAIT says EOPNOTSUPP. */
static ptrdiff_t read_nowait(struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  struct iovec vector = {buffer, size};
  ssize_t count = preadv2(descriptor->number, &vector, 1, -1, RWF_NOWAIT);
  if (count >= 0 || errno != EOPNOTSUPP) return result_of(count);
  descriptor->access = XPIO_ACCESS_POLLED;
  return read_polled(descriptor, buffer, size);
}

static ptrdiff_t write_nowait(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                              unsigned count) {
  ssize_t written =
      pwritev2(descriptor->number, (const struct iovec *)buffers, (int)count, -1, RWF_NOWAIT);
  if (written >= 0 || errno != EOPNOTSUPP) return result_of(written);
  descriptor->access = XPIO_ACCESS_POLLED;
  return write_polled(descriptor, buffers, count);
}
#else
#define read_nowait read_polled
#define write_nowait write_polled
#endif

static ptrdiff_t read_some(struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  if (is_socket(descriptor))
    return result_of(recv(descriptor->number, buffer, size, wait_flag(descriptor)));
  switch ((enum xpio_access)descriptor->access) {
  case XPIO_ACCESS_NOWAIT: return read_nowait(descriptor, buffer, size);
  case XPIO_ACCESS_POLLED: return read_polled(descriptor, buffer, size);
  default: return result_of(read(descriptor->number, buffer, size));
  }
}

/* A terminal that a program has told to return at once with what there is
 * (VMIN 0) returns nothing where another one says EAGAIN. */
static bool nothing_typed(const struct xpio_descriptor *descriptor) {
  struct termios terminal;
  return descriptor->kind == XPIO_KIND_TERMINAL && tcgetattr(descriptor->number, &terminal) == 0 &&
         !(terminal.c_lflag & ICANON) && terminal.c_cc[VMIN] == 0 &&
         !xpio_unix_ready(descriptor->number, POLLIN);
}

/* poll knows nothing wrong about a closed descriptor, or one that was opened for
 * the other direction: it is just never ready. */
static bool is_open_for(const struct xpio_descriptor *descriptor, int mode) {
  return descriptor->number >= 0 && (descriptor->modes & mode) != 0;
}

ptrdiff_t xpio_system_read(struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  if (!is_open_for(descriptor, XPIO_READABLE)) return UV_EBADF;
  ptrdiff_t count = read_some(descriptor, buffer, size);
  return count == 0 && nothing_typed(descriptor) ? UV_EAGAIN : count;
}

static ptrdiff_t send_buffers(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                              unsigned count) {
  int flags = send_flags(descriptor);
  if (count == 1) return result_of(send(descriptor->number, buffers->base, buffers->len, flags));
  struct msghdr message = {.msg_iov = (struct iovec *)buffers, .msg_iovlen = count};
  return result_of(sendmsg(descriptor->number, &message, flags));
}

ptrdiff_t xpio_system_write(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                            unsigned count) {
  if (!is_open_for(descriptor, XPIO_WRITABLE)) return UV_EBADF;
  if (is_socket(descriptor)) return send_buffers(descriptor, buffers, count);
  switch ((enum xpio_access)descriptor->access) {
  case XPIO_ACCESS_NOWAIT: return write_nowait(descriptor, buffers, count);
  case XPIO_ACCESS_POLLED: return write_polled(descriptor, buffers, count);
  default: return write_buffers(descriptor, buffers, count);
  }
}

bool xpio_system_is_sending(const struct xpio_descriptor *descriptor) {
  (void)descriptor;
  return false;
}

ptrdiff_t xpio_system_receive_from(struct xpio_descriptor *descriptor, char *buffer, size_t size,
                                   struct sockaddr_in *sender) {
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t length = sizeof name;
  ssize_t count = recvfrom(descriptor->number, buffer, size, wait_flag(descriptor),
                           (struct sockaddr *)&name, &length);
  sender->sin_family = AF_UNSPEC;
  /* A connected stream leaves the name as it is and sets its length to 0. */
  if (count >= 0 && length > 0 && name.ss_family == AF_INET) memcpy(sender, &name, sizeof *sender);
  return result_of(count);
}

ptrdiff_t xpio_system_send_to(struct xpio_descriptor *descriptor, const char *data, size_t size,
                              const struct sockaddr_in *address) {
  return result_of(sendto(descriptor->number, data, size, send_flags(descriptor),
                          (const struct sockaddr *)address, sizeof *address));
}

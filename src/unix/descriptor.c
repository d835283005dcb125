/* Descriptors on Unix: making, closing, naming and connecting them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../system.h"
#include "unix.h"

void xpio_descriptor_init(struct xpio_descriptor *descriptor, struct xpio_loop *loop) {
  memset(descriptor, 0, sizeof *descriptor);
  descriptor->loop = loop;
  descriptor->number = -1;
}

unsigned xpio_system_reserve_standard(void) {
  unsigned reserved = 0;
  int number;
  while ((number = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && number < XPIO_LOWEST_NUMBER)
    reserved |= 1U << number;
  if (number >= 0) close(number);
  return reserved;
}

void xpio_system_release_standard(unsigned reserved) {
  for (int number = 0; number < XPIO_LOWEST_NUMBER; number++)
    if (reserved & 1U << number) close(number);
}

void xpio_unix_adopt(struct xpio_descriptor *descriptor, int number, enum xpio_kind kind,
                     int modes) {
  descriptor->number = number;
  descriptor->kind = (unsigned char)kind;
  descriptor->modes = (unsigned char)modes;
  descriptor->access = descriptor->first_access = XPIO_ACCESS_NONBLOCKING;
}

int xpio_unix_above_standard(int number) {
  if (number < 0 || number >= XPIO_LOWEST_NUMBER) return number;
  int duplicate = fcntl(number, F_DUPFD_CLOEXEC, XPIO_LOWEST_NUMBER);
  int error = duplicate < 0 ? xpio_unix_error() : 0;
  close(number);
  return error < 0 ? error : duplicate;
}

int xpio_unix_open(const char *path, int flags) {
  int number;
  do {
    number = open(path, flags | O_CLOEXEC);
  } while (number < 0 && errno == EINTR);
  return number < 0 ? xpio_unix_error() : xpio_unix_above_standard(number);
}

static int both_above_standard(int numbers[2]) {
  for (int i = 0; i < 2; i++) {
    int other = numbers[1 - i];
    numbers[i] = xpio_unix_above_standard(numbers[i]);
    if (numbers[i] >= 0) continue;
    close(other);
    return numbers[i];
  }
  return 0;
}

/* Where a system call cannot make descriptors close-on-exec and non-blocking
 * from birth, they become so right after it. */
#if defined(SOCK_CLOEXEC) && defined(XPIO_HAVE_ACCEPT4) && defined(XPIO_HAVE_PIPE2)
enum { PRIVATE = SOCK_CLOEXEC | SOCK_NONBLOCK };

static int open_socket(int type) {
  int number = socket(AF_INET, type | PRIVATE, 0);
  return number < 0 ? xpio_unix_error() : number;
}

static int open_socketpair(int numbers[2]) {
  return socketpair(AF_UNIX, SOCK_STREAM | PRIVATE, 0, numbers) < 0 ? xpio_unix_error() : 0;
}

static int open_pipe(int numbers[2]) {
  return pipe2(numbers, O_CLOEXEC | O_NONBLOCK) < 0 ? xpio_unix_error() : 0;
}

static int accept_socket(int listener) {
  int number = accept4(listener, NULL, NULL, PRIVATE);
  return number < 0 ? xpio_unix_error() : number;
}
#else
static int make_private(int number) {
  int flags = fcntl(number, F_GETFL);
  if (flags >= 0 && fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0 &&
      fcntl(number, F_SETFD, FD_CLOEXEC) == 0)
    return number;
  int error = xpio_unix_error();
  close(number);
  return error;
}

static int make_both_private(int numbers[2]) {
  for (int i = 0; i < 2; i++) {
    int result = make_private(numbers[i]);
    if (result >= 0) continue;
    close(numbers[1 - i]);
    return result;
  }
  return 0;
}

static int open_socket(int type) {
  int number = socket(AF_INET, type, 0);
  return number < 0 ? xpio_unix_error() : make_private(number);
}

static int open_socketpair(int numbers[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, numbers) < 0) return xpio_unix_error();
  return make_both_private(numbers);
}

static int open_pipe(int numbers[2]) {
  return pipe(numbers) < 0 ? xpio_unix_error() : make_both_private(numbers);
}

static int accept_socket(int listener) {
  int number = accept(listener, NULL, NULL);
  return number < 0 ? xpio_unix_error() : make_private(number);
}
#endif

int xpio_system_socket(struct xpio_descriptor *descriptor, enum xpio_kind kind) {
  int type = kind == XPIO_KIND_TCP ? SOCK_STREAM : SOCK_DGRAM;
  int number = xpio_unix_above_standard(open_socket(type));
  if (number < 0) return number;
  xpio_unix_adopt(descriptor, number, kind, XPIO_READABLE | XPIO_WRITABLE);
  return 0;
}

int xpio_system_socketpair(struct xpio_descriptor *one, struct xpio_descriptor *other) {
  int numbers[2];
  int error = open_socketpair(numbers);
  if (error == 0) error = both_above_standard(numbers);
  if (error < 0) return error;
  xpio_unix_adopt(one, numbers[0], XPIO_KIND_UNIX_STREAM, XPIO_READABLE | XPIO_WRITABLE);
  xpio_unix_adopt(other, numbers[1], XPIO_KIND_UNIX_STREAM, XPIO_READABLE | XPIO_WRITABLE);
  return 0;
}

int xpio_system_pipe(struct xpio_descriptor *reader, struct xpio_descriptor *writer) {
  int numbers[2];
  int error = open_pipe(numbers);
  if (error == 0) error = both_above_standard(numbers);
  if (error < 0) return error;
  xpio_unix_adopt(reader, numbers[0], XPIO_KIND_PIPE, XPIO_READABLE);
  xpio_unix_adopt(writer, numbers[1], XPIO_KIND_PIPE, XPIO_WRITABLE);
  return 0;
}

int xpio_system_accept(struct xpio_descriptor *listener, struct xpio_descriptor *accepted) {
  int number;
  do {
    /* There is no MSG_DONTWAIT for accept. A process that shares the listener may
     * still take the connection between the two calls. */
    if (listener->access == XPIO_ACCESS_DONTWAIT && !xpio_unix_ready(listener->number, POLLIN))
      return UV_EAGAIN;
    number = accept_socket(listener->number);
  } while (number == UV_ECONNABORTED); /* that peer is gone; perhaps there is another */
  number = xpio_unix_above_standard(number);
  if (number < 0) return number;
  xpio_unix_adopt(accepted, number, (enum xpio_kind)listener->kind, XPIO_READABLE | XPIO_WRITABLE);
  return 0;
}

void xpio_system_close(struct xpio_descriptor *descriptor) {
  if (descriptor->number < 0) return;
  xpio_unix_close_watcher(descriptor);
  /* Not again after EINTR: Linux has closed it by then (close(2)). */
  close(descriptor->number);
  descriptor->number = -1;
}

int xpio_system_bind(struct xpio_descriptor *descriptor, const struct sockaddr_in *address) {
  int result = bind(descriptor->number, (const struct sockaddr *)address, sizeof *address);
  return result < 0 ? xpio_unix_error() : 0;
}

int xpio_system_listen(struct xpio_descriptor *descriptor, int backlog) {
  return listen(descriptor->number, backlog) < 0 ? xpio_unix_error() : 0;
}

static int connect_once(struct xpio_descriptor *descriptor, const struct sockaddr_in *address) {
  int result = connect(descriptor->number, (const struct sockaddr *)address, sizeof *address);
  return result < 0 ? xpio_unix_error() : 0;
}

/* connect has no MSG_DONTWAIT either, and nothing to poll for before it: for
 * the one call, and no longer, a shared description becomes non-blocking. */
static int connect_without_waiting(struct xpio_descriptor *descriptor,
                                   const struct sockaddr_in *address) {
  if (descriptor->access != XPIO_ACCESS_DONTWAIT) return connect_once(descriptor, address);
  int flags = fcntl(descriptor->number, F_GETFL);
  if (flags < 0) return xpio_unix_error();
  if (flags & O_NONBLOCK) return connect_once(descriptor, address);
  if (fcntl(descriptor->number, F_SETFL, flags | O_NONBLOCK) < 0) return xpio_unix_error();
  int result = connect_once(descriptor, address);
  fcntl(descriptor->number, F_SETFL, flags);
  return result;
}

static bool same_address(const struct sockaddr_in *one, const struct sockaddr_in *other) {
  return one->sin_addr.s_addr == other->sin_addr.s_addr && one->sin_port == other->sin_port;
}

/* The outcome of a pending attempt. Linux reports it, once, when connect is called
 * again; others would begin anew, or say EINVAL. */
static int finish_connect(struct xpio_descriptor *descriptor) {
#ifdef __linux__
  return connect_without_waiting(descriptor, &descriptor->peer);
#else
  int error;
  if (!xpio_unix_ready(descriptor->number, POLLOUT)) return UV_EAGAIN;
  int result = xpio_system_get_option(descriptor, SOL_SOCKET, SO_ERROR, &error);
  return result < 0 ? result : uv_translate_sys_error(error);
#endif
}

/* Gives up a pending attempt, for another address. Linux can; where that fails,
 * the socket is good for nothing else. */
static int abort_connect(struct xpio_descriptor *descriptor) {
  const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
  descriptor->connecting = false;
  if (connect(descriptor->number, &nowhere, sizeof nowhere) == 0) return 0;
  return UV_EISCONN;
}

int xpio_system_connect(struct xpio_descriptor *descriptor, const struct sockaddr_in *address) {
  int result = 0;
  if (descriptor->connecting && same_address(&descriptor->peer, address)) {
    result = finish_connect(descriptor);
  } else {
    if (descriptor->connecting) result = abort_connect(descriptor);
    if (result == 0) result = connect_without_waiting(descriptor, address);
    descriptor->peer = *address;
  }
  descriptor->connecting = result == UV_EAGAIN;
  return result;
}

static int ipv4_only(int result, const struct sockaddr_storage *name, struct sockaddr_in *address) {
  if (result < 0) return xpio_unix_error();
  if (name->ss_family != AF_INET) return UV_EAFNOSUPPORT;
  memcpy(address, name, sizeof *address);
  return 0;
}

int xpio_system_getsockname(struct xpio_descriptor *descriptor, struct sockaddr_in *address) {
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t length = sizeof name;
  int result = getsockname(descriptor->number, (struct sockaddr *)&name, &length);
  return ipv4_only(result, &name, address);
}

int xpio_system_getpeername(struct xpio_descriptor *descriptor, struct sockaddr_in *address) {
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t length = sizeof name;
  int result = getpeername(descriptor->number, (struct sockaddr *)&name, &length);
  return ipv4_only(result, &name, address);
}

int xpio_system_shutdown(struct xpio_descriptor *descriptor, int modes) {
  int how = modes == XPIO_READABLE ? SHUT_RD : modes == XPIO_WRITABLE ? SHUT_WR : SHUT_RDWR;
  return shutdown(descriptor->number, how) < 0 ? xpio_unix_error() : 0;
}

int xpio_system_get_option(struct xpio_descriptor *descriptor, int level, int option, int *value) {
  socklen_t length = sizeof *value;
  int result = getsockopt(descriptor->number, level, option, value, &length);
  return result < 0 ? xpio_unix_error() : 0;
}

int xpio_system_set_option(struct xpio_descriptor *descriptor, int level, int option, int value) {
  int result = setsockopt(descriptor->number, level, option, &value, sizeof value);
  return result < 0 ? xpio_unix_error() : 0;
}

int xpio_system_get_nonblocking(struct xpio_descriptor *descriptor, bool *nonblocking) {
  int flags = fcntl(descriptor->number, F_GETFL);
  if (flags < 0) return xpio_unix_error();
  *nonblocking = (flags & O_NONBLOCK) != 0;
  return 0;
}

int xpio_system_set_nonblocking(struct xpio_descriptor *descriptor, bool nonblocking) {
  int flags = fcntl(descriptor->number, F_GETFL);
  if (flags < 0) return xpio_unix_error();
  flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (fcntl(descriptor->number, F_SETFL, flags) < 0) return xpio_unix_error();
  descriptor->blocking = !nonblocking;
  /* Whoever shares the description may clear the flag again. */
  descriptor->access = nonblocking ? descriptor->first_access : XPIO_ACCESS_PLAIN;
  return 0;
}

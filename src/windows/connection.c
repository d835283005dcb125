/* Connecting and naming sockets on Windows, and their options. */
#include <string.h>

#include "../loop.h"
#include "inherit.h"
#include "internal.h"

static int result_of(int result) {
  return result == SOCKET_ERROR ? xpio_windows_socket_error() : 0;
}

int xpio_system_bind(struct xpio_descriptor *descriptor, const struct sockaddr_in *address) {
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  return result_of(
      bind(xpio_windows_socket(descriptor), (const struct sockaddr *)address, sizeof *address));
}

static bool is_bound(SOCKET socket) {
  struct sockaddr_storage name;
  int length = sizeof name;
  return getsockname(socket, (struct sockaddr *)&name, &length) == 0;
}

/* Unix binds a socket that has no name yet to a free port. */
int xpio_system_listen(struct xpio_descriptor *descriptor, int backlog) {
  static const struct sockaddr_in any = {.sin_family = AF_INET};
  int error = xpio_windows_check_socket(descriptor);
  if (error == 0 && !is_bound(xpio_windows_socket(descriptor)))
    error = xpio_system_bind(descriptor, &any);
  if (error < 0) return error;
  return result_of(listen(xpio_windows_socket(descriptor), backlog));
}

bool xpio_windows_is_idle(const struct xpio_descriptor *descriptor) {
  struct sockaddr_storage peer;
  int length = sizeof peer, listening = 0, size = sizeof listening;
  SOCKET socket = xpio_windows_socket(descriptor);
  if (descriptor->kind != XPIO_KIND_TCP || descriptor->connecting) return false;
  if (getpeername(socket, (struct sockaddr *)&peer, &length) == 0) return false;
  getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listening, &size);
  return !listening;
}

bool xpio_windows_would_wait(const struct xpio_descriptor *descriptor, int events) {
  fd_set set = {1, {xpio_windows_socket(descriptor)}};
  struct timeval now = {0, 0};
  bool read = events == XPIO_READABLE;
  if (!descriptor->foreign || descriptor->blocking || xpio_windows_is_idle(descriptor))
    return false;
  if (read && (descriptor->access & XPIO_ACCESS_READING_ENDED)) return false;
  return select(0, read ? &set : NULL, read ? NULL : &set, NULL, &now) == 0;
}

/* Accepted sockets are inheritable at first: no child may be started meanwhile. But a
 * call that blocks, by the program's wish, cannot keep others from it. */
static SOCKET accept_privately(const struct xpio_descriptor *listener) {
  if (listener->blocking) return accept(xpio_windows_socket(listener), NULL, NULL);
  xpio_windows_forbid_children();
  SOCKET socket = accept(xpio_windows_socket(listener), NULL, NULL);
  int error = WSAGetLastError();
  if (socket != INVALID_SOCKET) SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0);
  xpio_windows_allow_children();
  WSASetLastError(error);
  return socket;
}

int xpio_system_accept(struct xpio_descriptor *listener, struct xpio_descriptor *accepted) {
  SOCKET socket;
  int error = xpio_windows_check_socket(listener);
  if (error < 0) return error;
  if (xpio_windows_would_wait(listener, XPIO_READABLE)) return UV_EAGAIN;
  do {
    socket = accept_privately(listener);
    if (socket == INVALID_SOCKET) error = WSAGetLastError();
    /* That peer is gone; perhaps there is another. */
  } while (socket == INVALID_SOCKET && error == WSAECONNRESET);
  if (socket == INVALID_SOCKET) return xpio_windows_socket_error();
  return xpio_windows_adopt_socket(accepted, socket, (enum xpio_kind)listener->kind);
}

/* The outcome of a pending attempt: writable, or an exception. Not by WSAPoll, which
 * until Windows 10 2004 did not tell that an attempt has failed. */
static int finish_connect(SOCKET socket) {
  fd_set writable = {1, {socket}}, failed = {1, {socket}};
  struct timeval now = {0, 0};
  int count = select(0, NULL, &writable, &failed, &now);
  if (count == SOCKET_ERROR) return xpio_windows_socket_error();
  if (count == 0) return UV_EAGAIN;
  int error = 0, length = sizeof error;
  getsockopt(socket, SOL_SOCKET, SO_ERROR, (char *)&error, &length);
  if (error != 0) return uv_translate_sys_error(error);
  return writable.fd_count > 0 ? 0 : UV_ECONNREFUSED;
}

/* A connected UDP socket is told that nobody listens at the other end. */
static void report_unreachable(SOCKET socket) {
  BOOL report = TRUE;
  DWORD bytes;
  WSAIoctl(socket, SIO_UDP_CONNRESET, &report, sizeof report, NULL, 0, &bytes, NULL, NULL);
}

struct sockaddr_in xpio_windows_destination(const struct sockaddr_in *address) {
  struct sockaddr_in result = *address;
  if (result.sin_addr.s_addr == INADDR_ANY) result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return result;
}

static int begin_connect(struct xpio_descriptor *descriptor, const struct sockaddr_in *address) {
  SOCKET socket = xpio_windows_socket(descriptor);
  struct sockaddr_in peer = xpio_windows_destination(address);
  if (descriptor->kind == XPIO_KIND_UDP) report_unreachable(socket);
  int result = connect(socket, (const struct sockaddr *)&peer, sizeof peer);
  /* Wine, on Linux, says so once after an attempt that has failed. */
  if (result == SOCKET_ERROR && WSAGetLastError() == WSAECONNABORTED)
    result = connect(socket, (const struct sockaddr *)&peer, sizeof peer);
  return result_of(result);
}

static bool same_address(const struct sockaddr_in *one, const struct sockaddr_in *other) {
  return one->sin_addr.s_addr == other->sin_addr.s_addr && one->sin_port == other->sin_port;
}

int xpio_system_connect(struct xpio_descriptor *descriptor, const struct sockaddr_in *address) {
  int result = xpio_windows_check_socket(descriptor);
  if (result < 0) return result;
  if (!descriptor->connecting)
    result = begin_connect(descriptor, address);
  else if (same_address(&descriptor->peer, address))
    result = finish_connect(xpio_windows_socket(descriptor));
  else
    return UV_ENOTSUP; /* a pending attempt cannot be given up */
  descriptor->peer = *address;
  descriptor->connecting = result == UV_EAGAIN;
  return result;
}

static int ipv4_only(int result, const struct sockaddr_storage *name, struct sockaddr_in *address) {
  if (result == SOCKET_ERROR) return xpio_windows_socket_error();
  if (name->ss_family != AF_INET) return UV_EAFNOSUPPORT;
  memcpy(address, name, sizeof *address);
  return 0;
}

int xpio_system_getsockname(struct xpio_descriptor *descriptor, struct sockaddr_in *address) {
  struct sockaddr_storage name = {.ss_family = AF_INET};
  int length = sizeof name;
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  int result = getsockname(xpio_windows_socket(descriptor), (struct sockaddr *)&name, &length);
  /* Unix says of a socket that has no name yet: 0.0.0.0:0. */
  if (result == SOCKET_ERROR && WSAGetLastError() == WSAEINVAL) result = 0;
  return ipv4_only(result, &name, address);
}

int xpio_system_getpeername(struct xpio_descriptor *descriptor, struct sockaddr_in *address) {
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  int length = sizeof name;
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  int result = getpeername(xpio_windows_socket(descriptor), (struct sockaddr *)&name, &length);
  return ipv4_only(result, &name, address);
}

/* Windows tells nobody who waits to read that there will be nothing any more. */
int xpio_system_shutdown(struct xpio_descriptor *descriptor, int modes) {
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  int how = modes == XPIO_READABLE ? SD_RECEIVE : modes == XPIO_WRITABLE ? SD_SEND : SD_BOTH;
  error = result_of(shutdown(xpio_windows_socket(descriptor), how));
  if (error < 0 || !(modes & XPIO_READABLE)) return error;
  descriptor->access |= XPIO_ACCESS_READING_ENDED;
  xpio_windows_end_reading(descriptor);
  return 0;
}

/* On Windows, two sockets with SO_REUSEADDR can listen at the same port, and one steal
 * the other's connections. What Unix means by the option is how Windows behaves without
 * it. So for TCP it is only remembered. */
static bool is_reuse(const struct xpio_descriptor *descriptor, int level, int option) {
  return descriptor->kind == XPIO_KIND_TCP && level == SOL_SOCKET && option == SO_REUSEADDR;
}

int xpio_system_get_option(struct xpio_descriptor *descriptor, int level, int option, int *value) {
  int length = sizeof *value;
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  *value = (descriptor->access & XPIO_ACCESS_REUSE) != 0;
  if (is_reuse(descriptor, level, option)) return 0;
  *value = 0; /* of some options Windows sets one byte only */
  return result_of(
      getsockopt(xpio_windows_socket(descriptor), level, option, (char *)value, &length));
}

int xpio_system_set_option(struct xpio_descriptor *descriptor, int level, int option, int value) {
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  if (is_reuse(descriptor, level, option)) {
    descriptor->access &= (unsigned char)~XPIO_ACCESS_REUSE;
    if (value) descriptor->access |= XPIO_ACCESS_REUSE;
    return 0;
  }
  return result_of(setsockopt(xpio_windows_socket(descriptor), level, option, (const char *)&value,
                              sizeof value));
}

/* There is no asking the system. */
int xpio_system_get_nonblocking(struct xpio_descriptor *descriptor, bool *nonblocking) {
  if (descriptor->number < 0) return UV_EBADF;
  *nonblocking = !descriptor->blocking;
  return 0;
}

int xpio_system_set_nonblocking(struct xpio_descriptor *descriptor, bool nonblocking) {
  u_long mode = nonblocking;
  if (descriptor->number < 0) return UV_EBADF;
  if (xpio_windows_is_socket(descriptor)) {
    int error = result_of(ioctlsocket(xpio_windows_socket(descriptor), (long)FIONBIO, &mode));
    if (error < 0) return error;
  }
  descriptor->blocking = !nonblocking;
  return 0;
}

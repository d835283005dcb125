/* Reading and writing on Windows, without ever blocking. */
#include <limits.h>
#include <string.h>

#include "internal.h"

/* Windows tells the end of a connection that had been reset in two ways, and of a
 * datagram that nobody wanted in the same. */
static int transfer_error(const struct xpio_descriptor *descriptor) {
  int error = WSAGetLastError();
  bool reset = error == WSAECONNRESET || error == WSAECONNABORTED;
  if (!reset) return xpio_windows_socket_error();
  return descriptor->kind == XPIO_KIND_UDP ? UV_ECONNREFUSED : UV_ECONNRESET;
}

static int clamp(size_t size) {
  return size < INT_MAX ? (int)size : INT_MAX;
}

/* Of a datagram that is longer Windows gives an error, and yet what fits. */
static ptrdiff_t received(const struct xpio_descriptor *descriptor, int count, size_t size) {
  if (count >= 0) return count;
  int error = WSAGetLastError();
  if (error == WSAEMSGSIZE) return clamp(size);
  /* A datagram socket that has no name yet: Unix waits until it has. */
  if (error == WSAEINVAL && descriptor->kind == XPIO_KIND_UDP) return UV_EAGAIN;
  if (error == WSAESHUTDOWN) return 0;
  return transfer_error(descriptor);
}

ptrdiff_t xpio_windows_receive(struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  if (xpio_windows_would_wait(descriptor, XPIO_READABLE)) return UV_EAGAIN;
  int count = recv(xpio_windows_socket(descriptor), buffer, clamp(size), 0);
  return received(descriptor, count, size);
}

_Static_assert(sizeof(uv_buf_t) == sizeof(WSABUF), "libuv promises uv_buf_t to be a WSABUF");

ptrdiff_t xpio_windows_send(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                            unsigned count) {
  DWORD sent = 0;
  if (xpio_windows_would_wait(descriptor, XPIO_WRITABLE)) return UV_EAGAIN;
  int result =
      WSASend(xpio_windows_socket(descriptor), (WSABUF *)buffers, count, &sent, 0, NULL, NULL);
  if (result != SOCKET_ERROR) return (ptrdiff_t)sent;
  int error = WSAGetLastError();
  bool nowhere = error == WSAENOTCONN || error == WSAEINVAL;
  return nowhere && descriptor->kind == XPIO_KIND_UDP ? UV_EDESTADDRREQ
                                                      : transfer_error(descriptor);
}

bool xpio_system_is_sending(const struct xpio_descriptor *descriptor) {
  return xpio_windows_is_stream(descriptor) && xpio_windows_is_busy(descriptor);
}

ptrdiff_t xpio_system_receive_from(struct xpio_descriptor *descriptor, char *buffer, size_t size,
                                   struct sockaddr_in *sender) {
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  int length = sizeof name;
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  if (xpio_windows_would_wait(descriptor, XPIO_READABLE)) return UV_EAGAIN;
  int count = recvfrom(xpio_windows_socket(descriptor), buffer, clamp(size), 0,
                       (struct sockaddr *)&name, &length);
  ptrdiff_t result = received(descriptor, count, size);
  sender->sin_family = AF_UNSPEC;
  if (result >= 0 && name.ss_family == AF_INET) memcpy(sender, &name, sizeof *sender);
  return result;
}

ptrdiff_t xpio_system_send_to(struct xpio_descriptor *descriptor, const char *data, size_t size,
                              const struct sockaddr_in *address) {
  int error = xpio_windows_check_socket(descriptor);
  if (error < 0) return error;
  struct sockaddr_in peer = xpio_windows_destination(address);
  int count = sendto(xpio_windows_socket(descriptor), data, clamp(size), 0,
                     (const struct sockaddr *)&peer, sizeof peer);
  return count < 0 ? transfer_error(descriptor) : count;
}

static ptrdiff_t read_file(const struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  DWORD count = 0;
  if (ReadFile(xpio_windows_handle(descriptor), buffer, (DWORD)clamp(size), &count, NULL))
    return count;
  return GetLastError() == ERROR_HANDLE_EOF ? 0 : xpio_windows_error();
}

static ptrdiff_t write_file(const struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                            unsigned count) {
  ptrdiff_t total = 0;
  for (unsigned i = 0; i < count; i++) {
    DWORD written = 0;
    if (!WriteFile(xpio_windows_handle(descriptor), buffers[i].base, buffers[i].len, &written,
                   NULL))
      return total > 0 ? total : xpio_windows_error();
    total += (ptrdiff_t)written;
    if (written < buffers[i].len) break;
  }
  return total;
}

static bool is_open_for(const struct xpio_descriptor *descriptor, int mode) {
  return descriptor->number >= 0 && (descriptor->modes & mode) != 0;
}

ptrdiff_t xpio_system_read(struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  if (!is_open_for(descriptor, XPIO_READABLE)) return UV_EBADF;
  if (xpio_windows_is_socket(descriptor)) return xpio_windows_receive(descriptor, buffer, size);
  if (xpio_windows_is_stream(descriptor)) return xpio_windows_read_stream(descriptor, buffer, size);
  return read_file(descriptor, buffer, size);
}

ptrdiff_t xpio_system_write(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                            unsigned count) {
  if (!is_open_for(descriptor, XPIO_WRITABLE)) return UV_EBADF;
  if (xpio_windows_is_socket(descriptor)) return xpio_windows_send(descriptor, buffers, count);
  if (xpio_windows_is_stream(descriptor))
    return xpio_windows_write_stream(descriptor, buffers, count);
  return write_file(descriptor, buffers, count);
}

/* Descriptors on Windows: making and closing them. */
#include <fcntl.h>
#include <io.h>
#include <string.h>

#include "../loop.h"
#include "inherit.h"
#include "internal.h"

void xpio_descriptor_init(struct xpio_descriptor *descriptor, struct xpio_loop *loop) {
  memset(descriptor, 0, sizeof *descriptor);
  descriptor->number = -1;
  descriptor->loop = loop;
}

/* libuv has no trouble with the standard streams here. */
unsigned xpio_system_reserve_standard(void) {
  return 0;
}

void xpio_system_release_standard(unsigned reserved) {
  (void)reserved;
}

HANDLE xpio_windows_handle(const struct xpio_descriptor *descriptor) {
  return (HANDLE)uv_get_osfhandle(descriptor->number);
}

int xpio_windows_check_socket(const struct xpio_descriptor *descriptor) {
  if (descriptor->number < 0) return UV_EBADF;
  return xpio_windows_is_socket(descriptor) ? 0 : UV_ENOTSOCK;
}

/* Otherwise a send to a port where nobody listens would fail the next receive, which
 * may be about someone else. Connected ones want to know (see connect). */
static void ignore_unreachable(SOCKET socket) {
  BOOL report = FALSE;
  DWORD bytes;
  WSAIoctl(socket, SIO_UDP_CONNRESET, &report, sizeof report, NULL, 0, &bytes, NULL, NULL);
}

int xpio_windows_adopt_socket(struct xpio_descriptor *descriptor, SOCKET socket,
                              enum xpio_kind kind) {
  u_long nonblocking = 1;
  if (!SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0) ||
      ioctlsocket(socket, (long)FIONBIO, &nonblocking) != 0) {
    int error = xpio_windows_socket_error();
    closesocket(socket);
    return error;
  }
  if (kind == XPIO_KIND_UDP) ignore_unreachable(socket);
  /* Handles have 32 bits that count, on 64-bit Windows too. */
  descriptor->number = (int)socket;
  descriptor->kind = (unsigned char)kind;
  descriptor->modes = XPIO_READABLE | XPIO_WRITABLE;
  return 0;
}

/* Overlapped: to close its poll handle libuv asks for one more event of the socket
 * itself, and does not wait for the answer; for others that call would not return. */
int xpio_system_socket(struct xpio_descriptor *descriptor, enum xpio_kind kind) {
  int type = kind == XPIO_KIND_TCP ? SOCK_STREAM : SOCK_DGRAM;
  SOCKET socket =
      WSASocketW(AF_INET, type, 0, NULL, 0, WSA_FLAG_NO_HANDLE_INHERIT | WSA_FLAG_OVERLAPPED);
  if (socket == INVALID_SOCKET) return xpio_windows_socket_error();
  return xpio_windows_adopt_socket(descriptor, socket, kind);
}

/* A pair of connected TCP sockets: Windows has no other stream that goes both ways,
 * can be polled, and means something to other programs. */
int xpio_system_socketpair(struct xpio_descriptor *one, struct xpio_descriptor *other) {
  uv_os_sock_t sockets[2];
  xpio_windows_forbid_children(); /* one is accepted, and inheritable at first */
  int error = uv_socketpair(SOCK_STREAM, 0, sockets, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  for (int i = 0; i < 2 && error == 0; i++)
    SetHandleInformation((HANDLE)sockets[i], HANDLE_FLAG_INHERIT, 0);
  xpio_windows_allow_children();
  if (error < 0) return error;
  error = xpio_windows_adopt_socket(one, sockets[0], XPIO_KIND_TCP);
  if (error < 0) {
    closesocket(sockets[1]);
    return error;
  }
  error = xpio_windows_adopt_socket(other, sockets[1], XPIO_KIND_TCP);
  if (error < 0) xpio_system_close(one);
  return error;
}

static void adopt_pipe(struct xpio_descriptor *descriptor, int number, int mode) {
  descriptor->number = number;
  descriptor->kind = XPIO_KIND_PIPE;
  descriptor->modes = (unsigned char)mode;
}

/* Neither end is overlapped: each may go to a child that uses plain ReadFile and
 * WriteFile. */
int xpio_system_pipe(struct xpio_descriptor *reader, struct xpio_descriptor *writer) {
  uv_file numbers[2];
  int error = uv_pipe(numbers, 0, 0);
  if (error < 0) return error;
  adopt_pipe(reader, numbers[0], XPIO_READABLE);
  adopt_pipe(writer, numbers[1], XPIO_WRITABLE);
  return 0;
}

/* ConPTY is no descriptor: programs are started in it, not given it. */
int xpio_system_openpty(struct xpio_descriptor *master, struct xpio_descriptor *slave) {
  (void)master, (void)slave;
  return UV_ENOTSUP;
}

void xpio_system_close(struct xpio_descriptor *descriptor) {
  if (descriptor->number < 0) return;
  if (xpio_windows_is_socket(descriptor)) {
    xpio_windows_close_watcher(descriptor);
    closesocket(xpio_windows_socket(descriptor));
  } else if (xpio_windows_is_stream(descriptor)) {
    xpio_windows_close_stream(descriptor);
  } else {
    _close(descriptor->number);
  }
  descriptor->number = -1;
}

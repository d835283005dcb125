/* Descriptors that came from elsewhere. */
#include <errno.h>
#include <io.h>
#include <stdio.h>

#include "internal.h"

/* Appending is a matter of the C runtime, which goes to the end before it writes; the
 * handle knows nothing of it. A file that cannot be read, is not empty, and stands at
 * its beginning was opened for that: to be opened for writing would have emptied it. */
static void go_to_end(int number) {
  HANDLE handle = (HANDLE)uv_get_osfhandle(number);
  LARGE_INTEGER zero = {.QuadPart = 0}, position, size;
  if (GetFileType(handle) != FILE_TYPE_DISK || xpio_windows_modes(handle) != XPIO_WRITABLE) return;
  if (!SetFilePointerEx(handle, zero, &position, FILE_CURRENT) || position.QuadPart != 0) return;
  if (GetFileSizeEx(handle, &size) && size.QuadPart > 0)
    SetFilePointerEx(handle, zero, NULL, FILE_END);
}

int xpio_system_file_number(FILE *stream) {
  if (fflush(stream) != 0) return errno == EPIPE ? UV_EPIPE : UV_EIO;
  int number = _fileno(stream);
  /* -2: a standard stream of a process without a console. */
  if (number < 0) return UV_EBADF;
  go_to_end(number);
  return number;
}

bool xpio_windows_socket_type(SOCKET socket, int *type) {
  int length = sizeof *type;
  return getsockopt(socket, SOL_SOCKET, SO_TYPE, (char *)type, &length) == 0;
}

static enum xpio_kind socket_kind(int type) {
  if (type == SOCK_STREAM) return XPIO_KIND_TCP;
  return type == SOCK_DGRAM ? XPIO_KIND_UDP : XPIO_KIND_OTHER_SOCKET;
}

/* Another SOCKET for the same socket. */
static int duplicate_socket(struct xpio_descriptor *descriptor, SOCKET socket, int type) {
  WSAPROTOCOL_INFOW info;
  if (WSADuplicateSocketW(socket, GetCurrentProcessId(), &info) != 0)
    return xpio_windows_socket_error();
  SOCKET duplicate = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info,
                                0, WSA_FLAG_NO_HANDLE_INHERIT | WSA_FLAG_OVERLAPPED);
  if (duplicate == INVALID_SOCKET) return xpio_windows_socket_error();
  descriptor->foreign = true;
  return xpio_windows_adopt_socket(descriptor, duplicate, socket_kind(type));
}

/* libuv takes NUL and the like for files, as we do. */
static enum xpio_kind kind_of(int number) {
  switch (uv_guess_handle(number)) {
  case UV_NAMED_PIPE: return XPIO_KIND_PIPE;
  case UV_TTY: return XPIO_KIND_TERMINAL;
  default: return XPIO_KIND_FILE;
  }
}

static int duplicate_handle(struct xpio_descriptor *descriptor, HANDLE handle) {
  int number = xpio_windows_open_duplicate(handle);
  if (number < 0) return number;
  descriptor->number = number;
  descriptor->kind = (unsigned char)kind_of(number);
  descriptor->modes = (unsigned char)xpio_windows_modes(handle);
  descriptor->foreign = true;
  if (xpio_windows_is_overlapped(handle)) descriptor->access |= XPIO_ACCESS_OVERLAPPED;
  return 0;
}

/* A number may be a descriptor's of the C runtime or a SOCKET. The former are small,
 * the latter seldom; where both exist, it is the former. */
static int open_duplicate(struct xpio_descriptor *descriptor, int number) {
  HANDLE handle = (HANDLE)uv_get_osfhandle(number);
  int type;
  bool is_descriptor = handle != INVALID_HANDLE_VALUE && handle != (HANDLE)-2;
  SOCKET socket = is_descriptor ? (SOCKET)handle : (SOCKET)(unsigned)number;
  if (xpio_windows_socket_type(socket, &type)) return duplicate_socket(descriptor, socket, type);
  return is_descriptor ? duplicate_handle(descriptor, handle) : UV_EBADF;
}

int xpio_system_duplicate(struct xpio_descriptor *descriptor, int number) {
  xpio_windows_pause_streams(descriptor->loop);
  int error = open_duplicate(descriptor, number);
  xpio_windows_resume_streams(descriptor->loop);
  return error;
}

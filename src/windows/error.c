/* Errors on Windows. */
#include "internal.h"

/* libuv does not know all of them, and WSAEINTR as ECANCELED. */
static int translate(int error) {
  switch (error) {
  case WSAEWOULDBLOCK:
  case WSAEINPROGRESS:
  case WSAEALREADY:
  case WSAEINTR: return UV_EAGAIN;
  case WSAEDESTADDRREQ: return UV_EDESTADDRREQ;
  case WSAENOPROTOOPT: return UV_ENOPROTOOPT;
  case WSAEPROTOTYPE: return UV_EPROTOTYPE;
  case WSAEOPNOTSUPP: return UV_ENOTSUP;
  case WSAENETDOWN: return UV_ENETDOWN;
  case WSAENETRESET: return UV_ECONNRESET;
  case WSAEHOSTDOWN: return UV_EHOSTUNREACH;
  case WSAEPFNOSUPPORT: return UV_EAFNOSUPPORT;
  case WSAEPROVIDERFAILEDINIT: return UV_ENOMEM;
  case ERROR_BROKEN_PIPE:
  case ERROR_NO_DATA: /* EAGAIN to libuv 1.50 */
  case ERROR_PIPE_NOT_CONNECTED: return UV_EPIPE;
  default: return uv_translate_sys_error(error);
  }
}

int xpio_windows_socket_error(void) {
  return translate(WSAGetLastError());
}

int xpio_windows_error(void) {
  return translate((int)GetLastError());
}

const char *xpio_system_error_message(int error) {
  return uv_strerror(error);
}

const char *xpio_system_error_name(int error, char *buffer, size_t size) {
  return uv_err_name_r(error, buffer, size);
}

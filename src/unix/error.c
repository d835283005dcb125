/* Errors on Unix: their codes, messages and names. */
#include <errno.h>
#include <string.h>

#include "../system.h"
#include "unix.h"

int xpio_unix_error(void) {
  switch (errno) {
  case EAGAIN:
#if EWOULDBLOCK != EAGAIN
  case EWOULDBLOCK:
#endif
  case EINPROGRESS:
  case EALREADY:
  case EINTR: return UV_EAGAIN;
  default: return uv_translate_sys_error(errno);
  }
}

const char *xpio_system_error_message(int error) {
  return strerror(-error);
}

const char *xpio_system_error_name(int error, char *buffer, size_t size) {
  uv_err_name_r(error, buffer, size);
#ifdef XPIO_HAVE_STRERRORNAME_NP
  const char *name = strerrorname_np(-error);
  if (name != NULL) return name;
#endif
  return buffer;
}

/* Errors on Unix: their codes, messages and names. */
#include <errno.h>
#include <string.h>

#include "../system.h"
#include "../system_child.h"
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
  /* libuv's names first: one number has two names on Linux (EOPNOTSUPP is
   * ENOTSUP), and libuv takes the same one everywhere. It does not know all. */
  uv_err_name_r(error, buffer, size);
  if (error == XPIO_ECHILD) return "ECHILD";
#ifdef XPIO_HAVE_STRERRORNAME_NP
  const char *name = strncmp(buffer, "Unknown", 7) == 0 ? strerrorname_np(-error) : NULL;
  if (name != NULL) return name;
#endif
  return buffer;
}

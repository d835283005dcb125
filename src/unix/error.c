/* Error messages and names on Unix, and SIGPIPE. */
#include <signal.h>
#include <string.h>

#include "../system.h"

const char *xpio_system_error_message(int error) {
  return strerror(-error);
}

const char *xpio_system_error_name(int error, char *buffer, size_t size) {
  /* libuv's names first: one number has two names on Linux (EOPNOTSUPP is
   * ENOTSUP), and libuv takes the same one everywhere. It does not know all. */
  uv_err_name_r(error, buffer, size);
#ifdef XPIO_HAVE_STRERRORNAME_NP
  const char *name = strncmp(buffer, "Unknown", 7) == 0 ? strerrorname_np(-error) : NULL;
  if (name != NULL) return name;
#endif
  return buffer;
}

void xpio_system_ignore_sigpipe(void) {
  struct sigaction action;
  if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL) return;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
}

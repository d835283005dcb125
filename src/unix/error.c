/* Error messages and names on Unix, and SIGPIPE. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../system.h"

const char *xpio_system_error_message(int error) {
  return strerror(-error);
}

const char *xpio_system_error_name(int error, char *buffer, size_t size) {
#ifdef XPIO_HAVE_STRERRORNAME_NP
  /* libuv does not know all names; glibc 2.32 does. */
  const char *name = strerrorname_np(-error);
  if (name != NULL) return name;
#endif
  return uv_err_name_r(error, buffer, size);
}

void xpio_system_ignore_sigpipe(void) {
  struct sigaction action;
  if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL) return;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
}

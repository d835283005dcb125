/* Prints what src/unix/features.h finds on this system, a line each. */
#undef XPIO_CONFIGURED
#include "../src/unix/features.h"

#include <stdio.h>

int main(void) {
#ifdef XPIO_HAVE_ACCEPT4
  puts("XPIO_HAVE_ACCEPT4");
#endif
#ifdef XPIO_HAVE_EPOLL
  puts("XPIO_HAVE_EPOLL");
#endif
#ifdef XPIO_HAVE_PIPE2
  puts("XPIO_HAVE_PIPE2");
#endif
#ifdef XPIO_HAVE_STRERRORNAME_NP
  puts("XPIO_HAVE_STRERRORNAME_NP");
#endif
  return 0;
}

#include <stdlib.h>

/* See sanitized-lua.in. */
__attribute__((constructor)) static void forget_preload(void) {
  unsetenv("LD_PRELOAD");
}

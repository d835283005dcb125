/* A child on Windows. */
#ifndef XPIO_CHILDREN_H
#define XPIO_CHILDREN_H

#include <uv.h>

#include "../system_child.h"
#include "internal.h"

struct process {
  struct xpio_child child; /* the first member */
  uv_process_t handle;
  int signal; /* that we have ended it with, or 0 */
};

/* The exit callback of `handle`, whose data is the process. */
void xpio_windows_on_exit(uv_process_t *handle, int64_t status, int signal);

#endif

/* A child on Windows. */
#ifndef XPIO_CHILDREN_H
#define XPIO_CHILDREN_H

#include <uv.h>

#include "../system_child.h"
#include "internal.h"

struct process {
  struct xpio_child child; /* the first member */
  uv_process_t handle;
  struct xpio_loop *loop;
  int signal; /* that we have ended it with, or 0 */
};

/* Closes the handle, after which the memory is freed; whatever uv_spawn has said of it. */
void xpio_windows_forget_process(struct process *process);

/* The exit callback of `handle`, whose data is the process. */
void xpio_windows_on_exit(uv_process_t *handle, int64_t status, int signal);

#endif

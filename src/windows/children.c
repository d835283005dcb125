/* Children on Windows: uv_process_t. The kernel keeps a process's status for as long as
 * somebody has a handle of it: nothing has to be reaped, and no number is reused. */
#include <signal.h>
#include <stdlib.h>

#include "../loop.h"
#include "children.h"

/* What a process is given that is ended by force, TerminateProcess in libuv. */
enum { FORCED_STATUS = 1, QUIT = 3, SIGNALS = 65 };

static void set_status(struct process *process, uint32_t status) {
  struct xpio_child *child = &process->child;
  bool forced = process->signal != 0 && status == FORCED_STATUS;
  child->ending = forced ? XPIO_SIGNALED : XPIO_EXITED;
  child->status = forced ? process->signal : (int64_t)status;
}

void xpio_windows_on_exit(uv_process_t *handle, int64_t status, int signal) {
  struct process *process = handle->data;
  struct xpio_child *child = &process->child;
  (void)signal;
  if (child->ending == XPIO_RUNNING) set_status(process, (uint32_t)status);
  if (child->report != NULL) child->report(child->owner);
  child->report = NULL;
}

/* libuv tells the end in a pass of the loop; the handle tells it now. */
void xpio_system_check_child(struct xpio_child *child) {
  struct process *process = (struct process *)child;
  DWORD status;
  if (child->ending != XPIO_RUNNING) return;
  if (WaitForSingleObject(process->handle.process_handle, 0) != WAIT_OBJECT_0) return;
  if (!GetExitCodeProcess(process->handle.process_handle, &status)) return;
  set_status(process, status);
}

int xpio_system_watch_child(struct xpio_child *child, xpio_ended *report, void *owner) {
  xpio_system_check_child(child);
  if (child->ending != XPIO_RUNNING) return 0;
  child->report = report;
  child->owner = owner;
  return 0;
}

/* There are no signals: these end a process by force, whatever it says. */
static bool is_ending(int signal) {
  return signal == SIGINT || signal == QUIT || signal == SIGKILL || signal == SIGTERM;
}

int xpio_system_signal_child(struct xpio_child *child, int signal, bool group) {
  struct process *process = (struct process *)child;
  if (group) return UV_ENOTSUP;
  xpio_system_check_child(child);
  if (child->ending != XPIO_RUNNING) return UV_ESRCH;
  if (signal == 0) return 0;
  if (!is_ending(signal)) return signal < SIGNALS ? UV_ENOTSUP : UV_EINVAL;
  int error = uv_process_kill(&process->handle, SIGKILL);
  /* What is about to end because of an earlier one cannot be ended once more. */
  if (error == UV_EPERM && process->signal != 0) return 0;
  if (error == 0) process->signal = signal;
  return error;
}

static void on_closed(uv_handle_t *handle) {
  struct process *process = handle->data;
  struct xpio_loop *loop = process->loop;
  free(process);
  xpio_loop_handle_closed(loop);
}

void xpio_windows_forget_process(struct process *process) {
  uv_close((uv_handle_t *)&process->handle, on_closed);
}

/* It goes on, and libuv forgets it. */
void xpio_system_release_child(struct xpio_child *child) {
  xpio_windows_forget_process((struct process *)child);
}

void xpio_system_reap_orphans(struct xpio_loop *loop) {
  (void)loop;
}

void xpio_system_chain_children(struct xpio_loop *loop) {
  (void)loop;
}

void xpio_system_close_children(struct xpio_loop *loop) {
  (void)loop;
}

void xpio_system_free_children(struct xpio_loop *loop) {
  (void)loop;
}

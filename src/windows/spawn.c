/* Starting a child on Windows, by uv_spawn. */
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "../loop.h"
#include "children.h"
#include "inherit.h"
#include "internal.h"
#include "search.h"

enum { STANDARD_STREAMS = 3, MOST_DESCRIPTORS = 255 /* that libuv passes on */ };

/* What is to be undone when the child has started, or has not. */
struct plan {
  const struct xpio_spawn *spawn;
  struct xpio_loop *loop;
  uv_stdio_container_t stdio[MOST_DESCRIPTORS];
  int count;
  int opened[MOST_DESCRIPTORS]; /* descriptors that sockets have been given */
  int opened_count;
  char *path; /* of the program, if it had to be searched for */
};

static int stopped(struct xpio_spawn_failure *failure, int error, const char *step,
                   const char *subject) {
  *failure = (struct xpio_spawn_failure){error, step, subject, -1};
  return -1;
}

/* The name of a step that Windows does not have, or null. */
static const char *unsupported(const struct xpio_spawn *spawn) {
  if (spawn->leader != NULL || spawn->group) return "pgroup";
  if (spawn->terminal >= 0) return "ctty";
  if (spawn->umask >= 0) return "umask";
  if (spawn->nice != 0) return "nice";
  if (spawn->limit_count > 0) return "limits";
  if (spawn->groups != NULL) return "groups";
  if (spawn->gid >= 0) return "gid";
  return spawn->uid >= 0 ? "uid" : NULL;
}

/* libuv passes on descriptors of the C runtime, so a socket has to become one: another
 * handle of it, for closing the descriptor closes that without closing the socket. */
static int grant_socket(struct plan *plan, uv_stdio_container_t *file, SOCKET socket) {
  int number = xpio_windows_open_duplicate((HANDLE)socket);
  if (number < 0) return number;
  plan->opened[plan->opened_count++] = number;
  file->flags = UV_INHERIT_FD;
  file->data.fd = number;
  return 0;
}

static int grant_number(struct plan *plan, uv_stdio_container_t *file, int number) {
  HANDLE handle = (HANDLE)uv_get_osfhandle(number);
  if (handle == INVALID_HANDLE_VALUE || handle == (HANDLE)-2) return UV_EBADF;
  file->data.stream = xpio_windows_find_stream(plan->loop, number);
  file->flags = file->data.stream != NULL ? UV_INHERIT_STREAM : UV_INHERIT_FD;
  if (file->data.stream == NULL) file->data.fd = number;
  return 0;
}

static int grant(struct plan *plan, const struct xpio_grant *grant) {
  uv_stdio_container_t *file = &plan->stdio[grant->target];
  if (grant->source < 0) return 0;
  if (grant->descriptor != NULL && xpio_windows_is_socket(grant->descriptor))
    return grant_socket(plan, file, xpio_windows_socket(grant->descriptor));
  int type, error = grant_number(plan, file, grant->source);
  SOCKET socket = (SOCKET)(unsigned)grant->source;
  if (error != UV_EBADF || grant->descriptor != NULL || !xpio_windows_socket_type(socket, &type))
    return error;
  return grant_socket(plan, file, socket);
}

/* What is not named of the standard streams libuv sends to NUL. */
static int grant_all(struct plan *plan, struct xpio_spawn_failure *failure) {
  const struct xpio_spawn *spawn = plan->spawn;
  plan->count = STANDARD_STREAMS;
  for (size_t i = 0; i < spawn->grant_count; i++) {
    int target = spawn->grants[i].target;
    int error = target < MOST_DESCRIPTORS ? grant(plan, &spawn->grants[i]) : UV_EBADF;
    if (error < 0) {
      *failure = (struct xpio_spawn_failure){error, "descriptor", NULL, target};
      return -1;
    }
    if (target >= plan->count) plan->count = target + 1;
  }
  return 0;
}

/* Blocking mode belongs to the socket, whoever has it. */
static void set_blocking(const struct plan *plan, bool blocking) {
  u_long nonblocking = !blocking;
  for (size_t i = 0; i < plan->spawn->grant_count; i++) {
    const struct xpio_descriptor *descriptor = plan->spawn->grants[i].descriptor;
    if (descriptor == NULL || !xpio_windows_is_socket(descriptor)) continue;
    if (!blocking && descriptor->blocking) continue;
    ioctlsocket(xpio_windows_socket(descriptor), (long)FIONBIO, &nonblocking);
  }
}

/* Windows and libuv have less to say of a program than Unix. */
static int exec_error(const char *path, int error) {
  switch (error) {
  case UV_EPERM: return UV_EACCES;
  case UV_ENAMETOOLONG: return UV_E2BIG; /* the command line */
  case UV_ENOENT: return xpio_windows_check_folder(path) == 0 ? UV_EACCES : error;
  case UV_EFTYPE: /* 1.50 */
  case UV_UNKNOWN: return XPIO_ENOEXEC;
  default: return error;
  }
}

static int start(struct plan *plan, struct process *process) {
  const struct xpio_spawn *spawn = plan->spawn;
  uv_process_options_t options = {
      .exit_cb = xpio_windows_on_exit,
      .file = plan->path != NULL ? plan->path : spawn->exe,
      .args = spawn->arguments,
      .env = spawn->environment,
      .cwd = spawn->cwd,
      .flags = spawn->session ? UV_PROCESS_DETACHED : 0,
      .stdio_count = plan->count,
      .stdio = plan->stdio,
  };
  xpio_windows_pause_streams(plan->loop);
  int error = uv_spawn(plan->loop->uv, &process->handle, &options);
  xpio_windows_resume_streams(plan->loop);
  return error;
}

/* Starts it while nothing else can be inherited. Without memory, nothing is started. */
static int start_alone(struct plan *plan, struct process *process, int *error) {
  struct xpio_hidden hidden;
  if (xpio_windows_hide_handles(&hidden) < 0) return UV_ENOMEM;
  *error = start(plan, process);
  xpio_windows_show_handles(&hidden);
  return 0;
}

static struct process *start_process(struct plan *plan, struct xpio_spawn_failure *failure) {
  struct process *process = calloc(1, sizeof *process);
  int error = 0;
  set_blocking(plan, true);
  if (process != NULL) {
    process->handle.data = process;
    process->loop = plan->loop;
  }
  if (process == NULL || start_alone(plan, process, &error) < 0) {
    free(process);
    set_blocking(plan, false);
    stopped(failure, UV_ENOMEM, "memory", NULL);
    return NULL;
  }
  xpio_loop_add_handle(plan->loop, (uv_handle_t *)&process->handle);
  if (error == 0) return process;
  set_blocking(plan, false);
  stopped(failure, exec_error(plan->spawn->exe, error), "exec", plan->spawn->exe);
  /* libuv has it in its list of handles by then. */
  xpio_windows_forget_process(process);
  return NULL;
}

static int prepare(struct plan *plan, struct xpio_spawn_failure *failure) {
  const struct xpio_spawn *spawn = plan->spawn;
  const char *step = unsupported(spawn);
  if (step != NULL) return stopped(failure, UV_ENOTSUP, step, NULL);
  if (grant_all(plan, failure) < 0) return -1;
  int error = spawn->cwd != NULL ? xpio_windows_check_folder(spawn->cwd) : 0;
  if (error < 0) return stopped(failure, error, "chdir", spawn->cwd);
  if (strpbrk(spawn->exe, "/\\:") == NULL) error = xpio_windows_search(spawn->exe, &plan->path);
  return error < 0 ? stopped(failure, error, "exec", spawn->exe) : 0;
}

static void clean_up(struct plan *plan) {
  for (int i = 0; i < plan->opened_count; i++) _close(plan->opened[i]);
  free(plan->path);
}

int xpio_system_spawn(struct xpio_loop *loop, const struct xpio_spawn *spawn,
                      struct xpio_child **result, struct xpio_spawn_failure *failure) {
  struct plan plan = {.spawn = spawn, .loop = loop};
  struct process *process = NULL;
  if (prepare(&plan, failure) == 0) process = start_process(&plan, failure);
  clean_up(&plan);
  if (process == NULL) return -1;
  process->child.pid = process->handle.pid;
  *result = &process->child;
  return 0;
}

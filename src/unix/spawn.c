/* Starting a child: the parent's part. What the child does is in become.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../system.h"
#include "../system_child.h"
#include "children.h"
#include "plan.h"
#include "unix.h"

static const char *step_name(enum xpio_step step) {
  switch (step) {
  case XPIO_STEP_MEMORY: return "memory";
  case XPIO_STEP_DESCRIPTOR: return "descriptor";
  case XPIO_STEP_PIPE: return "pipe";
  case XPIO_STEP_FORK: return "fork";
  case XPIO_STEP_SESSION: return "setsid";
  case XPIO_STEP_GROUP: return "setpgid";
  case XPIO_STEP_TERMINAL: return "ctty";
  case XPIO_STEP_NICE: return "nice";
  case XPIO_STEP_LIMIT: return "setrlimit";
  case XPIO_STEP_GROUPS: return "setgroups";
  case XPIO_STEP_GID: return "setgid";
  case XPIO_STEP_UID: return "setuid";
  case XPIO_STEP_DIRECTORY: return "chdir";
  case XPIO_STEP_INTERPRETER: return "interpreter";
  case XPIO_STEP_EXEC: break;
  }
  return "exec";
}

static void describe(const struct xpio_spawn *spawn, const struct xpio_stop *stop,
                     struct xpio_spawn_failure *failure) {
  failure->error = uv_translate_sys_error(stop->error);
  failure->step = step_name(stop->step);
  failure->subject = NULL;
  failure->target = stop->step == XPIO_STEP_DESCRIPTOR ? stop->item : -1;
  if (stop->step == XPIO_STEP_EXEC || stop->step == XPIO_STEP_INTERPRETER)
    failure->subject = spawn->exe;
  if (stop->step == XPIO_STEP_DIRECTORY) failure->subject = spawn->cwd;
  if (stop->step == XPIO_STEP_LIMIT) failure->subject = spawn->limits[stop->item].name;
}

/* Returns -1, with the step that errno is about. */
static int stopped(struct xpio_stop *stop, enum xpio_step step, int item) {
  stop->error = errno;
  stop->step = step;
  stop->item = item;
  return -1;
}

static int by_target(const void *one, const void *other) {
  int a = ((const struct xpio_move *)one)->target, b = ((const struct xpio_move *)other)->target;
  return (a > b) - (a < b);
}

static bool has_target(const struct xpio_spawn *spawn, int target) {
  for (size_t i = 0; i < spawn->grant_count; i++)
    if (spawn->grants[i].target == target) return true;
  return false;
}

static void add_move(struct xpio_plan *plan, int source, int target) {
  plan->moves[plan->move_count++] = (struct xpio_move){.source = source, .target = target};
}

/* Blocking mode belongs to the description, so this need not wait for the child. */
static int make_blocking(struct xpio_plan *plan, struct xpio_stop *stop) {
  for (size_t i = 0; i < plan->move_count; i++) {
    struct xpio_move *move = &plan->moves[i];
    if (move->source < 0) continue;
    int flags = fcntl(move->source, F_GETFL);
    if (flags < 0) return stopped(stop, XPIO_STEP_DESCRIPTOR, move->target);
    if (!(flags & O_NONBLOCK)) continue;
    if (fcntl(move->source, F_SETFL, flags & ~O_NONBLOCK) < 0)
      return stopped(stop, XPIO_STEP_DESCRIPTOR, move->target);
    move->nonblocking = true;
  }
  return 0;
}

static void restore_nonblocking(const struct xpio_plan *plan) {
  for (size_t i = 0; i < plan->move_count; i++) {
    const struct xpio_move *move = &plan->moves[i];
    if (!move->nonblocking) continue;
    int flags = fcntl(move->source, F_GETFL);
    if (flags >= 0) fcntl(move->source, F_SETFL, flags | O_NONBLOCK);
  }
}

/* Close-on-exec and non-blocking. */
static int open_pipe(int numbers[2]) {
#ifdef XPIO_HAVE_PIPE2
  return pipe2(numbers, O_CLOEXEC | O_NONBLOCK);
#else
  int result = pipe(numbers);
  for (int i = 0; i < 2 && result == 0; i++) {
    fcntl(numbers[i], F_SETFD, FD_CLOEXEC);
    fcntl(numbers[i], F_SETFL, O_NONBLOCK);
  }
  return result;
#endif
}

/* libuv forks, and copies the page tables of a parent that may be large. vfork does
 * not; on macOS it is not to be used any more. */
static pid_t start(struct xpio_plan *plan) {
#ifdef __APPLE__
  pid_t pid = fork();
#else
  pid_t pid = vfork();
#endif
  if (pid == 0) xpio_unix_become(plan);
  return pid;
}

/* No handler of ours may run in the child, which has our memory. */
static pid_t start_without_signals(struct xpio_plan *plan) {
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  pid_t pid = start(plan);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  errno = error;
  return pid;
}

#ifdef PR_SET_DUMPABLE
/* A change of identity makes the memory of the child undumpable, so that its new user
 * cannot get at what it still shares with us (commit_creds in kernel/cred.c). That
 * stays so for us when the child has left. Memory is the process's: so one thread at a time,
 * or the second takes it for undumpable from the start, and the first makes the second's
 * child accessible. */
static pthread_mutex_t dumpable_mutex = PTHREAD_MUTEX_INITIALIZER;

static pid_t start_another_user(struct xpio_plan *plan) {
  pthread_mutex_lock(&dumpable_mutex);
  int dumpable = prctl(PR_GET_DUMPABLE);
  pid_t pid = start_without_signals(plan);
  int error = errno;
  if (dumpable == 1) prctl(PR_SET_DUMPABLE, 1);
  pthread_mutex_unlock(&dumpable_mutex);
  errno = error;
  return pid;
}
#else
static pid_t start_another_user(struct xpio_plan *plan) {
  return start_without_signals(plan);
}
#endif

/* Whether the child has written to the pipe before it closed it: it closes it in any
 * case, by executing its program. But that may leave the pipe open: a process that
 * another thread has forked meanwhile has it, too. */
static bool has_reported(const struct xpio_plan *plan, int pipe, struct xpio_stop *stop) {
  for (;;) {
    ssize_t size = read(pipe, stop, sizeof *stop);
    if (size >= 0) return size == sizeof *stop;
    if (errno != EAGAIN && errno != EINTR) return false;
    if (errno == EAGAIN && plan->memory_is_shared) return false;
    if (errno == EAGAIN) poll(&(struct pollfd){.fd = pipe, .events = POLLIN}, 1, -1);
  }
}

static pid_t start_and_listen(struct xpio_plan *plan, struct xpio_stop *stop) {
  int pipe[2];
  if (open_pipe(pipe) < 0) return stopped(stop, XPIO_STEP_PIPE, -1);
  plan->report = pipe[1];
  bool same_user = plan->spawn->uid < 0 && plan->spawn->gid < 0;
  pid_t pid = same_user ? start_without_signals(plan) : start_another_user(plan);
  if (pid < 0) stopped(stop, XPIO_STEP_FORK, -1);
  close(pipe[1]);
  if (pid > 0 && has_reported(plan, pipe[0], stop)) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    pid = -1;
  }
  close(pipe[0]);
  return pid;
}

/* What is granted; and of the standard streams, what is not, goes to /dev/null. */
static void add_moves(struct xpio_plan *plan) {
  const struct xpio_spawn *spawn = plan->spawn;
  for (size_t i = 0; i < spawn->grant_count; i++)
    add_move(plan, spawn->grants[i].source, spawn->grants[i].target);
  for (int target = 0; target < XPIO_LOWEST_NUMBER; target++)
    if (!has_target(spawn, target)) add_move(plan, XPIO_NULL, target);
  qsort(plan->moves, plan->move_count, sizeof *plan->moves, by_target);
}

/* Nothing is opened before the grants have been looked at: it could get a number
 * that is named there by mistake. */
static pid_t start_with_descriptors(struct xpio_plan *plan, struct xpio_stop *stop) {
  add_moves(plan);
  pid_t pid = make_blocking(plan, stop) == 0 ? start_and_listen(plan, stop) : -1;
  if (pid < 0) restore_nonblocking(plan);
  return pid;
}

/* Does what is better done here than in the child. */
static int prepare(struct xpio_plan *plan, char *path, size_t size, struct xpio_stop *stop) {
  const struct xpio_spawn *spawn = plan->spawn;
  xpio_unix_keep_child_statuses();
  if (spawn->leader != NULL && !xpio_unix_group_exists(spawn->leader)) {
    errno = ESRCH;
    return stopped(stop, XPIO_STEP_GROUP, -1);
  }
  if (spawn->terminal >= 0 && fcntl(spawn->terminal, F_GETFD) < 0)
    return stopped(stop, XPIO_STEP_TERMINAL, -1);
  plan->path = spawn->exe;
  if (strchr(spawn->exe, '/') != NULL) return 0;
  plan->path = path;
  errno = xpio_unix_search(spawn->exe, path, size);
  return errno == 0 ? 0 : stopped(stop, XPIO_STEP_EXEC, -1);
}

static pid_t start_child(struct xpio_plan *plan, struct xpio_stop *stop) {
  size_t most = plan->spawn->grant_count + XPIO_LOWEST_NUMBER;
  plan->moves = calloc(most, sizeof *plan->moves);
  if (plan->moves == NULL) return stopped(stop, XPIO_STEP_MEMORY, -1);
  pid_t pid = start_with_descriptors(plan, stop);
  free(plan->moves);
  return pid;
}

int xpio_system_spawn(struct xpio_loop *loop, const struct xpio_spawn *spawn,
                      struct xpio_child **result, struct xpio_spawn_failure *failure) {
  struct xpio_stop stop = {.step = XPIO_STEP_MEMORY, .error = ENOMEM};
  struct xpio_children *children = xpio_unix_children(loop);
  struct xpio_child *child = calloc(1, sizeof *child);
  pid_t pid = -1;
  if (children != NULL && child != NULL) {
    char path[PATH_MAX];
    struct xpio_plan plan = {.spawn = spawn, .old_kernel = children->old_kernel};
    if (prepare(&plan, path, sizeof path, &stop) == 0) pid = start_child(&plan, &stop);
  }
  if (pid < 0) {
    free(child);
    describe(spawn, &stop, failure);
    return -1;
  }
  xpio_unix_child_started(children, child, pid, spawn->session || spawn->group);
  *result = child;
  return 0;
}

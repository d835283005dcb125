/* The child, from its birth to the program that it becomes.
 *
 * It runs in the memory of its parent, which sleeps meanwhile, but not so the other
 * threads there (vfork(2)). So nothing here allocates, locks, or writes to memory
 * but the stack and the plan. All signals are blocked: a handler of the parent's
 * would run in here. And the C library's setuid, setgid and setgroups are not for
 * us: they change all threads of the process they believe to be in (nptl(7)). */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#else
#include <grp.h>
#endif

#include "../system_child.h"
#include "plan.h"

#ifdef __linux__
/* Where the first system calls had identities of 16 bits there are later ones. */
#ifdef SYS_setresuid32
enum { SET_UID = SYS_setresuid32, SET_GID = SYS_setresgid32, SET_GROUPS = SYS_setgroups32 };
#else
enum { SET_UID = SYS_setresuid, SET_GID = SYS_setresgid, SET_GROUPS = SYS_setgroups };
#endif

static int set_uid(uid_t id) {
  return (int)syscall(SET_UID, id, id, id);
}

static int set_gid(gid_t id) {
  return (int)syscall(SET_GID, id, id, id);
}

static int set_groups(size_t count, const uint32_t *groups) {
  return (int)syscall(SET_GROUPS, count, groups);
}

/* The C library keeps its own two signals to itself (nptl(7)). */
static void reset_reserved(int number) {
  const unsigned char action[128] = {0}; /* the kernel's: SIG_DFL, and no flags */
  syscall(SYS_rt_sigaction, number, action, NULL, _NSIG / 8);
}
#else
static int set_uid(uid_t id) {
  return setuid(id);
}

static int set_gid(gid_t id) {
  return setgid(id);
}

static int set_groups(size_t count, const uint32_t *groups) {
  return setgroups((int)count, groups);
}

static void reset_reserved(int number) {
  (void)number;
}
#endif

static int join_group(const struct xpio_spawn *spawn) {
  if (spawn->group) return setpgid(0, 0);
  return spawn->leader != NULL ? setpgid(0, spawn->leader->pid) : 0;
}

static int add_nice(int increment) {
  if (increment == 0) return 0;
  errno = 0; /* -1 may be the new value (nice(2)) */
  return nice(increment) == -1 && errno != 0 ? -1 : 0;
}

static int set_limits(const struct xpio_spawn *spawn, int *item) {
  for (size_t i = 0; i < spawn->limit_count; i++) {
    const struct xpio_limit *limit = &spawn->limits[i];
    rlim_t value = limit->value == XPIO_UNLIMITED ? RLIM_INFINITY : (rlim_t)limit->value;
    *item = (int)i;
    if (setrlimit(limit->resource, &(struct rlimit){value, value}) < 0) return -1;
  }
  return 0;
}

/* Every handler to its default before any signal comes through. */
static void reset_signals(void) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigset_t none;
  sigemptyset(&action.sa_mask);
  for (int number = 1; number < NSIG; number++)
    if (sigaction(number, &action, NULL) < 0) reset_reserved(number);
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void xpio_unix_become(struct xpio_plan *plan) {
  const struct xpio_spawn *spawn = plan->spawn;
  struct xpio_stop stop = {.item = -1};
  int report = plan->report;
  plan->memory_is_shared = true; /* or else the parent does not see it */

  /* Pass 1: a session or a group of its own, or the group of another. */
  stop.step = XPIO_STEP_SESSION;
  if (spawn->session && setsid() < 0) goto failed;
  stop.step = XPIO_STEP_GROUP;
  if (join_group(spawn) < 0) goto failed;

  /* Pass 2: the controlling terminal, by the number that it has here. */
  stop.step = XPIO_STEP_TERMINAL;
  if (spawn->terminal >= 0 && ioctl(spawn->terminal, TIOCSCTTY, 0) < 0) goto failed;

  /* Pass 3: the descriptors, and no others. */
  stop.step = XPIO_STEP_DESCRIPTOR;
  if (xpio_unix_place_descriptors(plan, &report, &stop.item) < 0) goto failed;

  /* Pass 4: what the kernel allows it, while it may still be privileged. */
  if (spawn->umask >= 0) umask((mode_t)spawn->umask);
  stop.step = XPIO_STEP_NICE;
  if (add_nice(spawn->nice) < 0) goto failed;
  stop.step = XPIO_STEP_LIMIT;
  if (set_limits(spawn, &stop.item) < 0) goto failed;

  /* Pass 5: who it is. The user last: the others take a privilege. */
  stop.step = XPIO_STEP_GROUPS;
  if (spawn->groups != NULL && set_groups(spawn->group_count, spawn->groups) < 0) goto failed;
  stop.step = XPIO_STEP_GID;
  if (spawn->gid >= 0 && set_gid((gid_t)spawn->gid) < 0) goto failed;
  stop.step = XPIO_STEP_UID;
  if (spawn->uid >= 0 && set_uid((uid_t)spawn->uid) < 0) goto failed;

  /* Pass 6: where it is, as far as that user may go. */
  stop.step = XPIO_STEP_DIRECTORY;
  if (spawn->cwd != NULL && chdir(spawn->cwd) < 0) goto failed;

  /* Pass 7: signals, and off. */
  reset_signals();
  stop.step = XPIO_STEP_EXEC;
  execve(plan->path, spawn->arguments, spawn->environment);
  /* A script whose interpreter is missing is there itself (execve(2)). */
  if (errno == ENOENT && access(plan->path, F_OK) == 0) {
    stop.step = XPIO_STEP_INTERPRETER;
    errno = ENOENT;
  }

failed:
  stop.error = errno;
  while (write(report, &stop, sizeof stop) < 0 && errno == EINTR) continue;
  _exit(127);
}

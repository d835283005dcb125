/* Calls that start processes, wait for them, and change what a process is. Some are made by a
 * child that has the memory of its parent. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

/* This must be the last that happens here, a jump and no call: the child returns from it, and
 * its parent would find another stack. So this file needs an optimizing compiler. */
pid_t vfork(void) {
  if (fault_fails(FAULT_vfork, FAULT_CALLER)) return -1;
  pid_t (*start)(void) = fault_current->fork ? FAULT_NEXT(_Fork) : FAULT_NEXT(vfork);
  return start();
}

int execve(const char *path, char *const arguments[], char *const environment[]) {
  if (fault_fails(FAULT_execve, FAULT_CALLER)) return -1;
  return FAULT_NEXT(execve)(path, arguments, environment);
}

/* ECHILD is what someone gets whose child another has waited for: so it happens to a child that
 * has ended, and takes its status away. To one that runs it happens the next time. */
static int take_status(idtype_t type, id_t id) {
  siginfo_t info = {.si_pid = 0};
  int result = FAULT_NEXT(waitid)(type, id, &info, WEXITED | WNOHANG);
  if (result == 0 && info.si_pid == 0) {
    fault_current->nth++;
    fault_current->hits--;
    return 0;
  }
  errno = ECHILD;
  return -1;
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  bool fails = fault_fails(FAULT_waitid, FAULT_CALLER);
  /* Linux 5.3 has pidfds, but says EINVAL here. */
  bool unlikely = fault_current->error == EINVAL && type == P_PID;
  if (!fails || unlikely) return FAULT_NEXT(waitid)(type, id, info, options);
  return fault_current->error == ECHILD ? take_status(type, id) : -1;
}

pid_t waitpid(pid_t pid, int *status, int options) {
  bool fails = fault_fails(FAULT_waitpid, FAULT_CALLER);
  if (!fails) return FAULT_NEXT(waitpid)(pid, status, options);
  if (fault_current->error == ECHILD) FAULT_NEXT(waitpid)(pid, NULL, 0);
  errno = fault_current->error;
  return -1;
}

int kill(pid_t pid, int number) {
  if (fault_fails(FAULT_kill, FAULT_CALLER)) return -1;
  return FAULT_NEXT(kill)(pid, number);
}

pid_t setsid(void) {
  if (fault_fails(FAULT_setsid, FAULT_CALLER)) return -1;
  return FAULT_NEXT(setsid)();
}

int setpgid(pid_t pid, pid_t group) {
  if (fault_fails(FAULT_setpgid, FAULT_CALLER)) return -1;
  return FAULT_NEXT(setpgid)(pid, group);
}

int chdir(const char *path) {
  if (fault_fails(FAULT_chdir, FAULT_CALLER)) return -1;
  return FAULT_NEXT(chdir)(path);
}

int nice(int increment) {
  if (fault_fails(FAULT_nice, FAULT_CALLER)) return -1;
  return FAULT_NEXT(nice)(increment);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
  if (fault_fails(FAULT_getrlimit, FAULT_CALLER)) return -1;
  return FAULT_NEXT(getrlimit)(resource, limit);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
  if (fault_fails(FAULT_setrlimit, FAULT_CALLER)) return -1;
  return FAULT_NEXT(setrlimit)(resource, limit);
}

int prctl(int option, ...) {
  va_list arguments;
  va_start(arguments, option);
  unsigned long argument = va_arg(arguments, unsigned long);
  va_end(arguments);
  if (fault_fails(FAULT_prctl, FAULT_CALLER)) return -1;
  return FAULT_NEXT(prctl)(option, argument, 0L, 0L, 0L);
}

static enum fault_call syscall_call(long number) {
  switch (number) {
  case SYS_pidfd_open: return FAULT_pidfd_open;
  case SYS_pidfd_send_signal: return FAULT_pidfd_send_signal;
  case SYS_close_range: return FAULT_close_range;
  case SYS_getdents64: return FAULT_getdents64;
  case SYS_setresuid: return FAULT_setresuid;
  case SYS_setresgid: return FAULT_setresgid;
  case SYS_setgroups: return FAULT_setgroups;
  default: return FAULT_syscall;
  }
}

long syscall(long number, ...) {
  long values[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; i++) values[i] = va_arg(arguments, long);
  va_end(arguments);
  if (fault_fails(syscall_call(number), FAULT_CALLER)) return -1;
  return FAULT_NEXT(syscall)(number, values[0], values[1], values[2], values[3], values[4],
                             values[5]);
}

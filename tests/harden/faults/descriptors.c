/* Calls that make descriptors, name and watch them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "fault.h"

int socket(int domain, int type, int protocol) {
  if (fault_fails(FAULT_socket, FAULT_CALLER)) return -1;
  return FAULT_NEXT(socket)(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int numbers[2]) {
  if (fault_fails(FAULT_socketpair, FAULT_CALLER)) return -1;
  return FAULT_NEXT(socketpair)(domain, type, protocol, numbers);
}

int pipe2(int numbers[2], int flags) {
  if (fault_fails(FAULT_pipe2, FAULT_CALLER)) return -1;
  return FAULT_NEXT(pipe2)(numbers, flags);
}

static bool is_hidden(const char *path, const void *caller) {
  if (!fault_current->no_proc || fault_module_of(caller) == FAULT_OTHERS) return false;
  if (strncmp(path, "/proc/", 6) != 0) return false;
  errno = ENOENT;
  return true;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (fault_fails(FAULT_open, FAULT_CALLER)) return -1;
  if (is_hidden(path, FAULT_CALLER)) return -1;
  return FAULT_NEXT(open)(path, flags, mode);
}

/* When it fails, Linux has closed the descriptor nevertheless (close(2)). */
int close(int number) {
  bool fails = fault_fails(FAULT_close, FAULT_CALLER);
  int result = FAULT_NEXT(close)(number);
  if (!fails) return result;
  errno = fault_current->error;
  return -1;
}

int dup2(int number, int target) {
  if (fault_fails(FAULT_dup2, FAULT_CALLER)) return -1;
  return FAULT_NEXT(dup2)(number, target);
}

static enum fault_call fcntl_call(int command) {
  switch (command) {
  case F_DUPFD_CLOEXEC: return FAULT_fcntl_dupfd;
  case F_GETFL: return FAULT_fcntl_getfl;
  case F_SETFL: return FAULT_fcntl_setfl;
  case F_GETFD: return FAULT_fcntl_getfd;
  case F_SETFD: return FAULT_fcntl_setfd;
  default: return FAULT_fcntl;
  }
}

int fcntl(int number, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  long argument = va_arg(arguments, long);
  va_end(arguments);
  if (fault_fails(fcntl_call(command), FAULT_CALLER)) return -1;
  return FAULT_NEXT(fcntl)(number, command, argument);
}

static enum fault_call ioctl_call(unsigned long request) {
  switch (request) {
  case FIONBIO: return FAULT_ioctl_FIONBIO;
  case FIONREAD: return FAULT_ioctl_FIONREAD;
  case TIOCSCTTY: return FAULT_ioctl_TIOCSCTTY;
  default: return FAULT_ioctl;
  }
}

int ioctl(int number, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (fault_fails(ioctl_call(request), FAULT_CALLER)) return -1;
  return FAULT_NEXT(ioctl)(number, request, argument);
}

int epoll_create1(int flags) {
  if (fault_fails(FAULT_epoll_create1, FAULT_CALLER)) return -1;
  return FAULT_NEXT(epoll_create1)(flags);
}

int eventfd(unsigned count, int flags) {
  if (fault_fails(FAULT_eventfd, FAULT_CALLER)) return -1;
  return FAULT_NEXT(eventfd)(count, flags);
}

int epoll_ctl(int epoll, int operation, int number, struct epoll_event *event) {
  if (fault_fails(FAULT_epoll_ctl, FAULT_CALLER)) return -1;
  return FAULT_NEXT(epoll_ctl)(epoll, operation, number, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
  if (fault_fails(FAULT_epoll_wait, FAULT_CALLER)) return -1;
  return FAULT_NEXT(epoll_wait)(epoll, events, most, timeout);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout,
                const sigset_t *mask) {
  if (fault_fails(FAULT_epoll_pwait, FAULT_CALLER)) return -1;
  return FAULT_NEXT(epoll_pwait)(epoll, events, most, timeout, mask);
}

int poll(struct pollfd *descriptors, nfds_t count, int timeout) {
  if (fault_fails(FAULT_poll, FAULT_CALLER)) return -1;
  return FAULT_NEXT(poll)(descriptors, count, timeout);
}

int fstat(int number, struct stat *status) {
  if (fault_fails(FAULT_fstat, FAULT_CALLER)) return -1;
  return FAULT_NEXT(fstat)(number, status);
}

int fstatfs(int number, struct statfs *status) {
  if (fault_fails(FAULT_fstatfs, FAULT_CALLER)) return -1;
  return FAULT_NEXT(fstatfs)(number, status);
}

int stat(const char *path, struct stat *status) {
  if (fault_fails(FAULT_stat, FAULT_CALLER)) return -1;
  return FAULT_NEXT(stat)(path, status);
}

int access(const char *path, int mode) {
  if (fault_fails(FAULT_access, FAULT_CALLER)) return -1;
  return FAULT_NEXT(access)(path, mode);
}

int faccessat(int folder, const char *path, int mode, int flags) {
  if (fault_fails(FAULT_faccessat, FAULT_CALLER)) return -1;
  return FAULT_NEXT(faccessat)(folder, path, mode, flags);
}

char *getcwd(char *path, size_t size) {
  if (fault_fails(FAULT_getcwd, FAULT_CALLER)) return NULL;
  return FAULT_NEXT(getcwd)(path, size);
}

int fflush(FILE *stream) {
  if (fault_fails(FAULT_fflush, FAULT_CALLER)) return EOF;
  return FAULT_NEXT(fflush)(stream);
}

int isatty(int number) {
  if (fault_fails(FAULT_isatty, FAULT_CALLER)) return 0;
  return FAULT_NEXT(isatty)(number);
}

int tcgetattr(int number, struct termios *terminal) {
  if (fault_fails(FAULT_tcgetattr, FAULT_CALLER)) return -1;
  return FAULT_NEXT(tcgetattr)(number, terminal);
}

int posix_openpt(int flags) {
  if (fault_fails(FAULT_posix_openpt, FAULT_CALLER)) return -1;
  return FAULT_NEXT(posix_openpt)(flags);
}

int grantpt(int master) {
  if (fault_fails(FAULT_grantpt, FAULT_CALLER)) return -1;
  return FAULT_NEXT(grantpt)(master);
}

int unlockpt(int master) {
  if (fault_fails(FAULT_unlockpt, FAULT_CALLER)) return -1;
  return FAULT_NEXT(unlockpt)(master);
}

int ptsname_r(int master, char *name, size_t size) {
  if (fault_fails(FAULT_ptsname_r, FAULT_CALLER)) return errno;
  return FAULT_NEXT(ptsname_r)(master, name, size);
}

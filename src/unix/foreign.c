/* Descriptors that came from elsewhere. Their open file description is shared
 * with whoever has them too, so its O_NONBLOCK flag is not ours to change. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

#include "../loop.h"
#include "../system.h"
#include "unix.h"

#ifdef XPIO_HAVE_EPOLL
#include <sys/epoll.h>
#endif

int xpio_system_file_number(FILE *stream) {
  if (fflush(stream) != 0) return uv_translate_sys_error(errno);
  int number = fileno(stream);
  return number < 0 ? uv_translate_sys_error(errno) : number;
}

static enum xpio_kind socket_kind(int number) {
  int type = 0, error = 0;
  socklen_t length = sizeof type;
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t name_length = sizeof name;
  error |= getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &length);
  error |= getsockname(number, (struct sockaddr *)&name, &name_length);
  bool internet = name.ss_family == AF_INET || name.ss_family == AF_INET6;
  bool local = name.ss_family == AF_UNIX;
  if (error != 0) return XPIO_KIND_OTHER_SOCKET;
  if (type == SOCK_STREAM && internet) return XPIO_KIND_TCP;
  if (type == SOCK_STREAM && local) return XPIO_KIND_UNIX_STREAM;
  if (type == SOCK_DGRAM && internet) return XPIO_KIND_UDP;
  if (type == SOCK_DGRAM && local) return XPIO_KIND_UNIX_DATAGRAM;
  return XPIO_KIND_OTHER_SOCKET;
}

static enum xpio_kind kind_of(int number, mode_t mode) {
  if (S_ISSOCK(mode)) return socket_kind(number);
  if (S_ISFIFO(mode)) return XPIO_KIND_PIPE;
  if (S_ISCHR(mode) && isatty(number)) return XPIO_KIND_TERMINAL;
  return XPIO_KIND_FILE;
}

/* Whether there is anything to poll about it: not for /dev/null. */
static bool is_pollable(int number) {
#ifdef XPIO_HAVE_EPOLL
  struct epoll_event none = {.events = 0};
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return true;
  bool refused = epoll_ctl(epoll, EPOLL_CTL_ADD, number, &none) < 0 && errno == EPERM;
  close(epoll);
  return !refused;
#else
  (void)number;
  return true;
#endif
}

static enum xpio_access access_of(enum xpio_kind kind, mode_t mode, int number) {
  if (kind <= XPIO_KIND_OTHER_SOCKET) return XPIO_ACCESS_DONTWAIT;
  if (kind == XPIO_KIND_PIPE) return XPIO_ACCESS_NOWAIT;
  if (kind == XPIO_KIND_TERMINAL) return XPIO_ACCESS_POLLED;
  if (S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode)) return XPIO_ACCESS_PLAIN;
  return is_pollable(number) ? XPIO_ACCESS_POLLED : XPIO_ACCESS_PLAIN;
}

static int modes_of(int flags) {
  switch (flags & O_ACCMODE) {
  case O_RDONLY: return XPIO_READABLE;
  case O_WRONLY: return XPIO_WRITABLE;
  default: return XPIO_READABLE | XPIO_WRITABLE;
  }
}

#ifdef __linux__
/* Of anonymous pipes, fstatfs(2); <linux/magic.h> is not everywhere. */
enum { PIPE_FILE_SYSTEM = 0x50495045 };

/* A pseudoterminal's master opened anew is another terminal: TIOCGPTN tells it
 * apart. A named pipe that is opened for reading when its writers are gone never
 * reports a hang-up (fifo_open in fs/pipe.c); an anonymous one does. */
static bool can_reopen(int number, int flags, enum xpio_kind kind) {
  unsigned terminal;
  struct statfs status;
  if (kind == XPIO_KIND_TERMINAL) return ioctl(number, TIOCGPTN, &terminal) < 0;
  if (kind != XPIO_KIND_PIPE) return false;
  return (flags & O_ACCMODE) == O_WRONLY ||
         (fstatfs(number, &status) == 0 && status.f_type == PIPE_FILE_SYSTEM);
}

/* Opens a pipe or terminal anew through /proc: a description of our own, which
 * may be non-blocking. Returns a number, or an error when it cannot be had: /proc
 * is not mounted, the terminal belongs to someone else, the pipe has no reader. */
static int reopen(int number, int flags, enum xpio_kind kind) {
  if (!can_reopen(number, flags, kind)) return UV_ENOTSUP;
  char path[sizeof "/proc/self/fd/" + 3 * sizeof number];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", number);
  /* O_DIRECT makes the pipe one of packets; opening it that way fails. */
  flags &= O_ACCMODE | O_DIRECT;
  return xpio_unix_open(path, flags | O_NONBLOCK | O_NOCTTY);
}
#else
/* /dev/fd gives the same description here. */
static int reopen(int number, int flags, enum xpio_kind kind) {
  (void)number, (void)flags, (void)kind;
  return UV_ENOTSUP;
}
#endif

int xpio_system_duplicate(struct xpio_descriptor *descriptor, int number) {
  struct stat status;
  /* What watches all others cannot be watched by itself: libuv aborts when it is told so. */
  if (number == uv_backend_fd(descriptor->loop->uv)) return UV_EINVAL;
  int flags = fcntl(number, F_GETFL);
  if (flags < 0 || fstat(number, &status) < 0) return xpio_unix_error();
  enum xpio_kind kind = kind_of(number, status.st_mode);
  int duplicate = reopen(number, flags, kind);
  bool foreign = duplicate < 0;
  if (foreign) duplicate = fcntl(number, F_DUPFD_CLOEXEC, XPIO_LOWEST_NUMBER);
  if (duplicate < 0) return xpio_unix_error();
  descriptor->number = duplicate;
  descriptor->kind = (unsigned char)kind;
  descriptor->modes = (unsigned char)modes_of(flags);
  descriptor->foreign = foreign;
  descriptor->first_access = (unsigned char)(foreign ? access_of(kind, status.st_mode, duplicate)
                                                     : XPIO_ACCESS_NONBLOCKING);
  descriptor->access = descriptor->first_access;
  return 0;
}

/* Descriptors that came from elsewhere. Their open file description is shared
 * with whoever has them too, so its O_NONBLOCK flag is not ours to change. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../system.h"
#include "unix.h"

/* New numbers stay away from the standard streams, one of which may be closed. */
enum { LOWEST_NUMBER = 3 };

int xpio_system_file_number(FILE *stream) {
  return fileno(stream);
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

static enum xpio_access access_of(enum xpio_kind kind, mode_t mode) {
  if (kind <= XPIO_KIND_OTHER_SOCKET) return XPIO_ACCESS_DONTWAIT;
  if (kind == XPIO_KIND_PIPE) return XPIO_ACCESS_NOWAIT;
  if (S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode)) return XPIO_ACCESS_PLAIN;
  return XPIO_ACCESS_POLLED;
}

static int modes_of(int flags) {
  switch (flags & O_ACCMODE) {
  case O_RDONLY: return XPIO_READABLE;
  case O_WRONLY: return XPIO_WRITABLE;
  default: return XPIO_READABLE | XPIO_WRITABLE;
  }
}

/* Opens a pipe or terminal anew through /proc: a description of our own, which
 * may be non-blocking. Returns a number, or -1 when it cannot be had: /proc is
 * not mounted, the terminal belongs to someone else, the pipe has no reader.
 * Opening a pseudoterminal's master makes a new terminal instead: TIOCGPTN
 * tells it apart. Elsewhere than on Linux, /dev/fd gives the same description. */
static int reopen(int number, int flags, enum xpio_kind kind) {
#ifdef __linux__
  unsigned terminal;
  if (kind == XPIO_KIND_TERMINAL && ioctl(number, TIOCGPTN, &terminal) == 0) return -1;
  if (kind != XPIO_KIND_TERMINAL && kind != XPIO_KIND_PIPE) return -1;
  char path[sizeof "/proc/self/fd/" + 3 * sizeof number];
  snprintf(path, sizeof path, "/proc/self/fd/%d", number);
  /* O_DIRECT makes the pipe one of packets; opening it that way fails. */
  return open(path, (flags & (O_ACCMODE | O_DIRECT)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
#else
  (void)number, (void)flags, (void)kind;
  return -1;
#endif
}

int xpio_system_duplicate(struct xpio_descriptor *descriptor, int number) {
  struct stat status;
  int flags = fcntl(number, F_GETFL);
  if (flags < 0 || fstat(number, &status) < 0) return xpio_unix_error();
  enum xpio_kind kind = kind_of(number, status.st_mode);
  int duplicate = reopen(number, flags, kind);
  bool foreign = duplicate < 0;
  if (foreign) duplicate = fcntl(number, F_DUPFD_CLOEXEC, LOWEST_NUMBER);
  if (duplicate < 0) return xpio_unix_error();
  descriptor->number = duplicate;
  descriptor->kind = (unsigned char)kind;
  descriptor->modes = (unsigned char)modes_of(flags);
  descriptor->foreign = foreign;
  descriptor->access = foreign ? access_of(kind, status.st_mode) : XPIO_ACCESS_NONBLOCKING;
  return 0;
}

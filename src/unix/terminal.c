/* Pseudoterminals. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../system.h"
#include "unix.h"

enum { FLAGS = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK };

/* Where posix_openpt lets nothing pass but O_RDWR and O_NOCTTY. */
static int open_master_in_steps(void) {
  int number = posix_openpt(O_RDWR | O_NOCTTY);
  if (number < 0) return xpio_unix_error();
  if (fcntl(number, F_SETFD, FD_CLOEXEC) == 0 && fcntl(number, F_SETFL, O_RDWR | O_NONBLOCK) == 0)
    return xpio_unix_above_standard(number);
  int error = xpio_unix_error();
  close(number);
  return error;
}

static int open_master(void) {
  int number = posix_openpt(FLAGS);
  if (number >= 0) return xpio_unix_above_standard(number);
  return errno == EINVAL ? open_master_in_steps() : xpio_unix_error();
}

static int open_slave(int master) {
  char name[128];
  if (grantpt(master) < 0 || unlockpt(master) < 0) return xpio_unix_error();
  int error = ptsname_r(master, name, sizeof name);
  if (error != 0) return uv_translate_sys_error(error);
  return xpio_unix_open(name, FLAGS);
}

int xpio_system_openpty(struct xpio_descriptor *master, struct xpio_descriptor *slave) {
  int master_number = open_master();
  if (master_number < 0) return master_number;
  int slave_number = open_slave(master_number);
  if (slave_number < 0) {
    close(master_number);
    return slave_number;
  }
  xpio_unix_adopt(master, master_number, XPIO_KIND_TERMINAL, XPIO_READABLE | XPIO_WRITABLE);
  xpio_unix_adopt(slave, slave_number, XPIO_KIND_TERMINAL, XPIO_READABLE | XPIO_WRITABLE);
  return 0;
}

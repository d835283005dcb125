/* The children of a loop, and pidfds. */
#ifndef XPIO_CHILDREN_H
#define XPIO_CHILDREN_H

#include <signal.h>
#include <stdbool.h>
#include <uv.h>

#include "../list.h"

struct xpio_loop;
struct xpio_child;

struct xpio_children {
  struct xpio_loop *loop;
  struct xpio_link polled;   /* those watched whose pidfd is in `epoll` */
  struct xpio_link signaled; /* those watched whose end only SIGCHLD tells */
  size_t orphans;            /* those watched that have no owner any more */
  int epoll;                 /* -1 until it is needed */
  uv_poll_t poll;            /* watches it */
  uv_async_t wakeup;         /* sent by the SIGCHLD handler, once `registered` */
  bool registered;
  uv_timer_t timer; /* runs while that handler may not be called */
  bool old_kernel;  /* for tests: do without what older kernels do not have */
  bool has_pidfds;  /* as far as is known */
  bool pidfds_signal_groups;
  int pidfd_limit; /* numbers from here on are left to the program */
};

/* The loop's, made when first asked for; null when there is no memory. */
struct xpio_children *xpio_unix_children(struct xpio_loop *loop);

/* Makes `child` that of a process which has just been started. */
void xpio_unix_child_started(struct xpio_children *children, struct xpio_child *child, int pid,
                             bool leader);

/* Whether the process group that it leads, or led, is still there and its own. */
bool xpio_unix_group_exists(const struct xpio_child *child);

/* Looks whether a watched child has ended, and reports that. */
void xpio_unix_check_watched(struct xpio_child *child);

/* pidfds: each stands for one process, and for no later one that gets its number.
 * Where the system has none, `open` returns -1, and so do the others. `check` looks
 * which of those watched have ended. */
int xpio_unix_pidfd_open(struct xpio_children *children, int pid);
int xpio_unix_pidfd_wait(int pidfd, siginfo_t *info, int options);
int xpio_unix_pidfd_signal(int pidfd, int signal);
int xpio_unix_pidfd_signal_group(int pidfd, int signal);
int xpio_unix_pidfd_watch(struct xpio_children *children, struct xpio_child *child);
void xpio_unix_pidfd_unwatch(struct xpio_children *children, const struct xpio_child *child);
void xpio_unix_pidfd_check(struct xpio_children *children);

#endif

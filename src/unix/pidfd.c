/* pidfds, and the one epoll of a loop that all of them are in: so a child costs one
 * call to be watched, and its end is one event. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/syscall.h>
#endif

#include "../loop.h"
#include "../system_child.h"
#include "children.h"
#include "unix.h"

#if defined(XPIO_HAVE_EPOLL) && defined(SYS_pidfd_open)

/* Of waitid(2) and of pidfd_send_signal(2); not in the headers of every C library. */
enum { ID_PIDFD = 3, SIGNAL_PROCESS_GROUP = 1 << 2 };

int xpio_unix_pidfd_open(struct xpio_children *children, int pid) {
  if (!children->has_pidfds) return -1;
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0 && errno == ENOSYS) children->has_pidfds = false;
  pidfd = xpio_unix_above_standard(pidfd);
  if (pidfd < children->pidfd_limit) return pidfd;
  close(pidfd);
  return -1;
}

int xpio_unix_pidfd_wait(int pidfd, siginfo_t *info, int options) {
  return waitid((idtype_t)ID_PIDFD, (id_t)pidfd, info, options);
}

int xpio_unix_pidfd_signal(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

/* Before Linux 6.9 EINVAL, whatever the other arguments. */
int xpio_unix_pidfd_signal_group(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, SIGNAL_PROCESS_GROUP);
}

/* Checking a child takes its pidfd out, or it goes on running: then a debugger has
 * it and there will be another event. So each is seen once, and this ends: when there
 * are fewer than were asked for, that was all. */
void xpio_unix_pidfd_check(struct xpio_children *children) {
  enum { MOST = 64 };
  struct epoll_event events[MOST];
  int count;
  do {
    count = epoll_wait(children->epoll, events, MOST, 0);
    for (int i = 0; i < count; i++) xpio_unix_check_watched(events[i].data.ptr);
  } while (count == MOST);
}

static void on_poll(uv_poll_t *poll, int status, int uv_events) {
  (void)status, (void)uv_events;
  xpio_unix_pidfd_check(poll->data);
}

static int open_epoll(struct xpio_children *children) {
  if (children->epoll >= 0) return 0;
  int epoll = xpio_unix_above_standard(epoll_create1(EPOLL_CLOEXEC));
  if (epoll < 0) return -1;
  if (uv_poll_init(children->loop->uv, &children->poll, epoll) < 0) {
    close(epoll);
    return -1;
  }
  children->epoll = epoll;
  xpio_loop_add_handle(children->loop, (uv_handle_t *)&children->poll);
  children->poll.data = children;
  return uv_poll_start(&children->poll, UV_READABLE, on_poll);
}

/* Edge-triggered: while a debugger holds back the end of a child from us, its pidfd
 * is readable all the time. */
int xpio_unix_pidfd_watch(struct xpio_children *children, struct xpio_child *child) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.ptr = child}};
  if (child->handle < 0 || open_epoll(children) < 0) return -1;
  return epoll_ctl(children->epoll, EPOLL_CTL_ADD, child->handle, &event);
}

void xpio_unix_pidfd_unwatch(struct xpio_children *children, const struct xpio_child *child) {
  struct epoll_event none = {.events = 0};
  /* Closing it would not do: a process that the host has forked may have it too. */
  epoll_ctl(children->epoll, EPOLL_CTL_DEL, child->handle, &none);
}

#else

static int unsupported(void) {
  errno = ENOSYS;
  return -1;
}

int xpio_unix_pidfd_open(struct xpio_children *children, int pid) {
  (void)children, (void)pid;
  return -1;
}

int xpio_unix_pidfd_wait(int pidfd, siginfo_t *info, int options) {
  (void)pidfd, (void)info, (void)options;
  return unsupported();
}

int xpio_unix_pidfd_signal(int pidfd, int signal) {
  (void)pidfd, (void)signal;
  return unsupported();
}

int xpio_unix_pidfd_signal_group(int pidfd, int signal) {
  (void)pidfd, (void)signal;
  return unsupported();
}

int xpio_unix_pidfd_watch(struct xpio_children *children, struct xpio_child *child) {
  (void)children, (void)child;
  return -1;
}

void xpio_unix_pidfd_unwatch(struct xpio_children *children, const struct xpio_child *child) {
  (void)children, (void)child;
}

void xpio_unix_pidfd_check(struct xpio_children *children) {
  (void)children;
}

#endif

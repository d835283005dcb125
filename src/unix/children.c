/* Children: noticing their end, reaping them, and signalling them before.
 *
 * A pidfd tells the end of its process. Where there is none, SIGCHLD has all of a
 * loop's children without one looked at, once in a pass. Nobody else's children
 * are touched: those belong to the host. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../loop.h"
#include "../system.h"
#include "../system_child.h"
#include "children.h"
#include "unix.h"

/* How often they are looked at when the host blocks SIGCHLD or has replaced our handler. */
enum { LOOK_MILLISECONDS = 100 };

/* Takes a child's status without waiting, or with WNOWAIT only looks at it. */
static int wait_child(const struct xpio_child *child, siginfo_t *info, int options) {
  int result;
  options |= WEXITED | WNOHANG;
  do {
    info->si_pid = 0; /* stays so when it still runs */
    result = child->handle >= 0 ? xpio_unix_pidfd_wait(child->handle, info, options) : -1;
    /* EINVAL: Linux 5.3 has pidfds, but cannot wait for them. */
    if (child->handle < 0 || (result < 0 && errno == EINVAL))
      result = waitid(P_PID, (id_t)child->pid, info, options);
  } while (result < 0 && errno == EINTR);
  return result;
}

/* A group may outlive its leader, and be signalled then. A pidfd stands for it all
 * the time (Linux 6.9); without, its number is kept from being used again by leaving
 * its leader a zombie, until the child is released. */
static bool must_stay(const struct xpio_child *child) {
  return child->leader && !(child->handle >= 0 && child->children->pidfds_signal_groups);
}

static void unwatch(struct xpio_child *child) {
  if (!child->watched) return;
  if (child->handle >= 0) xpio_unix_pidfd_unwatch(child->children, child);
  xpio_list_remove(&child->link);
  child->watched = false;
}

static void close_handle(struct xpio_child *child) {
  if (child->handle < 0) return;
  close(child->handle);
  child->handle = -1;
}

void xpio_system_check_child(struct xpio_child *child) {
  siginfo_t info;
  if (wait_child(child, &info, must_stay(child) ? WNOWAIT : 0) < 0) {
    child->ending = XPIO_LOST;
  } else if (info.si_pid != 0) {
    child->ending = info.si_code == CLD_EXITED ? XPIO_EXITED : XPIO_SIGNALED;
    child->status = info.si_status;
    child->zombie = must_stay(child);
  }
  if (child->ending == XPIO_RUNNING) return;
  unwatch(child);
  if (!child->leader) close_handle(child);
}

static void free_child(struct xpio_child *child) {
  siginfo_t info;
  unwatch(child);
  if (child->zombie) wait_child(child, &info, 0);
  close_handle(child);
  free(child);
}

void xpio_unix_check_watched(struct xpio_child *child) {
  xpio_system_check_child(child);
  if (child->ending == XPIO_RUNNING) return;
  if (child->report != NULL) {
    child->report(child->owner);
    return;
  }
  child->children->orphans--;
  free_child(child);
}

static void check_signaled(struct xpio_children *children) {
  struct xpio_link *next;
  for (struct xpio_link *link = children->signaled.next; link != &children->signaled; link = next) {
    next = link->next;
    xpio_unix_check_watched(XPIO_CONTAINER(link, struct xpio_child, link));
  }
  if (xpio_list_empty(&children->signaled)) uv_timer_stop(&children->timer);
}

static void on_wakeup(uv_async_t *wakeup) {
  check_signaled(wakeup->data);
}

static void on_timer(uv_timer_t *timer) {
  check_signaled(timer->data);
}

/* Half of the numbers at most are taken by pidfds. The usual limit is 1,024, and a
 * program may well have more children than that. */
static int pidfd_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > INT_MAX) return INT_MAX;
  return (int)(limit.rlim_cur / 2);
}

static int init(struct xpio_children *children, struct xpio_loop *loop) {
  int error = uv_async_init(loop->uv, &children->wakeup, on_wakeup);
  if (error < 0) return error;
  uv_timer_init(loop->uv, &children->timer);
  xpio_loop_add_handle(loop, (uv_handle_t *)&children->wakeup);
  xpio_loop_add_handle(loop, (uv_handle_t *)&children->timer);
  children->wakeup.data = children->timer.data = children;
  children->loop = loop;
  xpio_list_init(&children->polled);
  xpio_list_init(&children->signaled);
  children->epoll = -1;
  children->pidfd_limit = pidfd_limit();
  children->old_kernel = getenv("XPIO_OLD_KERNEL") != NULL;
  children->has_pidfds = !children->old_kernel;
  children->pidfds_signal_groups = xpio_unix_pidfd_signal_group(-1, 0) < 0 && errno == EBADF;
  return 0;
}

struct xpio_children *xpio_unix_children(struct xpio_loop *loop) {
  if (loop->children != NULL) return loop->children;
  struct xpio_children *children = calloc(1, sizeof *children);
  if (children == NULL) return NULL;
  if (init(children, loop) < 0) {
    free(children);
    return NULL;
  }
  loop->children = children;
  return children;
}

void xpio_unix_child_started(struct xpio_children *children, struct xpio_child *child, int pid,
                             bool leader) {
  child->pid = pid;
  child->ending = XPIO_RUNNING;
  child->children = children;
  child->leader = leader;
  child->handle = xpio_unix_pidfd_open(children, pid);
  xpio_list_init(&child->link);
}

/* Whether this thread lets it through: no other may, and SIGCHLD comes to any. */
static bool lets_child_signal_through(void) {
  sigset_t blocked;
  return pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGCHLD);
}

static void chain(struct xpio_children *children) {
  if (xpio_unix_child_signal_chain() && lets_child_signal_through())
    uv_timer_stop(&children->timer);
  else if (!uv_is_active((uv_handle_t *)&children->timer))
    uv_timer_start(&children->timer, on_timer, LOOK_MILLISECONDS, LOOK_MILLISECONDS);
}

void xpio_system_chain_children(struct xpio_loop *loop) {
  struct xpio_children *children = loop->children;
  if (children != NULL && !xpio_list_empty(&children->signaled)) chain(children);
}

/* It may have ended before the handler was there: so it is looked at once more. */
static int watch_by_signal(struct xpio_children *children, struct xpio_child *child) {
  if (!children->registered) {
    int error = xpio_unix_child_signal_add(&children->wakeup);
    if (error < 0) return error;
    children->registered = true;
  }
  chain(children);
  xpio_list_append(&children->signaled, &child->link);
  child->watched = true;
  xpio_system_check_child(child);
  return 0;
}

int xpio_system_watch_child(struct xpio_child *child, xpio_ended *report, void *owner) {
  struct xpio_children *children = child->children;
  if (child->ending != XPIO_RUNNING || child->watched) return 0;
  child->report = report;
  child->owner = owner;
  if (xpio_unix_pidfd_watch(children, child) < 0) return watch_by_signal(children, child);
  xpio_list_append(&children->polled, &child->link);
  child->watched = true;
  return 0;
}

void xpio_system_release_child(struct xpio_child *child) {
  if (child->ending == XPIO_RUNNING) xpio_system_check_child(child);
  if (child->ending == XPIO_RUNNING) xpio_system_watch_child(child, NULL, NULL);
  if (!child->watched) {
    free_child(child);
    return;
  }
  child->report = NULL;
  child->children->orphans++;
}

void xpio_system_reap_orphans(struct xpio_loop *loop) {
  struct xpio_children *children = loop->children;
  if (children == NULL || children->orphans == 0) return;
  if (children->epoll >= 0) xpio_unix_pidfd_check(children);
  check_signaled(children);
}

/* Until it is reaped its number is its own, and that of its group: so plain kill will
 * do. Somebody else may have reaped it, which a look without reaping tells. */
static bool is_reaped(const struct xpio_child *child) {
  siginfo_t info;
  if (child->ending != XPIO_RUNNING && !child->zombie) return true;
  return wait_child(child, &info, WNOWAIT) < 0 && errno == ECHILD;
}

static int kill_unless_reaped(const struct xpio_child *child, int number, int signal) {
  if (!is_reaped(child)) return kill(number, signal);
  errno = ESRCH;
  return -1;
}

static int signal_group(const struct xpio_child *child, int signal) {
  if (child->handle >= 0 && child->children->pidfds_signal_groups)
    return xpio_unix_pidfd_signal_group(child->handle, signal);
  return kill_unless_reaped(child, -child->pid, signal);
}

static int signal_process(const struct xpio_child *child, int signal) {
  if (child->handle >= 0) return xpio_unix_pidfd_signal(child->handle, signal);
  return kill_unless_reaped(child, child->pid, signal);
}

int xpio_system_signal_child(struct xpio_child *child, int signal, bool group) {
  int result = group ? signal_group(child, signal) : signal_process(child, signal);
  return result < 0 ? uv_translate_sys_error(errno) : 0;
}

bool xpio_unix_group_exists(const struct xpio_child *child) {
  return signal_group(child, 0) == 0 || errno == EPERM;
}

static void free_all(struct xpio_link *head) {
  while (!xpio_list_empty(head)) free_child(XPIO_CONTAINER(head->next, struct xpio_child, link));
}

void xpio_system_close_children(struct xpio_loop *loop) {
  struct xpio_children *children = loop->children;
  if (children == NULL) return;
  free_all(&children->polled);
  free_all(&children->signaled);
  if (children->registered) xpio_unix_child_signal_remove(&children->wakeup);
  xpio_loop_close_handle(loop, (uv_handle_t *)&children->wakeup);
  xpio_loop_close_handle(loop, (uv_handle_t *)&children->timer);
  if (children->epoll < 0) return;
  xpio_loop_close_handle(loop, (uv_handle_t *)&children->poll);
  close(children->epoll);
}

void xpio_system_free_children(struct xpio_loop *loop) {
  free(loop->children);
  loop->children = NULL;
}

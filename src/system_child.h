/* The system interface, continued: child processes. As in system.h, nothing here
 * calls Lua or raises an error. */
#ifndef XPIO_SYSTEM_CHILD_H
#define XPIO_SYSTEM_CHILD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"

struct xpio_children;
struct xpio_descriptor;
struct xpio_loop;

/* libuv has no names for them. */
#define XPIO_ECHILD (-ECHILD)
#define XPIO_ENOEXEC (-ENOEXEC)

enum xpio_ending {
  XPIO_RUNNING,
  XPIO_EXITED,   /* by itself, with a status */
  XPIO_SIGNALED, /* by a signal */
  XPIO_LOST      /* nobody knows: its status went to someone else */
};

/* Called out of a pass of the loop, or of xpio_system_reap_orphans; once. */
typedef void xpio_ended(void *owner);

/* A child process, in memory of the system's own, because it may have to be reaped
 * after its owner is gone. The portable part reads the fields of the first group. */
struct xpio_child {
  int pid;
  enum xpio_ending ending;
  int64_t status; /* the exit status, or the number of the signal */

  xpio_ended *report; /* null when there is nobody to tell */
  void *owner;
  int handle;  /* that stands for this process and for no later one, or -1 */
  bool leader; /* of a group of its own */
  bool zombie; /* it has ended, and its number is kept for the group's sake */
  bool watched;
  struct xpio_children *children;
  struct xpio_link link; /* in a list of those that are watched */
};

/* A file that a child is granted. */
struct xpio_grant {
  int target;                         /* its number in the child */
  int source;                         /* its number here; -1: the target stays closed */
  struct xpio_descriptor *descriptor; /* the object it is, or null */
};

struct xpio_limit {
  const char *name; /* "nofile" */
  int resource;     /* what xpio_system_limit says of it */
  uint64_t value;
};
#define XPIO_UNLIMITED UINT64_MAX

enum { XPIO_INHERIT = -1 }; /* for the fields that say so: as in this process */

/* What a child is to be. Everything belongs to the caller. */
struct xpio_spawn {
  const char *exe;                 /* a path, or a name to be searched for */
  char **arguments;                /* ended by a null, as the next */
  char **environment;              /* "NAME=value" */
  size_t variable_count;           /* of the environment */
  const struct xpio_grant *grants; /* in any order; no two with the same target */
  size_t grant_count;

  const char *cwd;                 /* null: inherit */
  bool session;                    /* leads a new session */
  bool group;                      /* leads a new process group */
  const struct xpio_child *leader; /* of the group to join, or null */
  int terminal;                    /* its controlling terminal; XPIO_INHERIT */
  int umask;                       /* XPIO_INHERIT */
  int nice;                        /* to be added; at most 40, either way */
  const struct xpio_limit *limits;
  size_t limit_count;
  const uint32_t *groups; /* null: inherit */
  size_t group_count;
  int64_t gid, uid; /* XPIO_INHERIT */
};

/* What did not work out. */
struct xpio_spawn_failure {
  int error;           /* a libuv error */
  const char *step;    /* "exec", "chdir", ... */
  const char *subject; /* a path or a name that it was about, or null */
  int target;          /* the number of the grant that it was about, or -1 */
};

/* Starts a child and sets *result, for the caller to release. The files granted are
 * in blocking mode then. Returns 0; or -1 with *failure filled in: then there is no
 * child, and nothing has changed. */
int xpio_system_spawn(struct xpio_loop *loop, const struct xpio_spawn *spawn,
                      struct xpio_child **result, struct xpio_spawn_failure *failure);

/* Looks whether it has ended. */
void xpio_system_check_child(struct xpio_child *child);

/* Has a running child's end reported. Returns 0 or an error; by then it may have
 * ended already, which is not reported. */
int xpio_system_watch_child(struct xpio_child *child, xpio_ended *report, void *owner);

/* Sends a signal to the child, or to the process group that it leads. UV_ESRCH
 * when they are gone: never does it reach a process that got the number later. */
int xpio_system_signal_child(struct xpio_child *child, int signal, bool group);

/* Takes the child back. If it still runs it goes on, and is reaped in a later pass
 * of the loop. */
void xpio_system_release_child(struct xpio_child *child);

/* Reaps those that were released and have ended since, without a pass. */
void xpio_system_reap_orphans(struct xpio_loop *loop);

/* Looks whether the end of children is still noticed: the host may have installed a
 * signal handler of its own. To be called before every poll. */
void xpio_system_chain_children(struct xpio_loop *loop);

/* In two steps, for the loop must run in between: ends the watching, of children
 * that all have been released; frees the memory. */
void xpio_system_close_children(struct xpio_loop *loop);
void xpio_system_free_children(struct xpio_loop *loop);

/* The number of a signal, "TERM" or "SIGTERM"; -1 when there is none of that name. */
int xpio_system_signal_number(const char *name);

/* The number of a resource limit, "nofile"; -1 when there is none of that name. */
int xpio_system_limit(const char *name);

#endif

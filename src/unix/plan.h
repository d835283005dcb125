/* What passes from a parent to the child that it is about to start, and back. */
#ifndef XPIO_PLAN_H
#define XPIO_PLAN_H

#include <stdbool.h>
#include <stddef.h>

struct xpio_spawn;

/* A source that the child opens itself: /dev/null. */
enum { XPIO_NULL = -2 };

/* A descriptor on its way to its number in the child. */
struct xpio_move {
  int source; /* its number in the parent; -1: the target is to be closed; XPIO_NULL */
  int now;    /* where the child has it at present */
  int target;
  bool nonblocking; /* the source was, before */
};

enum xpio_step {
  XPIO_STEP_MEMORY,
  XPIO_STEP_DESCRIPTOR,
  XPIO_STEP_PIPE,
  XPIO_STEP_FORK,
  XPIO_STEP_SESSION,
  XPIO_STEP_GROUP,
  XPIO_STEP_TERMINAL,
  XPIO_STEP_NICE,
  XPIO_STEP_LIMIT,
  XPIO_STEP_GROUPS,
  XPIO_STEP_GID,
  XPIO_STEP_UID,
  XPIO_STEP_DIRECTORY,
  XPIO_STEP_EXEC,
  XPIO_STEP_INTERPRETER
};

/* Where spawning has failed; the child sends it to its parent. */
struct xpio_stop {
  enum xpio_step step;
  int error; /* errno */
  int item;  /* the target of the descriptor, the index of the limit, or -1 */
};

/* All that the child needs, made by its parent: it cannot allocate. */
struct xpio_plan {
  const struct xpio_spawn *spawn;
  const char *path;        /* of the executable */
  struct xpio_move *moves; /* in the order of their targets */
  size_t move_count;
  int report;      /* where the child sends its xpio_stop, close-on-exec */
  bool old_kernel; /* do without close_range */
  /* Set by the child. Its parent sees that if the child had its memory, and so has
   * executed its program, or ended, before the parent went on. */
  volatile bool memory_is_shared;
};

/* What the child does: becomes the program, or reports why it cannot, and exits. */
_Noreturn void xpio_unix_become(struct xpio_plan *plan);

/* Puts the descriptors where they belong and closes all others but *report, which
 * may move. Sets *item to the target of the one it works on. Returns 0, or -1 with
 * errno. For the child. */
int xpio_unix_place_descriptors(const struct xpio_plan *plan, int *report, int *item);

/* Finds a program in PATH: an executable regular file. Makes an absolute path of
 * it, or returns an errno: ENOENT, or EACCES if one is there but not executable. */
int xpio_unix_search(const char *name, char *path, size_t size);

#endif

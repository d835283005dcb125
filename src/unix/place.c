/* The descriptors of a child: any permutation of them, swaps and fan-outs, and
 * nothing else open. It runs in the child: see become.c for what that forbids. */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "plan.h"

/* The move to this number, or null. */
static const struct xpio_move *find_target(const struct xpio_plan *plan, int number) {
  size_t low = 0, high = plan->move_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (plan->moves[middle].target < number)
      low = middle + 1;
    else
      high = middle;
  }
  bool found = low < plan->move_count && plan->moves[low].target == number;
  return found ? &plan->moves[low] : NULL;
}

/* A duplicate that is in nobody's way. Those made at numbers that are targets stay
 * there: they are overwritten later, or closed. */
static int duplicate_aside(const struct xpio_plan *plan, int number) {
  int duplicate = 0;
  do {
    duplicate = fcntl(number, F_DUPFD_CLOEXEC, duplicate);
  } while (duplicate >= 0 && find_target(plan, duplicate) != NULL);
  return duplicate;
}

/* Where the source of this move is out of the way: where an earlier move with the same
 * source has put it, or at a number of its own. */
static int find_aside(const struct xpio_plan *plan, const struct xpio_move *move) {
  for (const struct xpio_move *other = plan->moves; other < move; other++)
    if (other->source == move->source && other->now != other->source) return other->now;
  return duplicate_aside(plan, move->source);
}

/* Whatever number it gets: those of the other sources are taken. */
static int open_null(const struct xpio_plan *plan) {
  int null = -1;
  for (size_t i = 0; i < plan->move_count; i++) {
    if (plan->moves[i].source != XPIO_NULL) continue;
    if (null < 0) null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    plan->moves[i].source = null;
  }
  return 0;
}

/* What is at a number where something else is to be goes out of the way. The report
 * stays where it is until it has another place: it has to tell of a failure here. */
static int clear_targets(const struct xpio_plan *plan, int *report, int *item) {
  if (find_target(plan, *report) != NULL) {
    int aside = duplicate_aside(plan, *report);
    if (aside < 0) return -1;
    *report = aside;
  }
  for (size_t i = 0; i < plan->move_count; i++) {
    struct xpio_move *move = &plan->moves[i];
    *item = move->target;
    move->now = move->source;
    if (move->source < 0 || move->source == move->target) continue;
    if (find_target(plan, move->source) == NULL) continue;
    move->now = find_aside(plan, move);
    if (move->now < 0) return -1;
  }
  return 0;
}

static int fill_targets(const struct xpio_plan *plan, int *item) {
  for (size_t i = 0; i < plan->move_count; i++) {
    const struct xpio_move *move = &plan->moves[i];
    *item = move->target;
    if (move->source < 0) continue;
    /* dup2 to the same number would leave it close-on-exec. */
    int result = move->now == move->target ? fcntl(move->target, F_SETFD, 0)
                                           : dup2(move->now, move->target);
    if (result < 0) return -1;
  }
  return 0;
}

/* Closes it unless it is to stay. */
static void close_other(const struct xpio_plan *plan, int report, int number) {
  const struct xpio_move *move = find_target(plan, number);
  if (number != report && (move == NULL || move->source < 0)) close(number);
}

/* The last resort. A limit that was lowered after something was opened beyond it
 * defeats it. */
static void close_up_to_limit(const struct xpio_plan *plan, int report) {
  long limit = sysconf(_SC_OPEN_MAX);
  for (int number = 0; number < limit; number++) close_other(plan, report, number);
}

#if defined(__linux__) && defined(SYS_close_range)
static int close_range_of(int first, int last) {
  return first <= last ? (int)syscall(SYS_close_range, first, last, 0) : 0;
}

static int close_range_but(int report, int first, int last) {
  if (first <= report && report <= last) {
    if (close_range_of(first, report - 1) < 0) return -1;
    first = report + 1;
  }
  return close_range_of(first, last);
}

/* Between the targets. -1: before Linux 5.9 there is no close_range. */
static int close_gaps(const struct xpio_plan *plan, int report) {
  int first = 0;
  for (size_t i = 0; i < plan->move_count; i++) {
    const struct xpio_move *move = &plan->moves[i];
    if (move->source < 0) continue;
    if (close_range_but(report, first, move->target - 1) < 0) return -1;
    first = move->target + 1;
  }
  return close_range_but(report, first, INT_MAX);
}
#else
static int close_gaps(const struct xpio_plan *plan, int report) {
  (void)plan, (void)report;
  return -1;
}
#endif

#ifdef __linux__
/* Of getdents64(2). opendir would allocate. */
struct directory_entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

/* "." and ".." are no numbers. */
static int number_of(const char *name) {
  int number = 0;
  if (*name == '.') return -1;
  for (; *name != '\0'; name++) number = 10 * number + *name - '0';
  return number;
}

/* By the list of those that are open. -1: /proc is not there. */
static int close_listed(const struct xpio_plan *plan, int report) {
  int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -1;
  _Alignas(struct directory_entry) char buffer[1024];
  long size;
  while ((size = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long offset = 0; offset < size;) {
      const struct directory_entry *entry = (const void *)(buffer + offset);
      int number = number_of(entry->name);
      if (number >= 0 && number != directory) close_other(plan, report, number);
      offset += entry->length;
    }
  }
  close(directory);
  return size < 0 ? -1 : 0;
}
#else
static int close_listed(const struct xpio_plan *plan, int report) {
  (void)plan, (void)report;
  return -1;
}
#endif

static void close_others(const struct xpio_plan *plan, int report) {
  if (!plan->old_kernel && close_gaps(plan, report) == 0) return;
  if (close_listed(plan, report) < 0) close_up_to_limit(plan, report);
}

int xpio_unix_place_descriptors(const struct xpio_plan *plan, int *report, int *item) {
  if (open_null(plan) < 0) return -1;
  if (clear_targets(plan, report, item) < 0) return -1;
  if (fill_targets(plan, item) < 0) return -1;
  close_others(plan, *report);
  return 0;
}

/* Time, and what the server uses of the processor and of memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Exact, of all its threads, and of another process too: unlike the ticks in /proc. */
static double processor_of(pid_t pid) {
  clockid_t clock;
  struct timespec time;
  if (pid == 0) return 0;
  if ((errno = clock_getcpuclockid(pid, &clock)) != 0) fail("clock_getcpuclockid");
  if (clock_gettime(clock, &time) < 0) fail("the server's processor time");
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void span_begin(struct span *span, pid_t pid) {
  span->began_processor = processor_of(pid);
  clock_gettime(CLOCK_MONOTONIC, &span->began);
}

void span_end(struct span *span, pid_t pid) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  span->seconds = (double)(now.tv_sec - span->began.tv_sec) +
                  (double)(now.tv_nsec - span->began.tv_nsec) / 1e9;
  span->processor = processor_of(pid) - span->began_processor;
}

long resident(pid_t pid) {
  char path[64];
  long pages = 0;
  snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
  FILE *file = fopen(path, "r");
  if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) fail(path);
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

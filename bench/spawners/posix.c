/* What bench/spawn.lua compares with: posix_spawn in C.
 *
 *     posix COUNT AT_A_TIME MEBIBYTES
 *
 * Spawns and waits for so many /bin/true, while it holds so much memory. Prints the
 * seconds that it took, and those of the processor that this process used. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void spawn(void) {
  char *arguments[] = {"/bin/true", NULL};
  pid_t pid;
  if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) != 0) abort();
}

static void wait_for_one(void) {
  int status;
  if (wait(&status) < 0 || status != 0) abort();
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int count = atoi(argv[1]), at_a_time = atoi(argv[2]), running = 0;
  size_t size = (size_t)atoi(argv[3]) << 20;
  char *memory = malloc(size + 1);
  memset(memory, 1, size);
  double begin = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < count; i++) {
    spawn();
    if (++running < at_a_time) continue;
    wait_for_one();
    running--;
  }
  while (running-- > 0) wait_for_one();
  printf("%.9f %.9f\n", seconds(CLOCK_MONOTONIC) - begin, seconds(CLOCK_PROCESS_CPUTIME_ID) - used);
  free(memory);
  return 0;
}

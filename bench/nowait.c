/* What bench/inside.lua compares an empty wait(0) with: uv_run of a loop with one handle
 * that has nothing to say. Prints nanoseconds of the processor for each of COUNT times. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

static void on_event(uv_poll_t *poll, int status, int events) {
  (void)poll, (void)status, (void)events;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int count = atoi(argv[1]), numbers[2];
  uv_poll_t poll;
  if (pipe(numbers) < 0) return 1;
  uv_poll_init(uv_default_loop(), &poll, numbers[0]);
  uv_poll_start(&poll, UV_READABLE, on_event);
  clock_t began = clock();
  for (int i = 0; i < count; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  printf("%.1f\n", (double)(clock() - began) / CLOCKS_PER_SEC / count * 1e9);
  return 0;
}

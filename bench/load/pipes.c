/* Messages over two pipes, one at a time. Like that over sockets it asks for the answer
 * without ever sleeping. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

enum { INPUT = 3, OUTPUT = 4 };

static void write_all(const char *data, size_t size) {
  while (size > 0) {
    ssize_t count = write(OUTPUT, data, size);
    if (count < 0) fail("write");
    data += count;
    size -= (size_t)count;
  }
}

static void read_all(char *data, size_t size) {
  while (size > 0) {
    ssize_t count = read(INPUT, data, size);
    if (count < 0 && errno == EAGAIN) continue;
    if (count == 0) errno = EPIPE;
    if (count <= 0) fail("read");
    size -= (size_t)count;
  }
}

static void echo(size_t messages, char *message, size_t size) {
  for (size_t i = 0; i < messages; i++) {
    write_all(message, size);
    read_all(message, size);
  }
}

void run_pipes(const struct plan *plan, struct span *span) {
  char *message = malloc(plan->size);
  if (message == NULL) fail("malloc");
  if (fcntl(INPUT, F_SETFL, O_NONBLOCK) < 0) fail("fcntl");
  memset(message, 'x', plan->size);
  echo(plan->warm_up, message, plan->size);
  span_begin(span, plan->server_pid);
  echo(plan->messages, message, plan->size);
  span_end(span, plan->server_pid);
  free(message);
}

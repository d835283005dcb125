/* The load generator of the benchmark: one thread, on epoll. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

static const char usage[] =
    "usage: load [OPTION...] tcp|udp|pipe\n"
    "\n"
    "Sends messages to a server that echoes them, and says what that took, as\n"
    "  SECONDS PROCESSOR-SECONDS-OF-THE-SERVER ITS-BYTES-FOR-THE-IDLE-CONNECTIONS\n"
    "\n"
    "  -a ADDRESS      127.0.0.1:PORT of the server; for pipe: it reads from 3 and writes into 4\n"
    "  -p PID          the server's process\n"
    "  -c CONNECTIONS  that send, each the next message when the last one has come back (1)\n"
    "  -i CONNECTIONS  that are idle, beside those (0)\n"
    "  -s BYTES        the size of a message (64)\n"
    "  -m MESSAGES     to be measured (1000)\n"
    "  -w MESSAGES     to be sent before that (0)\n"
    "  -r              a connection of its own for each message\n"
    "  -b              send on and on, without waiting for echoes\n";

static _Noreturn void refuse(const char *problem, const char *what) {
  fprintf(stderr, "load: %s: %s\n%s", problem, what, usage);
  exit(2);
}

static size_t number(const char *text) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < 0) refuse("not a number", text);
  return (size_t)value;
}

static struct sockaddr_in parse_address(const char *text) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  char host[16];
  unsigned port;
  if (sscanf(text, "%15[0-9.]:%u", host, &port) != 2 || port > 65535 ||
      inet_pton(AF_INET, host, &address.sin_addr) != 1)
    refuse("not an address", text);
  address.sin_port = htons((in_port_t)port);
  return address;
}

static void parse_option(struct plan *plan, int option) {
  switch (option) {
  case 'a': plan->server = parse_address(optarg); break;
  case 'p': plan->server_pid = (pid_t)number(optarg); break;
  case 'c': plan->connections = number(optarg); break;
  case 'i': plan->idle = number(optarg); break;
  case 's': plan->size = number(optarg); break;
  case 'm': plan->messages = number(optarg); break;
  case 'w': plan->warm_up = number(optarg); break;
  case 'r': plan->reconnects = true; break;
  case 'b': plan->streams = true; break;
  case 'h': fputs(usage, stdout); exit(0);
  default: fputs(usage, stderr); exit(2);
  }
}

static const char *parse(struct plan *plan, int argc, char **argv) {
  int option;
  while ((option = getopt(argc, argv, "a:p:c:i:s:m:w:rbh")) != -1) parse_option(plan, option);
  if (optind != argc - 1) refuse("one way is expected", "tcp, udp or pipe");
  if (plan->connections == 0 || plan->size == 0) refuse("not a number above 0", "-c and -s");
  return argv[optind];
}

static void allow_descriptors(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* One message there and back: then the server has accepted all connections before. */
static void visit(const struct plan *plan, size_t source) {
  char byte = 'x';
  int descriptor = open_connection(plan, source, 0);
  if (send(descriptor, &byte, 1, MSG_NOSIGNAL) != 1) fail("send");
  if (recv(descriptor, &byte, 1, 0) != 1) fail("recv");
  close(descriptor);
}

/* Opens the idle connections; returns how much the server's memory grew. */
static long open_idle(const struct plan *plan) {
  if (plan->idle == 0) return 0;
  visit(plan, 0);
  long before = resident(plan->server_pid);
  for (size_t i = 0; i < plan->idle; i++) {
    open_connection(plan, i, 0);
    if (i % 100 == 99) visit(plan, i); /* its backlog is not to overflow */
  }
  visit(plan, 0);
  return resident(plan->server_pid) - before;
}

int main(int argc, char **argv) {
  struct plan plan = {.type = SOCK_STREAM, .connections = 1, .size = 64, .messages = 1000};
  const char *way = parse(&plan, argc, argv);
  struct span span;
  long memory = 0;
  allow_descriptors();
  if (strcmp(way, "pipe") == 0) {
    run_pipes(&plan, &span);
  } else {
    if (strcmp(way, "udp") == 0)
      plan.type = SOCK_DGRAM;
    else if (strcmp(way, "tcp") != 0)
      refuse("unknown way", way);
    memory = open_idle(&plan);
    run_sockets(&plan, &span);
  }
  printf("%.9f %.9f %ld\n", span.seconds, span.processor, memory);
  return 0;
}

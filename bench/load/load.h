/* What the parts of the load generator share. */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* The work, as the command line says. */
struct plan {
  struct sockaddr_in server;
  int type;           /* SOCK_STREAM or SOCK_DGRAM */
  size_t connections; /* that are active */
  size_t idle;        /* and that are not */
  size_t size;        /* of a message, in bytes */
  size_t messages;    /* to be echoed in the measured time */
  size_t warm_up;     /* and before */
  bool reconnects;    /* a connection for every message */
  bool streams;       /* sends on without waiting for an echo */
  pid_t server_pid;   /* 0: its use of the processor is not asked for */
};

/* What a span of time has cost. */
struct span {
  struct timespec began;
  double began_processor;
  double seconds, processor; /* the latter by the server */
};

/* Ends the program with a message about errno. */
_Noreturn void fail(const char *what);

void span_begin(struct span *span, pid_t pid);
void span_end(struct span *span, pid_t pid);

/* Resident memory of a process, in bytes. */
long resident(pid_t pid);

/* Opens and connects a socket as the plan says; the source address depends on the
 * number, for the ports of one address are soon all used. */
int open_connection(const struct plan *plan, size_t number, int flags);

/* Echoes through sockets, and through the pipes that are descriptors 3 and 4. Both
 * measure the messages after the first ones. */
void run_sockets(const struct plan *plan, struct span *span);
void run_pipes(const struct plan *plan, struct span *span);

#endif

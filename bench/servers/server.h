/* What the servers in C share. */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum way { WAY_TCP, WAY_UDP, WAY_PIPE };

/* Ends the program with a message about errno. */
_Noreturn void fail(const char *what);

/* Allows as many descriptors as there may be, and reads the command line. */
enum way server_way(int argc, char **argv, size_t *size);

/* A non-blocking socket on a port of its own, whose address it prints. */
int server_listen(enum way way);

#endif

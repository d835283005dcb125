#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

enum way server_way(int argc, char **argv, size_t *size) {
  static const char *const ways[] = {[WAY_TCP] = "tcp", [WAY_UDP] = "udp", [WAY_PIPE] = "pipe"};
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  for (enum way way = WAY_TCP; argc >= 3 && way <= WAY_PIPE; way++) {
    if (strcmp(argv[1], ways[way]) != 0) continue;
    *size = strtoul(argv[2], NULL, 10);
    return way;
  }
  fprintf(stderr, "usage: %s tcp|udp|pipe SIZE\n", argv[0]);
  exit(2);
}

int server_listen(enum way way) {
  int type = way == WAY_UDP ? SOCK_DGRAM : SOCK_STREAM;
  int number = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (number < 0) fail("socket");
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(number, (struct sockaddr *)&address, length) < 0) fail("bind");
  if (way == WAY_TCP && listen(number, SOMAXCONN) < 0) fail("listen");
  if (getsockname(number, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  printf("127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return number;
}

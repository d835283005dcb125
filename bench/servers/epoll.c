/* The echo server that all others are compared with: C on epoll.
 *
 *     epoll tcp|udp|pipe SIZE
 *
 * SIZE is how much is read at once. Prints its address; for pipe, it echoes from
 * descriptor 0 to 1. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

enum { EVENTS = 1024 };

struct connection {
  int number;
  size_t length, written; /* of what could not be written at once */
  char *unwritten;
};

struct server {
  int epoll;
  struct connection listener;
  char *buffer;
  size_t size;
};

static void watch(struct server *server, struct connection *connection, int operation,
                  unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(server->epoll, operation, connection->number, &event) < 0) fail("epoll_ctl");
}

static void accept_some(struct server *server) {
  int number;
  while ((number = accept4(server->listener.number, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >=
         0) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) fail("calloc");
    connection->number = number;
    watch(server, connection, EPOLL_CTL_ADD, EPOLLIN);
  }
  if (errno != EAGAIN) fail("accept4");
}

static void close_connection(struct connection *connection) {
  close(connection->number);
  free(connection->unwritten);
  free(connection);
}

/* What the socket does not take is kept, and nothing is read until it is written. */
static void echo(struct server *server, struct connection *connection) {
  ssize_t length = recv(connection->number, server->buffer, server->size, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    close_connection(connection);
    return;
  }
  ssize_t written = send(connection->number, server->buffer, (size_t)length, MSG_NOSIGNAL);
  if (written == length) return;
  if (written < 0 && errno != EAGAIN) {
    close_connection(connection);
    return;
  }
  if (written < 0) written = 0;
  connection->written = 0;
  connection->length = (size_t)(length - written);
  connection->unwritten = malloc(connection->length);
  if (connection->unwritten == NULL) fail("malloc");
  memcpy(connection->unwritten, server->buffer + written, connection->length);
  watch(server, connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static void write_rest(struct server *server, struct connection *connection) {
  ssize_t written = send(connection->number, connection->unwritten + connection->written,
                         connection->length - connection->written, MSG_NOSIGNAL);
  if (written < 0 && errno == EAGAIN) return;
  if (written < 0) {
    close_connection(connection);
    return;
  }
  connection->written += (size_t)written;
  if (connection->written < connection->length) return;
  free(connection->unwritten);
  connection->unwritten = NULL;
  watch(server, connection, EPOLL_CTL_MOD, EPOLLIN);
}

static void echo_datagrams(struct server *server) {
  struct sockaddr_in sender;
  for (;;) {
    socklen_t length = sizeof sender;
    ssize_t count = recvfrom(server->listener.number, server->buffer, server->size, 0,
                             (struct sockaddr *)&sender, &length);
    if (count < 0) return;
    sendto(server->listener.number, server->buffer, (size_t)count, 0, (struct sockaddr *)&sender,
           length);
  }
}

static _Noreturn void serve(struct server *server, bool datagrams) {
  struct epoll_event events[EVENTS];
  watch(server, &server->listener, EPOLL_CTL_ADD, EPOLLIN);
  for (;;) {
    int count = epoll_wait(server->epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (connection == &server->listener && datagrams)
        echo_datagrams(server);
      else if (connection == &server->listener)
        accept_some(server);
      else if (connection->unwritten != NULL)
        write_rest(server, connection);
      else
        echo(server, connection);
    }
  }
}

static void serve_pipe(struct server *server) {
  struct epoll_event event;
  struct connection input = {.number = STDIN_FILENO};
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  watch(server, &input, EPOLL_CTL_ADD, EPOLLIN);
  for (;;) {
    ssize_t length = read(STDIN_FILENO, server->buffer, server->size);
    if (length < 0 && errno == EAGAIN)
      epoll_wait(server->epoll, &event, 1, -1);
    else if (length <= 0)
      return;
    else if (write(STDOUT_FILENO, server->buffer, (size_t)length) != length)
      fail("write");
  }
}

int main(int argc, char **argv) {
  struct server server;
  enum way way = server_way(argc, argv, &server.size);
  server.buffer = malloc(server.size);
  server.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (way == WAY_PIPE) {
    serve_pipe(&server);
    return 0;
  }
  server.listener.number = server_listen(way);
  server.listener.unwritten = NULL;
  serve(&server, way == WAY_UDP);
}

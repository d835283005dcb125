/* Messages over many sockets at once, each echoed by the server. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { EVENTS = 1024 };

struct connection {
  int number;
  size_t sent, received; /* of the message under way */
};

struct load {
  const struct plan *plan;
  int epoll;
  char *message, *buffer;
  struct connection *connections;
  size_t opened;          /* so many connections were opened so far */
  size_t started, echoed; /* messages */
};

/* Source addresses: 127.0.0.2 and so on. */
enum { SOURCES = 200 };

int open_connection(const struct plan *plan, size_t number, int flags) {
  int descriptor = socket(AF_INET, plan->type | SOCK_CLOEXEC | flags, 0);
  if (descriptor < 0) fail("socket");
  struct sockaddr_in source = {.sin_family = AF_INET};
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number % SOURCES));
  int late = 1; /* the port is to be chosen by connect, which knows more */
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
  if (bind(descriptor, (struct sockaddr *)&source, sizeof source) < 0) fail("bind");
  const struct sockaddr *server = (const struct sockaddr *)&plan->server;
  if (connect(descriptor, server, sizeof plan->server) < 0 && errno != EINPROGRESS) fail("connect");
  return descriptor;
}

/* Edge-triggered, and both events at once: then no message needs an epoll_ctl. */
static void open_into(struct load *load, struct connection *connection) {
  int flags = load->plan->reconnects ? SOCK_NONBLOCK : 0;
  connection->number = open_connection(load->plan, load->opened++, flags);
  connection->sent = connection->received = 0;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
  if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->number, &event) < 0) fail("epoll_ctl");
}

/* Begins a message, and counts it; false when enough were begun. */
static bool start_message(struct load *load, struct connection *connection) {
  const struct plan *plan = load->plan;
  if (load->started >= plan->warm_up + plan->messages) return false;
  load->started++;
  connection->sent = 0;
  return true;
}

/* Sends what the socket takes. */
static void send_some(struct load *load, struct connection *connection) {
  size_t size = load->plan->size;
  for (;;) {
    if (connection->sent == size && !(load->plan->streams && start_message(load, connection)))
      return;
    ssize_t count = send(connection->number, load->message + connection->sent,
                         size - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (count < 0) fail("send");
    connection->sent += (size_t)count;
  }
}

static void message_echoed(struct load *load, struct connection *connection) {
  load->echoed++;
  connection->received = 0;
  if (load->plan->reconnects) {
    close(connection->number);
    connection->number = -1;
    if (start_message(load, connection)) open_into(load, connection);
  } else if (!load->plan->streams && start_message(load, connection)) {
    send_some(load, connection);
  }
}

/* Receives what there is. A short count says that there is no more. */
static void receive_some(struct load *load, struct connection *connection) {
  size_t size = load->plan->size;
  while (connection->number >= 0) {
    size_t wanted = load->plan->streams ? size : size - connection->received;
    ssize_t count = recv(connection->number, load->buffer, wanted, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (count < 0) fail("recv");
    if (count == 0) {
      errno = ECONNRESET;
      fail("the server closed a connection");
    }
    connection->received += (size_t)count;
    while (connection->number >= 0 && connection->received >= size) {
      size_t more = connection->received - size;
      message_echoed(load, connection);
      connection->received = more;
    }
    if ((size_t)count < wanted || !load->plan->streams) return;
  }
}

static void run_until(struct load *load, size_t echoed) {
  struct epoll_event events[EVENTS];
  while (load->echoed < echoed) {
    int count = epoll_wait(load->epoll, events, EVENTS, 0);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      send_some(load, connection);
      receive_some(load, connection);
    }
  }
}

static void prepare(struct load *load) {
  const struct plan *plan = load->plan;
  load->epoll = epoll_create1(EPOLL_CLOEXEC);
  load->message = malloc(plan->size);
  load->buffer = malloc(plan->size);
  load->connections = calloc(plan->connections, sizeof *load->connections);
  if (load->message == NULL || load->buffer == NULL || load->connections == NULL) fail("malloc");
  memset(load->message, 'x', plan->size);
}

void run_sockets(const struct plan *plan, struct span *span) {
  struct load load = {.plan = plan};
  prepare(&load);
  for (size_t i = 0; i < plan->connections; i++) {
    struct connection *connection = &load.connections[i];
    connection->sent = plan->size;
    if (start_message(&load, connection)) open_into(&load, connection);
  }
  run_until(&load, plan->warm_up);
  span_begin(span, plan->server_pid);
  run_until(&load, plan->warm_up + plan->messages);
  span_end(span, plan->server_pid);
}

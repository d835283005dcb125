/* An echo server in C on libuv's uv_poll_t, used plainly: what xpio is built of. See
 * epoll.c. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "server.h"

static char *buffer;
static size_t size;

struct connection {
  uv_poll_t poll;
  int number;
  size_t length, written; /* of what could not be written at once */
  char *unwritten;
};

static void on_closed(uv_handle_t *handle) {
  struct connection *connection = handle->data;
  close(connection->number);
  free(connection->unwritten);
  free(connection);
}

static void close_connection(struct connection *connection) {
  uv_close((uv_handle_t *)&connection->poll, on_closed);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void echo(struct connection *connection) {
  ssize_t length = recv(connection->number, buffer, size, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    close_connection(connection);
    return;
  }
  ssize_t written = send(connection->number, buffer, (size_t)length, MSG_NOSIGNAL);
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
  memcpy(connection->unwritten, buffer + written, connection->length);
  uv_poll_start(&connection->poll, UV_WRITABLE, on_event);
}

static void write_rest(struct connection *connection) {
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
  uv_poll_start(&connection->poll, UV_READABLE, on_event);
}

static void on_event(uv_poll_t *poll, int status, int events) {
  struct connection *connection = poll->data;
  (void)events;
  if (status < 0)
    close_connection(connection);
  else if (connection->unwritten != NULL)
    write_rest(connection);
  else
    echo(connection);
}

static void on_listener(uv_poll_t *poll, int status, int events) {
  const struct connection *listener = poll->data;
  int number;
  (void)status, (void)events;
  while ((number = accept4(listener->number, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) fail("calloc");
    connection->number = number;
    connection->poll.data = connection;
    if (uv_poll_init_socket(poll->loop, &connection->poll, number) != 0) fail("uv_poll_init");
    uv_poll_start(&connection->poll, UV_READABLE, on_event);
  }
}

static void on_datagrams(uv_poll_t *poll, int status, int events) {
  const struct connection *socket = poll->data;
  struct sockaddr_in sender;
  (void)status, (void)events;
  for (;;) {
    socklen_t length = sizeof sender;
    ssize_t count = recvfrom(socket->number, buffer, size, 0, (struct sockaddr *)&sender, &length);
    if (count < 0) return;
    sendto(socket->number, buffer, (size_t)count, 0, (struct sockaddr *)&sender, length);
  }
}

static void serve_pipe(uv_poll_t *poll, int status, int events) {
  (void)poll;
  (void)status, (void)events;
  for (;;) {
    ssize_t length = read(STDIN_FILENO, buffer, size);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) exit(0);
    if (write(STDOUT_FILENO, buffer, (size_t)length) != length) fail("write");
  }
}

int main(int argc, char **argv) {
  static struct connection listener;
  enum way way = server_way(argc, argv, &size);
  uv_poll_cb on_readable[] = {
      [WAY_TCP] = on_listener, [WAY_UDP] = on_datagrams, [WAY_PIPE] = serve_pipe};
  buffer = malloc(size);
  listener.number = way == WAY_PIPE ? STDIN_FILENO : server_listen(way);
  listener.poll.data = &listener;
  uv_poll_init(uv_default_loop(), &listener.poll, listener.number);
  uv_poll_start(&listener.poll, UV_READABLE, on_readable[way]);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* An echo server in C on libuv's streams. See epoll.c. */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "server.h"

static char *buffer;
static size_t size;

struct rest {
  uv_write_t request;
  char data[];
};

static void on_close(uv_handle_t *handle) {
  free(handle);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *result) {
  (void)handle, (void)suggested;
  *result = uv_buf_init(buffer, (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *read);

static uv_stream_t *output_of(uv_stream_t *input) {
  return input->data != NULL ? input->data : input;
}

static void on_written(uv_write_t *request, int status) {
  uv_stream_t *input = request->data;
  if (status == 0) uv_read_start(input, on_allocate, on_read);
  free(request);
}

/* What the stream does not take is kept, and nothing is read until it is written. */
static void on_read(uv_stream_t *input, ssize_t length, const uv_buf_t *read) {
  if (length == 0) return;
  if (length < 0) {
    uv_close((uv_handle_t *)input, on_close);
    return;
  }
  uv_buf_t data = uv_buf_init(read->base, (unsigned)length);
  int written = uv_try_write(output_of(input), &data, 1);
  if (written == length) return;
  if (written < 0 && written != UV_EAGAIN) {
    uv_close((uv_handle_t *)input, on_close);
    return;
  }
  if (written < 0) written = 0;
  size_t left = (size_t)(length - written);
  struct rest *rest = malloc(sizeof *rest + left);
  if (rest == NULL) fail("malloc");
  memcpy(rest->data, read->base + written, left);
  rest->request.data = input;
  data = uv_buf_init(rest->data, (unsigned)left);
  uv_read_stop(input);
  uv_write(&rest->request, output_of(input), &data, 1, on_written);
}

static void on_connection(uv_stream_t *listener, int status) {
  if (status < 0) return;
  uv_tcp_t *stream = malloc(sizeof *stream);
  if (stream == NULL) fail("malloc");
  uv_tcp_init(listener->loop, stream);
  stream->data = NULL;
  if (uv_accept(listener, (uv_stream_t *)stream) == 0)
    uv_read_start((uv_stream_t *)stream, on_allocate, on_read);
  else
    uv_close((uv_handle_t *)stream, on_close);
}

static void on_datagram(uv_udp_t *socket, ssize_t length, const uv_buf_t *read,
                        const struct sockaddr *sender, unsigned flags) {
  (void)flags;
  if (length < 0 || sender == NULL) return;
  uv_buf_t data = uv_buf_init(read->base, (unsigned)length);
  uv_udp_try_send(socket, &data, 1, sender);
}

int main(int argc, char **argv) {
  static union {
    uv_tcp_t tcp;
    uv_udp_t udp;
    uv_pipe_t pipe;
  } listener, output;
  uv_loop_t *loop = uv_default_loop();
  enum way way = server_way(argc, argv, &size);
  buffer = malloc(size);
  switch (way) {
  case WAY_TCP:
    uv_tcp_init(loop, &listener.tcp);
    uv_tcp_open(&listener.tcp, server_listen(way));
    uv_listen((uv_stream_t *)&listener.tcp, 4096, on_connection);
    break;
  case WAY_UDP:
    uv_udp_init(loop, &listener.udp);
    uv_udp_open(&listener.udp, server_listen(way));
    uv_udp_recv_start(&listener.udp, on_allocate, on_datagram);
    break;
  case WAY_PIPE: {
    uv_pipe_t *input = malloc(sizeof *input);
    if (input == NULL) fail("malloc");
    uv_pipe_init(loop, input, 0);
    uv_pipe_init(loop, &output.pipe, 0);
    uv_pipe_open(input, 0);
    uv_pipe_open(&output.pipe, 1);
    input->data = &output.pipe;
    uv_read_start((uv_stream_t *)input, on_allocate, on_read);
    uv_unref((uv_handle_t *)&output.pipe);
  }
  }
  return uv_run(loop, UV_RUN_DEFAULT);
}

/* Pipes and consoles on Windows. Neither can be polled: libuv reads and writes them as
 * streams, and in these terms a stream here behaves as if it could.
 *
 * To learn that a pipe has something to read, it is read without room: libuv then waits
 * for data, but takes none. A console is read by the line, which then is kept here.
 * What is written is copied and handed to libuv, a piece at a time: a stream is writable
 * when the last piece has arrived, and what went wrong with it the next call tells. */
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "../loop.h"
#include "internal.h"

enum {
  LONGEST_PIECE = 64 * 1024,
  LINE_SIZE = 8 * 1024,
  /* Each pipe that is waited for has a thread of Windows' pool, which has 512: without
   * one, what is written would not arrive either. */
  MOST_READING = 400,
  /* How long closing waits for what was written to arrive, milliseconds: that of a
   * stream, that of the loop. */
  CLOSE_PATIENCE = 100,
  END_PATIENCE = 1000
};

/* What is on its way. */
struct output {
  uv_write_t request;
  bool busy;
  int error; /* what has gone wrong stays wrong */
  char data[LONGEST_PIECE];
};

/* A line from a console. */
struct line {
  size_t start, end;
  char data[LINE_SIZE];
};

struct stream {
  struct xpio_watcher watcher; /* the first member */
  struct stream *next, **link; /* in the list of the loop's */
  int number;
  bool reading;          /* libuv is to tell when there is something */
  bool ended;            /* there will be nothing any more */
  bool closing;          /* its descriptor is closed */
  struct output *output; /* null until something is written */
  struct line *line;     /* null for pipes */
};

_Static_assert(offsetof(struct stream, watcher) == 0, "the loop's list is one of streams");

static struct stream *stream_of(const struct xpio_descriptor *descriptor) {
  return (struct stream *)descriptor->watcher;
}

static uv_stream_t *handle_of(struct stream *stream) {
  return &stream->watcher.handle.stream;
}

static struct stream *first_of(const struct xpio_loop *loop) {
  return (struct stream *)loop->watchers;
}

static void insert(struct xpio_loop *loop, struct stream *stream) {
  stream->next = first_of(loop);
  stream->link = (struct stream **)&loop->watchers;
  if (stream->next != NULL) stream->next->link = &stream->next;
  loop->watchers = &stream->watcher;
}

static void on_closed(uv_handle_t *handle) {
  struct stream *stream = handle->data;
  struct xpio_loop *loop = stream->watcher.loop;
  *stream->link = stream->next;
  if (stream->next != NULL) stream->next->link = stream->link;
  free(stream->output);
  free(stream->line);
  free(stream);
  xpio_loop_handle_closed(loop);
}

static bool is_busy(const struct stream *stream) {
  return stream->output != NULL && stream->output->busy;
}

static void report(struct stream *stream, int event) {
  struct xpio_watcher *watcher = &stream->watcher;
  if (stream->closing || !(watcher->interest & event)) return;
  watcher->interest &= ~event;
  watcher->report(watcher->owner, event, event);
}

static void stop_reading(struct stream *stream) {
  if (stream->reading) uv_read_stop(handle_of(stream));
  stream->reading = false;
}

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
  struct stream *stream = handle->data;
  (void)size;
  *buffer = stream->line == NULL ? uv_buf_init(NULL, 0)
                                 : uv_buf_init(stream->line->data, sizeof stream->line->data);
}

/* UV_ENOBUFS says that there would have been something. */
static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer) {
  struct stream *stream = handle->data;
  (void)buffer;
  if (count == 0) return;
  if (count > 0) {
    stream->line->start = 0;
    stream->line->end = (size_t)count;
  }
  if (count == UV_EOF || count == UV_EPIPE) stream->ended = true;
  stop_reading(stream);
  report(stream, XPIO_READABLE);
}

static bool has_line(const struct stream *stream) {
  return stream->line != NULL && stream->line->start < stream->line->end;
}

static int count_reading(const struct stream *stream) {
  int count = 0;
  for (; stream != NULL; stream = stream->next) count += stream->reading;
  return count;
}

/* Returns 0, an error, or XPIO_ALWAYS_READY. */
static int start_reading(struct stream *stream) {
  if (stream->ended || has_line(stream)) return XPIO_ALWAYS_READY;
  if (stream->reading) return 0;
  if (stream->line == NULL && count_reading(first_of(stream->watcher.loop)) >= MOST_READING)
    return UV_EMFILE;
  int error = uv_read_start(handle_of(stream), give_room, on_read);
  stream->reading = error == 0;
  return error;
}

static int open_pipe(struct stream *stream, struct xpio_descriptor *descriptor) {
  uv_pipe_t *pipe = &stream->watcher.handle.pipe;
  uv_pipe_init(descriptor->loop->uv, pipe, 0);
  return uv_pipe_open(pipe, descriptor->number);
}

static int open_console(struct stream *stream, struct xpio_descriptor *descriptor) {
  stream->line = calloc(1, sizeof *stream->line);
  if (stream->line == NULL) return UV_ENOMEM;
  return uv_tty_init(descriptor->loop->uv, &stream->watcher.handle.console, descriptor->number,
                     (descriptor->modes & XPIO_READABLE) != 0);
}

/* From here on libuv has the descriptor, and closes it with the stream. */
static int open_stream(struct xpio_descriptor *descriptor, struct stream **result) {
  *result = stream_of(descriptor);
  if (*result != NULL) return 0;
  struct stream *stream = calloc(1, sizeof *stream);
  if (stream == NULL) return UV_ENOMEM;
  bool console = descriptor->kind == XPIO_KIND_TERMINAL;
  int error = console ? open_console(stream, descriptor) : open_pipe(stream, descriptor);
  if (error < 0 && console) {
    free(stream->line);
    free(stream);
    return error;
  }
  insert(descriptor->loop, stream);
  stream->watcher.loop = descriptor->loop;
  xpio_loop_add_handle(stream->watcher.loop, &stream->watcher.handle.any);
  stream->watcher.handle.any.data = stream;
  stream->closing = error < 0;
  if (error < 0) {
    uv_close(&stream->watcher.handle.any, on_closed);
    return error;
  }
  stream->number = descriptor->number;
  descriptor->watcher = &stream->watcher;
  *result = stream;
  return 0;
}

int xpio_windows_watch_stream(struct xpio_descriptor *descriptor, int interest,
                              xpio_report *on_event, void *owner) {
  struct stream *stream;
  int result = open_stream(descriptor, &stream);
  if (result < 0) return result;
  stream->watcher.report = on_event;
  stream->watcher.owner = owner;
  stream->watcher.interest = interest;
  if (interest & XPIO_READABLE)
    result = start_reading(stream);
  else
    stop_reading(stream);
  bool writable = (interest & XPIO_WRITABLE) && !is_busy(stream);
  return result == 0 && writable ? XPIO_ALWAYS_READY : result;
}

static ptrdiff_t read_line(struct stream *stream, char *buffer, size_t size) {
  struct line *line = stream->line;
  if (!has_line(stream)) return stream->ended ? 0 : UV_EAGAIN;
  size_t left = line->end - line->start;
  if (size > left) size = left;
  memcpy(buffer, line->data + line->start, size);
  line->start += size;
  return (ptrdiff_t)size;
}

/* A pipe that libuv is waiting for in another thread can do nothing else meanwhile. */
ptrdiff_t xpio_windows_read_stream(struct xpio_descriptor *descriptor, char *buffer, size_t size) {
  struct stream *stream = stream_of(descriptor);
  if (stream != NULL && stream->line != NULL) return read_line(stream, buffer, size);
  if (descriptor->kind == XPIO_KIND_TERMINAL && !descriptor->blocking) return UV_EAGAIN;
  bool reading = stream != NULL && stream->reading;
  if (reading) stop_reading(stream);
  ptrdiff_t count = xpio_windows_read_pipe(descriptor, buffer, size);
  if (reading) start_reading(stream);
  return count;
}

/* 1.50 says EAGAIN of a pipe that nobody reads any more. */
static void on_written(uv_write_t *request, int status) {
  struct stream *stream = request->data;
  bool gone = status == UV_EAGAIN || status == UV_EOF;
  stream->output->busy = false;
  if (status < 0) stream->output->error = gone ? UV_EPIPE : status;
  if (stream->closing) {
    uv_close(&stream->watcher.handle.any, on_closed);
    return;
  }
  bool wants = (stream->watcher.interest & XPIO_READABLE) != 0;
  if (wants && start_reading(stream) != 0) report(stream, XPIO_READABLE);
  report(stream, XPIO_WRITABLE);
}

static size_t gather(char *data, const uv_buf_t *buffers, unsigned count) {
  size_t size = 0;
  for (unsigned i = 0; i < count && size < LONGEST_PIECE; i++) {
    size_t room = LONGEST_PIECE - size;
    size_t length = buffers[i].len < room ? buffers[i].len : room;
    memcpy(data + size, buffers[i].base, length);
    size += length;
  }
  return size;
}

static int start_writing(struct stream *stream, size_t size) {
  struct output *output = stream->output;
  uv_buf_t piece = uv_buf_init(output->data, (unsigned)size);
  output->request.data = stream;
  int error = uv_write(&output->request, handle_of(stream), &piece, 1, on_written);
  output->busy = error == 0;
  return error == UV_EAGAIN ? UV_EPIPE : error;
}

/* A pipe that goes both ways is not read until this has arrived: see read_stream. And
 * of one that others write to, too, it is not asked whether anybody reads it: that
 * would wait for their writes. */
static ptrdiff_t write_pipe(struct stream *stream, bool foreign, const uv_buf_t *buffers,
                            unsigned count) {
  if (stream->output == NULL) stream->output = calloc(1, sizeof *stream->output);
  struct output *output = stream->output;
  if (output == NULL) return UV_ENOMEM;
  if (output->error < 0) return output->error;
  if (output->busy) return UV_EAGAIN;
  size_t size = gather(output->data, buffers, count);
  if (size == 0) return 0;
  bool reading = stream->reading;
  stop_reading(stream);
  bool alone = !foreign && xpio_windows_is_alone((HANDLE)uv_get_osfhandle(stream->number));
  int error = alone ? UV_EPIPE : start_writing(stream, size);
  if (error == 0) return (ptrdiff_t)size;
  if (reading) start_reading(stream);
  return error;
}

ptrdiff_t xpio_windows_write_stream(struct xpio_descriptor *descriptor, const uv_buf_t *buffers,
                                    unsigned count) {
  struct stream *stream = stream_of(descriptor);
  if (descriptor->blocking) {
    /* After what is on its way. */
    while (stream != NULL && is_busy(stream)) {
      if (!xpio_loop_may_run(descriptor->loop)) return UV_EAGAIN;
      xpio_loop_pass(descriptor->loop, XPIO_FOREVER);
    }
    return xpio_windows_write_pipe(descriptor, buffers);
  }
  int error = open_stream(descriptor, &stream);
  if (error < 0) return error;
  if (descriptor->kind == XPIO_KIND_TERMINAL)
    return uv_try_write(handle_of(stream), buffers, count);
  return write_pipe(stream, descriptor->foreign, buffers, count);
}

bool xpio_windows_is_busy(const struct xpio_descriptor *descriptor) {
  const struct stream *stream = stream_of(descriptor);
  return stream != NULL && is_busy(stream);
}

/* Until when closing may run the loop. That of a host it may not: the host does not
 * expect its callbacks to be called out of here. */
static uint64_t deadline_in(const struct xpio_loop *loop, int milliseconds) {
  bool may_run = xpio_loop_is_own(loop) && xpio_loop_may_run(loop);
  return uv_hrtime() + (may_run ? (uint64_t)milliseconds * 1000000 : 0);
}

/* uv_close would lose what is on its way. It nearly always arrives at once, and whoever
 * reads it may be waited for next, by a call that does not run the loop; otherwise its
 * callback closes the stream. */
void xpio_windows_close_stream(struct xpio_descriptor *descriptor) {
  struct stream *stream = stream_of(descriptor);
  if (stream == NULL) {
    _close(descriptor->number);
    return;
  }
  descriptor->watcher = NULL;
  stream->watcher.interest = 0;
  stop_reading(stream);
  uint64_t deadline = deadline_in(descriptor->loop, CLOSE_PATIENCE);
  for (uint64_t now = uv_hrtime(); is_busy(stream) && now < deadline; now = uv_hrtime())
    xpio_loop_pass(descriptor->loop, deadline - now);
  stream->closing = true;
  if (!is_busy(stream)) uv_close(&stream->watcher.handle.any, on_closed);
}

static bool start_again(struct stream *stream) {
  return uv_read_start(handle_of(stream), give_room, on_read) == 0;
}

void xpio_windows_pause_streams(struct xpio_loop *loop) {
  for (struct stream *stream = first_of(loop); stream != NULL; stream = stream->next)
    if (stream->reading) uv_read_stop(handle_of(stream));
}

/* Not consoles, whose next line may be meant for the child: a task that waits for one is
 * woken and has to begin again. */
void xpio_windows_resume_streams(struct xpio_loop *loop) {
  for (struct stream *stream = first_of(loop); stream != NULL; stream = stream->next) {
    if (!stream->reading) continue;
    stream->reading = stream->line == NULL && start_again(stream);
    if (!stream->reading) report(stream, XPIO_READABLE);
  }
}

uv_stream_t *xpio_windows_find_stream(struct xpio_loop *loop, int number) {
  struct stream *stream = first_of(loop);
  while (stream != NULL && (stream->closing || stream->number != number)) stream = stream->next;
  return stream != NULL ? handle_of(stream) : NULL;
}

static bool any_busy(const struct xpio_loop *loop) {
  const struct stream *stream = first_of(loop);
  while (stream != NULL && !is_busy(stream)) stream = stream->next;
  return stream != NULL;
}

/* What is on its way may arrive yet; but a reader that does not read cannot keep us. On
 * the loop of a host it goes on, and its callback closes the stream. */
void xpio_system_close_watchers(struct xpio_loop *loop) {
  if (!xpio_loop_is_own(loop)) return;
  uint64_t deadline = deadline_in(loop, END_PATIENCE);
  for (uint64_t now = uv_hrtime(); any_busy(loop) && now < deadline; now = uv_hrtime())
    xpio_loop_pass(loop, deadline - now);
  for (struct stream *stream = first_of(loop); stream != NULL; stream = stream->next) {
    if (!is_busy(stream)) continue;
    stream->closing = false; /* its callback need not close it any more */
    CancelIoEx((HANDLE)uv_get_osfhandle(stream->number), NULL);
    uv_close(&stream->watcher.handle.any, on_closed);
  }
}

void xpio_system_free_watchers(struct xpio_loop *loop) {
  (void)loop;
}

/* A host's loop on which it watches what gets the number of a descriptor that Lua has
 * waited for and closed. xpio once kept the watcher of that for its own next descriptor
 * with the number, and closing it ended the watching of whatever had the number then. */
#include <unistd.h>

#include "embed.h"

static bool readable;

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)events;
  readable = status == 0;
  uv_poll_stop(poll);
}

/* The number of a socket that a task has waited for, and that is closed. */
static int used_number(lua_State *L) {
  run(L, "local xpio = require 'xpio' "
         "local a, b = xpio.socketpair() "
         "local queue = xpio.tqueue() "
         "a:when_read { _queue = queue } "
         "queue:wait(0) "
         "number = a:fileno() "
         "a:close() b:close()");
  lua_getglobal(L, "number");
  return (int)lua_tointeger(L, -1);
}

int main(void) {
  uv_loop_t loop;
  uv_poll_t poll;
  int pipe_ends[2];
  uv_loop_init(&loop);
  lua_State *L = new_state();
  xpio_use_loop(L, &loop);
  int number = used_number(L);
  check(pipe(pipe_ends) == 0 && pipe_ends[0] == number, "the host gets the number");
  check(uv_poll_init(&loop, &poll, number) == 0 &&
            uv_poll_start(&poll, UV_READABLE, on_readable) == 0,
        "and watches what has it now");
  uv_run(&loop, UV_RUN_NOWAIT);
  lua_close(L);
  uv_run(&loop, UV_RUN_NOWAIT);
  check(write(pipe_ends[1], "x", 1) == 1, "after lua_close something comes");
  uv_run(&loop, UV_RUN_NOWAIT);
  check(readable, "the host is told");
  uv_close((uv_handle_t *)&poll, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0, "nothing is left on the loop");
  return finish();
}

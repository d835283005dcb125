/* A host and Lua, and the number of one descriptor after the other. */
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

/* xpio once kept the watcher of a closed descriptor for its own next one with that number,
 * and closing it ended the watching of whatever had the number then. */
static void test_number_that_the_host_gets(void) {
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
}

/* The kernel goes on watching the description, which has another number by now. */
static void test_number_that_the_host_closes(void) {
  lua_State *L = new_state();
  run(L, "xpio = require 'xpio' "
         "queue = xpio.tqueue() "
         "a, b = xpio.socketpair() "
         "shared = xpio.fdopen(a:fileno()) "
         "shared:when_read { _queue = queue } "
         "number = shared:fileno()");
  lua_getglobal(L, "number");
  int number = (int)lua_tointeger(L, -1), duplicate = dup(number);
  check(duplicate >= 0 && close(number) == 0, "the host closes a number that Lua waits for");
  check(run(L, "shared:close() shared = nil collectgarbage() "
               "b:write 'x' "
               "return #queue:wait() == 1 and #queue:wait(0) == 0"),
        "what comes then is no one's, and does no harm");
  check(run(L, "local used = os.clock() "
               "return #queue:wait(0.3) == 0 and os.clock() - used < 0.15"),
        "a wait sleeps although it goes on to come");
  check(run(L, "shared = xpio.fdopen(a:fileno()) "
               "return shared:fileno() == number and shared:when_read { _queue = queue } "
               "and #queue:wait() == 1 and shared:read(9) == 'x'"),
        "and what gets the number next is watched as ever");
  lua_close(L);
  close(duplicate);
}

int main(void) {
  test_number_that_the_host_gets();
  test_number_that_the_host_closes();
  return finish();
}

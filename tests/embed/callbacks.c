/* Callbacks of the host's that call Lua. */
#include "embed.h"

static lua_State *state;
static bool called, result;
static const char *code;

static void on_timer(uv_timer_t *timer) {
  result = run_inside(state, code);
  called = true;
  uv_close((uv_handle_t *)timer, NULL);
}

static void on_timer_without_entering(uv_timer_t *timer) {
  result = run(state, code);
  called = true;
  uv_close((uv_handle_t *)timer, NULL);
}

static void start(uv_timer_t *timer, uv_loop_t *loop, uv_timer_cb callback, const char *text) {
  code = text;
  called = false;
  uv_timer_init(loop, timer);
  uv_timer_start(timer, callback, 0, 0);
}

/* Runs Lua code in a callback of a timer, the loop being run by the host. */
static bool run_in_callback(uv_loop_t *loop, const char *text) {
  uv_timer_t timer;
  start(&timer, loop, on_timer, text);
  while (!called) uv_run(loop, UV_RUN_ONCE);
  uv_run(loop, UV_RUN_NOWAIT); /* closes the timer */
  return result;
}

/* The same while Lua waits, and so runs the loop itself. */
static bool run_while_waiting(uv_loop_t *loop, uv_timer_cb callback, const char *text) {
  uv_timer_t timer;
  start(&timer, loop, callback, text);
  run(state, "require 'xpio'.tqueue():wait(0.02)");
  uv_run(loop, UV_RUN_NOWAIT);
  return called && result;
}

/* Globals of the state: a queue with a task that waits for a socket, and that with one
 * that is ready. */
static void prepare(uv_loop_t *loop) {
  state = new_state();
  xpio_use_loop(state, loop);
  run(state, "xpio = require 'xpio' "
             "queue, ready = xpio.tqueue(), xpio.tqueue() "
             "a, b = xpio.socketpair() "
             "a:when_read {_queue = queue} "
             "b:when_write {_queue = ready} "
             "function refuses(f, ...) "
             "  local ok, message = pcall(f, ...) "
             "  return not ok and message:find 'the host runs this loop' ~= nil "
             "end");
}

int main(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  prepare(&loop);
  uv_run(&loop, UV_RUN_NOWAIT);
  check(run_inside(state, "return #ready:wait(0) == 1"), "wait returns the tasks that are ready");
  check(run_inside(state, "return #queue:wait(0) == 0"), "or none, without waiting");
  check(run_inside(state, "return refuses(queue.wait, queue)"),
        "a wait that would block is refused");
  check(run_inside(state, "return refuses(queue.wait, queue, 0.001)"), "also one with a timeout");
  check(run_inside(state, "return xpio.tqueue():wait() == nil"), "a wait for nothing returns nil");
  check(run_inside(state, "return refuses(a.read, a, 1)"), "a call that would block is refused");
  check(run_inside(state, "b:write 'x' return a:read(9) == 'x' and a:try_read(9) == nil"),
        "one that would not is done");
  check(run_inside(state, "b:write 'y' return a:read(9) == 'y'"), "after a short read too");
  check(run_inside(state, "xpio.setCurrentTask {_queue = ready} "
                          "local co = coroutine.create(function() got = a:read(9) end) "
                          "coroutine.resume(co) "
                          "xpio.setCurrentTask() "
                          "return coroutine.status(co) == 'suspended' and not ready:isEmpty()"),
        "a blocking call in a coroutine suspends it");
  xpio_enter(state);
  check(run_inside(state, "return refuses(queue.wait, queue)"), "entering may be nested");
  check(run(state, "return refuses(queue.wait, queue)"),
        "leaving the inner one does not leave all");
  xpio_leave(state);
  check(run(state, "return #xpio.tqueue():wait(0.001) == 0"), "after leaving a wait waits");
  xpio_leave(state);
  check(run_inside(state, "return refuses(a.read, a, 1)"), "leaving once too often does nothing");

  run(state,
      "queue = xpio.tqueue() ready = xpio.tqueue() a, b = xpio.socketpair() collectgarbage()");
  check(run_in_callback(&loop, "a:when_read {_queue = queue} return refuses(queue.wait, queue)"),
        "a timer's callback runs Lua whose wait would block");
  check(run_in_callback(&loop, "return refuses(a.read, a, 1)"), "and Lua whose read would");
  check(run_in_callback(&loop, "b:when_write {_queue = ready} return #ready:wait(0) == 0"),
        "a wait there does not run the loop");
  while (!xpio_is_ready(state)) uv_run(&loop, UV_RUN_ONCE);
  check(run_inside(state, "return #ready:wait(0) == 1"), "the host does");
  check(run_in_callback(&loop, "local reader "
                               "reader, writer = xpio.pipe() "
                               "local child = xpio.spawn({'cat'}, nil, {[0] = reader}) "
                               "local task = {_queue = ready} "
                               "return child:when_wait(task) and refuses(ready.wait, ready)"),
        "a callback may start a child and schedule a task for its end");
  run(state, "writer:close()");
  while (!xpio_is_ready(state)) uv_run(&loop, UV_RUN_ONCE);
  check(run_inside(state, "return #ready:wait() == 1"), "which comes in the host's loop");

  check(run_while_waiting(&loop, on_timer, "return refuses(queue.wait, queue)"),
        "a callback that is called out of a wait in Lua cannot wait either");
  check(run_while_waiting(&loop, on_timer_without_entering, "return refuses(queue.wait, queue)"),
        "also when it forgot to enter");
  lua_close(state);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0, "nothing is left on the loop");
  return finish();
}

/* A Lua state on the host's loop. */
#include "embed.h"

static int ticks;

static void on_tick(uv_timer_t *timer) {
  if (++ticks == 3) uv_timer_stop(timer);
}

static void start_ticking(uv_timer_t *timer, uv_loop_t *loop) {
  ticks = 0;
  uv_timer_init(loop, timer);
  uv_timer_start(timer, on_tick, 1, 1);
}

/* Closes what is on the loop, which then can be closed. */
static bool close_loop(uv_loop_t *loop) {
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop) == 0;
}

static void test_which_loop(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  lua_State *L = new_state();
  check(xpio_loop(L) == NULL, "a state has no loop before the module is loaded");
  check(!xpio_is_waiting(L) && !xpio_is_ready(L), "nothing waits then, nor is ready");
  check(xpio_use_loop(L, &loop) == 0, "a host gives its loop before");
  run(L, "require 'xpio'");
  check(xpio_loop(L) == &loop, "the state uses that loop");
  check(xpio_use_loop(L, &loop) == UV_EBUSY, "it is too late for that afterwards");
  check(xpio_leave_sigint(L) == UV_EBUSY, "and for leaving SIGINT alone");
  lua_close(L);
  check(close_loop(&loop), "after lua_close the host runs its loop and can close it");
  L = new_state();
  run(L, "require 'xpio'");
  check(xpio_loop(L) != NULL && xpio_loop(L) != &loop, "without a host's loop it has its own");
  lua_close(L);
}

/* The host runs the loop: a task reads what another writes, with a timer in between. */
static void test_host_runs(void) {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_check_t dispatcher;
  uv_loop_init(&loop);
  lua_State *L = new_state();
  xpio_use_loop(L, &loop);
  start_dispatching(&dispatcher, L, &loop);
  start_ticking(&timer, &loop);
  run(L,
      "local xpio, dispatcher = require 'xpio', require 'xpio.dispatcher' "
      "local a, b = assert(xpio.socketpair()) "
      "dispatcher.start(function() for i = 1, 3 do a:write(i) assert(a:read(9)) end a:close() end) "
      "dispatcher.start(function() "
      "  got = '' "
      "  for _ = 1, 3 do got = got .. b:read(9) b:write 'next' end "
      "end)");
  check(xpio_is_waiting(L), "a task waits, and the host can ask");
  uv_run(&loop, UV_RUN_DEFAULT);
  check(run(L, "return got == '123'"), "tasks in Lua run on the loop that the host runs");
  check(ticks == 3, "and so do the host's timers");
  check(!xpio_is_waiting(L), "uv_run goes on until no task waits, and no longer");
  run(L, "reader = require 'xpio'.socketpair() require 'xpio.dispatcher'.start(function() "
         "reader:read(1) end)");
  check(uv_run(&loop, UV_RUN_NOWAIT) != 0, "the loop is alive while a task waits");
  run(L, "reader:close()");
  check(xpio_is_ready(L), "a task whose object is closed is ready");
  check(uv_run(&loop, UV_RUN_DEFAULT) == 0 && !xpio_is_waiting(L),
        "a task that became ready outside of the loop does not have to wait for an event");
  uv_close((uv_handle_t *)&timer, NULL);
  uv_close((uv_handle_t *)&dispatcher, NULL);
  lua_close(L);
  check(close_loop(&loop), "nothing is left on the loop");
}

/* Lua waits in the main line of the host: it is Lua that runs the loop. */
static void test_lua_runs(void) {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_loop_init(&loop);
  lua_State *L = new_state();
  xpio_use_loop(L, &loop);
  start_ticking(&timer, &loop);
  run(L, "local xpio = require 'xpio' queue = xpio.tqueue() queue:wait(0.05)");
  check(ticks == 3, "a wait in Lua runs the host's timers");
  check(run(L, "local xpio = require 'xpio' "
               "local a, b = xpio.socketpair() b:write 'x' return a:read(1) == 'x'"),
        "a blocking call outside of the loop waits");
  check(run(L, "return require 'xpio'.spawn({'true'}):wait() == 'exit'"), "also for a child");
  uv_close((uv_handle_t *)&timer, NULL);
  lua_close(L);
  check(close_loop(&loop), "nothing is left on the loop");
}

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal) {
  *(bool *)process->data = status == 0 && signal == 0;
  uv_close((uv_handle_t *)process, NULL);
}

/* The host has children of its own, on the same loop. */
static void test_children(void) {
  uv_loop_t loop;
  uv_process_t process;
  bool ended = false;
  uv_loop_init(&loop);
  lua_State *L = new_state();
  xpio_use_loop(L, &loop);
  char name[] = "true", *arguments[] = {name, NULL};
  uv_process_options_t options = {.file = name, .args = arguments, .exit_cb = on_exit_of_child};
  process.data = &ended;
  check(uv_spawn(&loop, &process, &options) == 0, "the host starts a child on the loop");
  check(run(L, "return require 'xpio'.spawn({'true'}):wait() == 'exit'"),
        "so does Lua, and waits for it");
  uv_run(&loop, UV_RUN_DEFAULT);
  check(ended, "each learns of its own");
  lua_close(L);
  check(close_loop(&loop), "nothing is left on the loop");
}

static void close_state(uv_timer_t *timer) {
  lua_close(timer->data);
  uv_close((uv_handle_t *)timer, NULL);
}

/* With everything that a state may have on its loop: tasks that wait, a child that runs,
 * and one that nobody waits for. */
static void test_closing_inside(void) {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_loop_init(&loop);
  lua_State *L = new_state();
  xpio_use_loop(L, &loop);
  bool good = run(L, "local xpio, dispatcher = require 'xpio', require 'xpio.dispatcher' "
                     "local a, b = xpio.socketpair() "
                     "local child = assert(xpio.spawn({'cat'}, nil, {[0] = b})) "
                     "dispatcher.start(function() a:read(1) end) "
                     "dispatcher.start(function() child:wait() end) "
                     "assert(xpio.spawn {'true'}) "
                     "return not require 'xpio'.tqueue():wait()");
  check(good, "a state has tasks and children on the loop");
  uv_timer_init(&loop, &timer);
  timer.data = L;
  uv_timer_start(&timer, close_state, 0, 0);
  check(close_loop(&loop), "lua_close in a callback of the loop leaves nothing behind");
}

/* What a host has left on the state's own loop it can still close, later. */
static void test_left_over(void) {
  static uv_timer_t timer;
  lua_State *L = new_state();
  run(L, "require 'xpio'");
  uv_timer_init(xpio_loop(L), &timer);
  lua_close(L);
  uv_loop_t *loop = timer.loop;
  uv_close((uv_handle_t *)&timer, NULL);
  check(close_loop(loop), "the loop stays while a handle of the host's is left on it");
}

/* The one too many must not count. */
static void test_leaving(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  lua_State *L = new_state();
  xpio_leave(L);
  xpio_use_loop(L, &loop);
  run(L, "xpio = require 'xpio'");
  xpio_leave(L);
  check(run(L, "return #xpio.tqueue():wait(0.001) == 0"),
        "leaving what was not entered does no harm");
  xpio_enter(L);
  check(run(L, "return not pcall(function() xpio.pipe():read(1) end)"),
        "nor does it let a wait run the loop inside of itself later");
  xpio_leave(L);
  lua_close(L);
  check(close_loop(&loop), "and the loop can be closed");
}

int main(void) {
  test_which_loop();
  test_host_runs();
  test_lua_runs();
  test_children();
  test_closing_inside();
  test_left_over();
  test_leaving();
  return finish();
}

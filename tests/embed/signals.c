/* What becomes of the host's signal handlers. */
#include "embed.h"

#include <setjmp.h>
#include <signal.h>

static volatile sig_atomic_t calls;
static sigjmp_buf before;

static void count(int number) {
  (void)number;
  calls++;
}

static void jump(int number) {
  (void)number;
  calls++;
  siglongjmp(before, 1);
}

static void set_action(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigaction(number, &action, NULL);
}

static bool has_action(int number, void (*handler)(int)) {
  struct sigaction action;
  sigaction(number, NULL, &action);
  return !(action.sa_flags & SA_SIGINFO) && action.sa_handler == handler;
}

static void raise_interrupt(uv_timer_t *timer) {
  raise(SIGINT);
  uv_close((uv_handle_t *)timer, NULL);
}

/* Whether a wait of so many seconds takes as long, with a SIGINT in it. */
static bool waits_through(lua_State *L, const char *seconds) {
  uv_timer_t timer;
  uv_timer_init(xpio_loop(L), &timer);
  uv_timer_start(&timer, raise_interrupt, 1, 0);
  lua_pushstring(L, seconds);
  lua_setglobal(L, "seconds");
  return run(L, "local xpio = require 'xpio' "
                "local start = xpio.gettime() "
                "xpio.tqueue():wait(tonumber(seconds)) "
                "return xpio.gettime() - start >= tonumber(seconds)");
}

static void test_default(void) {
  set_action(SIGINT, SIG_DFL);
  lua_State *L = new_state();
  run(L, "require 'xpio'");
  check(has_action(SIGINT, SIG_DFL), "a default action stays");
  check(has_action(SIGPIPE, SIG_IGN), "but that of SIGPIPE");
  lua_close(L);
}

static void test_ignored(void) {
  set_action(SIGINT, SIG_IGN);
  lua_State *L = new_state();
  run(L, "require 'xpio'.tqueue():wait(0)");
  check(has_action(SIGINT, SIG_IGN), "an ignored SIGINT stays ignored");
  check(waits_through(L, "0.05"), "and does not matter to a wait");
  lua_close(L);
}

/* Both kinds of handlers are in the same place, and so is SIG_IGN, whatever the flag says. */
static void test_ignored_with_flag(void) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGINT, &action, NULL);
  lua_State *L = new_state();
  run(L, "require 'xpio'");
  check(waits_through(L, "0.05"), "SA_SIGINFO makes no handler of an ignored SIGINT");
  lua_close(L);
}

static void test_handler(void) {
  set_action(SIGINT, count);
  set_action(SIGPIPE, count);
  calls = 0;
  lua_State *L = new_state();
  run(L, "require 'xpio'");
  check(!has_action(SIGINT, count), "a SIGINT handler is chained");
  check(has_action(SIGPIPE, count), "a SIGPIPE handler is left alone");
  check(!waits_through(L, "60") && calls == 1, "it is called, and ends a wait");
  lua_close(L);
  check(has_action(SIGINT, count), "lua_close puts it back");
}

/* Not in the pass of the loop that the signal ends, but in the next. */
static void write_late(uv_prepare_t *prepare) {
  static int passes;
  if (calls == 0 || ++passes < 2) return;
  uv_close((uv_handle_t *)prepare, NULL);
  run(prepare->data, "b:write 'late'");
}

static void count_with_details(int number, siginfo_t *info, void *context) {
  (void)info, (void)context;
  count(number);
}

static void count_ten_with_details(int number, siginfo_t *info, void *context) {
  (void)number, (void)info, (void)context;
  calls += 10;
}

static void set_detailed(void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGINT, &action, NULL);
}

/* As lua.c installs its handler anew for every line. The last test: a handler that has taken
 * the place of ours once is left alone for good. */
static void test_installed_anew(void) {
  set_detailed(count_with_details);
  calls = 0;
  lua_State *L = new_state();
  run(L, "require 'xpio'");
  set_detailed(count_with_details);
  check(!waits_through(L, "60") && calls == 1, "a handler that is installed anew is chained again");
  set_detailed(count_ten_with_details);
  check(waits_through(L, "0.05") && calls == 11, "another one is left alone");
  set_action(SIGINT, count);
  check(waits_through(L, "0.05") && calls == 12, "also one that is given no details");
  lua_close(L);
  check(has_action(SIGINT, count), "and stays");
}

/* Its handler may think better of it: then the call goes on. */
static void test_blocking(void) {
  uv_timer_t timer;
  uv_prepare_t prepare;
  set_action(SIGINT, count);
  calls = 0;
  lua_State *L = new_state();
  run(L, "a, b = require 'xpio'.socketpair()");
  uv_timer_init(xpio_loop(L), &timer);
  uv_timer_start(&timer, raise_interrupt, 1, 0);
  uv_prepare_init(xpio_loop(L), &prepare);
  uv_prepare_start(&prepare, write_late);
  prepare.data = L;
  check(run(L, "return a:read(10) == 'late'") && calls == 1,
        "a blocking call goes on when the handler raises no error");
  lua_close(L);
}

static void test_left_alone(void) {
  set_action(SIGINT, count);
  calls = 0;
  lua_State *L = new_state();
  check(xpio_leave_sigint(L) == 0, "a host can have SIGINT left to it");
  run(L, "require 'xpio'.tqueue():wait(0)");
  check(has_action(SIGINT, count), "its handler stays where it is");
  check(waits_through(L, "0.05") && calls == 1, "and is called, but ends no wait");
  lua_close(L);
  check(has_action(SIGINT, count), "lua_close leaves it there");
}

/* lua_close waits until no thread is in our handler any more: the host's must not count. */
static void test_jump(void) {
  set_action(SIGINT, jump);
  calls = 0;
  lua_State *volatile L = new_state();
  run(L, "xpio = require 'xpio'");
  if (sigsetjmp(before, 1) == 0) raise(SIGINT);
  check(calls == 1, "a handler that jumps does");
  lua_close(L);
  check(has_action(SIGINT, jump), "lua_close does not wait for it for ever");
}

int main(void) {
  test_default();
  test_ignored();
  test_ignored_with_flag();
  test_handler();
  test_blocking();
  test_left_alone();
  test_jump();
  test_installed_anew();
  return finish();
}

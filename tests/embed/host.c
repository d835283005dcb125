/* A program with a loop of its own: a timer in C, and tasks in Lua. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <uv.h>
#include <xpio.h>

static uv_loop_t loop;
static uv_timer_t ticker, sleeper;
static uv_check_t after_poll;
static lua_State *L;

static const char script[] =
    "local xpio, dispatcher = require 'xpio', require 'xpio.dispatcher'\n"
    "local a, b = assert(xpio.socketpair())\n"
    "dispatcher.start(function() print('Lua has got ' .. a:read(100)) end)\n"
    "dispatcher.start(function() dispatcher.sleep(0.01) b:write 'a message' end)\n"
    "return dispatcher.step\n";

static void step(void);

static void on_sleeper(uv_timer_t *timer) {
  (void)timer;
  step();
}

/* Lets the tasks go on that are ready. The function `step` on the stack tells in how many
 * seconds it wants to be called at the latest: nil or infinity if nobody sleeps. */
static void step(void) {
  lua_pushvalue(L, -1);
  lua_pushinteger(L, 0);
  xpio_enter(L);
  int status = lua_pcall(L, 1, 1, 0);
  xpio_leave(L);
  double seconds = lua_tonumber(L, -1);
  if (status != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  if (status == LUA_OK && lua_isnumber(L, -1) && seconds < 1e6)
    uv_timer_start(&sleeper, on_sleeper, (uint64_t)(seconds * 1000) + 1, 0);
  else
    uv_timer_stop(&sleeper);
  lua_pop(L, 1);
}

static void on_poll(uv_check_t *check) {
  (void)check;
  if (xpio_is_ready(L)) step();
}

static void on_tick(uv_timer_t *timer) {
  static int ticks;
  printf("C has ticked\n");
  if (++ticks == 3) uv_close((uv_handle_t *)timer, NULL);
}

int main(void) {
  uv_loop_init(&loop);
  uv_timer_init(&loop, &ticker);
  uv_timer_start(&ticker, on_tick, 0, 10);
  uv_timer_init(&loop, &sleeper);
  uv_check_init(&loop, &after_poll);
  uv_check_start(&after_poll, on_poll);
  uv_unref((uv_handle_t *)&after_poll); /* does not keep the loop alive */

  L = luaL_newstate();
  luaL_openlibs(L);
  xpio_preload(L);
  xpio_use_loop(L, &loop);
  if (luaL_dostring(L, script) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return 1;
  }
  step();
  uv_run(&loop, UV_RUN_DEFAULT); /* until no task waits and the timer is closed */

  lua_close(L);
  uv_close((uv_handle_t *)&sleeper, NULL);
  uv_close((uv_handle_t *)&after_poll, NULL);
  uv_run(&loop, UV_RUN_DEFAULT); /* closes what xpio had on it, too */
  return uv_loop_close(&loop) == 0 ? 0 : 1;
}

/* Many states, one after the other, at once, and in threads. */
#include "embed.h"

#include <stdlib.h>

enum { STATES = 100, THREADS = 4, ROUNDS = 5 };

static const char everything[] =
    "local xpio, dispatcher = require 'xpio', require 'xpio.dispatcher' "
    "local a, b = assert(xpio.socketpair()) "
    "local child = assert(xpio.spawn({'cat'}, nil, {[0] = assert(xpio.fdopen(0))})) "
    "child:kill() "
    "dispatcher.start(function() a:write(a:read(9)) end) "
    "dispatcher.start(function() b:write 'x' assert(b:read(9) == 'x') end) "
    "dispatcher.run() "
    "left = {xpio.pipe()} " /* is to be closed by lua_close */
    "return child:wait() ~= nil";

static void test_one_after_the_other(void) {
  bool good = true;
  for (int i = 0; i < STATES; i++) {
    lua_State *L = new_state();
    good = good && run(L, everything);
    lua_close(L);
  }
  check(good, "a hundred states are opened and closed, one after the other");
}

static void test_on_one_loop(void) {
  static lua_State *states[STATES];
  uv_loop_t loop;
  bool good = true;
  uv_loop_init(&loop);
  for (int i = 0; i < STATES; i++) {
    states[i] = new_state();
    xpio_use_loop(states[i], &loop);
    good = good && run(states[i], everything);
  }
  check(good, "a hundred states are on one loop at the same time");
  for (int i = 0; i < STATES; i += 2) lua_close(states[i]);
  check(run(states[1], everything), "closing one leaves the others alone");
  for (int i = 1; i < STATES; i += 2) lua_close(states[i]);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0, "nothing of them is left on the loop");
}

static void in_thread(void *argument) {
  bool *good = argument;
  for (int i = 0; i < ROUNDS && *good; i++) {
    lua_State *L = new_state();
    *good = run(L, everything);
    lua_close(L);
  }
}

/* On queues that live and on one that does not, waiting, ready, blocked, and of a closed
 * socket. */
static const char thousands[] =
    "local xpio = require 'xpio' "
    "queues, objects = {}, {} "
    "for i = 1, 50 do queues[i] = xpio.tqueue() end "
    "for i = 1, 2000 do "
    "  if i % 50 == 1 then objects[#objects + 1], objects[#objects + 2] = xpio.socketpair() end "
    "  local socket, queue = objects[i % #objects + 1], queues[i % #queues + 1] "
    "  if i % 7 == 0 then queue = xpio.tqueue() end "
    "  if i % 3 == 0 then "
    "    xpio.resume({_queue = queue}, coroutine.create(function() socket:read(1) end)) "
    "  else "
    "    assert(socket[i % 2 == 0 and 'when_read' or 'when_write'](socket, {_queue = queue})) "
    "  end "
    "end "
    "queues[1]:wait(0) "
    "for i = 1, #objects, 20 do objects[i]:close() end "
    "return tostring(queues[2]) ~= 'task queue (0 waiting, 0 ready)'";

static void test_thousands(void) {
  uv_loop_t loop;
  bool good = true;
  uv_loop_init(&loop);
  for (int i = 0; i < 2; i++) {
    lua_State *L = new_state();
    if (i == 1) xpio_use_loop(L, &loop);
    good = good && run(L, thousands);
    lua_close(L);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  check(good && uv_loop_close(&loop) == 0,
        "thousands of tasks are scheduled when the state is closed, on its loop or the host's");
}

static void test_threads(void) {
  uv_thread_t threads[THREADS];
  bool good[THREADS];
  for (int i = 0; i < THREADS; i++) {
    good[i] = true;
    uv_thread_create(&threads[i], in_thread, &good[i]);
  }
  for (int i = 0; i < THREADS; i++) uv_thread_join(&threads[i]);
  check(good[0] && good[1] && good[2] && good[3], "one state runs in each of four threads");
}

/* Allocates so many times, and then no more. */
static void *allocate(void *left, void *block, size_t old_size, size_t size) {
  (void)old_size;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (*(int *)left == 0) return NULL;
  if (block == NULL) --*(int *)left;
  return realloc(block, size);
}

/* Opens the module where the memory is used up after so many allocations, then again where
 * it is not. Returns whether it failed. */
static bool fails_to_open(int allocations, bool *good) {
  int left = -1;
  lua_State *L = luaL_newstate();
  lua_setallocf(L, allocate, &left);
  left = allocations;
  lua_pushcfunction(L, luaopen_xpio);
  bool failed = lua_pcall(L, 0, 0, 0) != LUA_OK;
  left = -1;
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  if (failed) *good = *good && xpio_loop(L) == NULL && xpio_use_loop(L, NULL) == 0;
  lua_pushcfunction(L, luaopen_xpio);
  *good = *good && lua_pcall(L, 0, 0, 0) == LUA_OK && xpio_loop(L) != NULL;
  lua_close(L);
  return failed;
}

static void test_memory(void) {
  bool good = true;
  int allocations = 0;
  while (fails_to_open(allocations, &good)) allocations++;
  check(good && allocations > 50,
        "a module that could not be opened for lack of memory leaves nothing");
}

int main(void) {
  test_memory();
  test_one_after_the_other();
  test_on_one_loop();
  test_thousands();
  test_threads();
  return finish();
}

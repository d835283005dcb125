/* What the hosts in this folder share: Lua states with xpio, and results as TAP. */
#ifndef EMBED_H
#define EMBED_H

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include <xpio.h>

static int checks, failures;

static inline void check(bool good, const char *behaviour) {
  printf("%sok %d - %s\n", good ? "" : "not ", ++checks, behaviour);
  fflush(stdout); /* for whoever wonders where it hangs */
  if (!good) failures++;
}

/* What main returns. */
static inline int finish(void) {
  printf("1..%d\n", checks);
  return failures != 0;
}

/* A state that finds no modules but those of this program. */
static inline lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  xpio_preload(L);
  if (luaL_dostring(L, "package.path, package.cpath = '', ''") != LUA_OK) return NULL;
  return L;
}

/* Runs Lua code. Returns whether it went well and returned no false value; otherwise says
 * what went wrong. */
static inline bool run(lua_State *L, const char *code) {
  int top = lua_gettop(L);
  bool good = luaL_loadstring(L, code) == LUA_OK && lua_pcall(L, 0, LUA_MULTRET, 0) == LUA_OK;
  if (!good) printf("# %s\n", lua_tostring(L, -1));
  good = good && (lua_gettop(L) == top || lua_toboolean(L, top + 1));
  lua_settop(L, top);
  return good;
}

/* The same out of a callback of the loop. */
static inline bool run_inside(lua_State *L, const char *code) {
  xpio_enter(L);
  bool good = run(L, code);
  xpio_leave(L);
  return good;
}

/* Calls the dispatcher after each poll, for as long as the loop has anything to do. */
static inline void dispatch(uv_check_t *handle) {
  lua_State *L = handle->data;
  if (xpio_is_ready(L)) run_inside(L, "require 'xpio.dispatcher'.step(0)");
}

static inline void start_dispatching(uv_check_t *handle, lua_State *L, uv_loop_t *loop) {
  uv_check_init(loop, handle);
  handle->data = L;
  uv_check_start(handle, dispatch);
  uv_unref((uv_handle_t *)handle);
}

#endif

#include "host.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "loop.h"
#include "state.h"
#include "xpio.h"

struct record {
  struct xpio_host host;
  const struct xpio_state *state; /* null until the module is open */
};

/* Its address is the registry key of the record. */
static const char record_key;

static struct record *find(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &record_key);
  struct record *record = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return record;
}

static struct record *find_or_make(lua_State *L) {
  struct record *record = find(L);
  if (record != NULL) return record;
  luaL_checkstack(L, 2, "xpio");
  record = lua_newuserdatauv(L, sizeof *record, 0);
  memset(record, 0, sizeof *record);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &record_key);
  return record;
}

/* Null before the module is opened, and in lua_close after its loop is closed. */
static struct xpio_loop *loop_of(lua_State *L) {
  const struct record *record = find(L);
  return record != NULL && record->state != NULL ? record->state->loop : NULL;
}

struct xpio_host *xpio_host(lua_State *L) {
  return &find_or_make(L)->host;
}

void xpio_host_set_state(lua_State *L, const struct xpio_state *state) {
  find_or_make(L)->state = state;
}

/* Not of one that is left of an opening that has failed. */
void xpio_host_forget_state(lua_State *L, const struct xpio_state *state) {
  struct record *record = find(L);
  if (record != NULL && record->state == state) record->state = NULL;
}

int xpio_use_loop(lua_State *L, uv_loop_t *loop) {
  struct record *record = find_or_make(L);
  if (record->state != NULL) return UV_EBUSY;
  record->host.loop = loop;
  return 0;
}

int xpio_leave_sigint(lua_State *L) {
  struct record *record = find_or_make(L);
  if (record->state != NULL) return UV_EBUSY;
  record->host.handles_sigint = true;
  return 0;
}

uv_loop_t *xpio_loop(lua_State *L) {
  struct xpio_loop *loop = loop_of(L);
  return loop != NULL ? loop->uv : NULL;
}

void xpio_enter(lua_State *L) {
  find_or_make(L)->host.entered++;
}

void xpio_leave(lua_State *L) {
  struct record *record = find(L);
  if (record != NULL && record->host.entered > 0) record->host.entered--;
}

int xpio_is_waiting(lua_State *L) {
  const struct xpio_loop *loop = loop_of(L);
  return loop != NULL && loop->scheduled > 0;
}

int xpio_is_ready(lua_State *L) {
  const struct xpio_loop *loop = loop_of(L);
  return loop != NULL && loop->ready > 0;
}

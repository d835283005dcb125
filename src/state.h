/* What xpio keeps for a Lua state, and how its C functions reach it. */
#ifndef XPIO_STATE_H
#define XPIO_STATE_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#include "list.h"

struct xpio_loop;

/* The types of userdata that Lua code can get hold of. */
enum xpio_type {
  XPIO_TYPE_SOCKET,
  XPIO_TYPE_TQUEUE,
  XPIO_TYPE_WAITER,
  XPIO_TYPE_PROCESS,
  XPIO_TYPES
};

struct xpio_state {
  struct xpio_loop *loop; /* null once lua_close has finalized the state */
  char *buffer;           /* what read and recvfrom read into */
  size_t buffer_size;
  struct xpio_link sockets;           /* all open sockets */
  struct xpio_link processes;         /* all process objects that have a child */
  const void *metatables[XPIO_TYPES]; /* their addresses, to check types by */
  const void *checked[XPIO_TYPES];    /* the object of each type that was found last, or null */
};

/* What the objects of all types begin with. */
struct xpio_object {
  /* It was, or has no finalizer: its memory may become something else without a word, so
   * that its address says nothing. */
  bool finalized;
};

/* The upvalues that all of xpio's C functions share. The field names are there
 * because a string at hand is looked up faster than one made from C. */
enum {
  XPIO_UPVALUE_STATE = 1, /* the struct xpio_state, a userdata */
  XPIO_UPVALUE_QUEUE_FIELD,
  XPIO_UPVALUE_DEQUEUE_FIELD,
  XPIO_UPVALUE_DEQUEUEDATA_FIELD,
  XPIO_UPVALUE_DEQUEUE, /* the function that `task._dequeue` gets */
  XPIO_UPVALUES = XPIO_UPVALUE_DEQUEUE
};

/* The user values of the state's userdata. */
enum { XPIO_STATE_CURRENT_TASK = 1, XPIO_STATE_MODULE, XPIO_STATE_USER_VALUES = 2 };

/* The state of the running C function. */
static inline struct xpio_state *xpio_state(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(XPIO_UPVALUE_STATE));
}

/* Pushes copies of the shared upvalues, which the running function must have;
 * as it must for all of the following. */
void xpio_push_upvalues(lua_State *L);

/* Adds functions, which get the same upvalues, to the table on top. */
void xpio_set_functions(lua_State *L, const luaL_Reg *functions);

/* Makes the metatable of a type, and pushes the table that a program sees as such:
 * what it replaces there, methods say, is what it will find. The metatable itself
 * has copies of the metamethods and stays out of reach: no memory may depend on a
 * program's leaving __gc alone. */
void xpio_new_metatable(lua_State *L, enum xpio_type type, const luaL_Reg *methods);

/* The userdata at this index if it is of this type, otherwise null. */
void *xpio_test_type(lua_State *L, int index, enum xpio_type type);

/* The same for an argument; raises an argument error. */
void *xpio_check_type(lua_State *L, int argument, enum xpio_type type);

/* To be called by the finalizer of a type, with the object. */
void xpio_finalized(lua_State *L, void *object, enum xpio_type type);

/* "xpio.socket", say. */
const char *xpio_type_name(enum xpio_type type);

/* Sets the metatable, kept in the registry, of the userdata on top. */
void xpio_set_metatable(lua_State *L, enum xpio_type type);

/* The state's buffer, grown to this size; null when there is no memory. */
char *xpio_state_buffer(struct xpio_state *state, size_t size);

#endif

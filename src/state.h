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

/* What Lua code holds: a userdata that points to the object. The object is not in it,
 * because Lua frees a userdata whose finalizer it could not even call, for want of memory
 * or of stack. Such an object stays, and all that refers to it with it, until lua_close. */
struct xpio_box {
  void *object; /* null before there is one, and once it is finalized */
};

/* What an object begins with, but for waiters, which belong to their queue. */
struct xpio_object {
  struct xpio_link link; /* in the state's list */
};

struct xpio_checked {
  const struct xpio_box *box;
  const void *object;
};

struct xpio_state {
  struct xpio_loop *loop; /* null once lua_close has finalized the state */
  char *buffer;           /* what read and recvfrom read into */
  size_t buffer_size;
  struct xpio_link objects[XPIO_TYPES];
  /* What boxes without an object have instead: one that is closed; or null. */
  void *closed[XPIO_TYPES];
  const void *metatables[XPIO_TYPES];      /* their addresses, to check types by */
  struct xpio_checked checked[XPIO_TYPES]; /* what was found last of each type, or nulls */
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

/* The user values of the state's userdata: the last holds the closed objects. */
enum {
  XPIO_STATE_CURRENT_TASK = 1,
  XPIO_STATE_MODULE,
  XPIO_STATE_CLOSED,
  XPIO_STATE_USER_VALUES = XPIO_STATE_CLOSED
};

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
 * program's leaving __gc alone. There __gc is this finalizer, null for none; the
 * methods may have another, for programs that call it. */
void xpio_new_metatable(lua_State *L, enum xpio_type type, const luaL_Reg *methods,
                        lua_CFunction finalizer);

/* Makes the object, of zeros, that boxes of this type have when they have none. */
void *xpio_new_closed(lua_State *L, enum xpio_type type, size_t size);

/* Pushes a box of this type, without an object. */
struct xpio_box *xpio_new_box(lua_State *L, enum xpio_type type, int user_values);

/* Pushes a box with a new object, of zeros, of which the first is an xpio_object. */
void *xpio_new_object(lua_State *L, enum xpio_type type, size_t size, int user_values);

/* The object of the value at this index if that is of this type, otherwise null. It stays
 * while the value is on the stack of the function that asks. */
void *xpio_test_type(lua_State *L, int index, enum xpio_type type);

/* The same for an argument; raises an argument error. */
void *xpio_check_type(lua_State *L, int argument, enum xpio_type type);

/* The same for what is known to be of this type: to be asked again when the coroutine is
 * resumed, for a finalizer may have run, and the state may have been closed. */
void *xpio_object(lua_State *L, int index, enum xpio_type type);

/* Takes the object out of the box that is a finalizer's argument, for the caller to close
 * and then to free. Null when it has none, is no such box, or the state is finalized. */
void *xpio_take_object(lua_State *L, enum xpio_type type);

/* Takes an object out of the state's list, and frees it. */
void xpio_free_object(void *object);

/* Raises the error that Lua raises itself; for memory that is not Lua's. */
int xpio_raise_no_memory(lua_State *L);

/* "xpio.socket", say. */
const char *xpio_type_name(enum xpio_type type);

/* The state's buffer, grown to this size; null when there is no memory. */
char *xpio_state_buffer(struct xpio_state *state, size_t size);

#endif

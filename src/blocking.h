/* The three forms of an operation, derived from one attempt at it. */
#ifndef XPIO_BLOCKING_H
#define XPIO_BLOCKING_H

#include <lua.h>

#include "waiter.h"

/* What an attempt returns when the operation would have to wait. */
enum { XPIO_WOULD_WAIT = -1 };

struct xpio_operation {
  /* Checks the arguments, makes its system calls until one would wait, and pushes
   * the results; returns their number, or XPIO_WOULD_WAIT, which it may also say
   * without trying when it knows. It is called again after every wait, with the
   * same stack up to `slots`. */
  int (*attempt)(lua_State *L);
  xpio_arm *arm; /* what to wait for */
  int arguments; /* how many the Lua function takes */
  int slots;     /* these, and what the attempt keeps of its progress (at first nil) */
};

/* The bodies of the try_ form, the blocking form and the when_ form. */
int xpio_try(lua_State *L, int (*attempt)(lua_State *L));
int xpio_block(lua_State *L, const struct xpio_operation *operation);
int xpio_when(lua_State *L, xpio_arm *arm);

/* Pushes the value that blocking calls yield. */
void xpio_push_waiting(lua_State *L);

#endif

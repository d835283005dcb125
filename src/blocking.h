/* The three forms of an operation, derived from one attempt at it. */
#ifndef XPIO_BLOCKING_H
#define XPIO_BLOCKING_H

#include <lua.h>
#include <stdbool.h>

#include "state.h"
#include "waiter.h"

/* What an attempt returns when the operation would have to wait. */
enum { XPIO_WOULD_WAIT = -1 };

/* Checks the arguments from the second on, makes its system calls until one would wait,
 * and pushes the results; returns their number, or XPIO_WOULD_WAIT, which it may also
 * say without trying when it knows. The object is the first argument. `again`: the call
 * has waited; or, for once, it cannot, so that the attempt has to try. */
typedef int xpio_attempt(lua_State *L, void *object, bool again);

/* Pushes what the call returns when there is an error in waiting, and returns the number of
 * results. The stack is as the attempt has left it. */
typedef int xpio_failure(lua_State *L, int error);

struct xpio_operation {
  enum xpio_type type; /* of the first argument */
  /* It is called with the arguments alone. When it would wait it leaves `slots` values on
   * the stack, and after the wait it is called again with these, and another one above. */
  xpio_attempt *attempt;
  xpio_arm *arm;         /* what to wait for */
  xpio_failure *failure; /* xpio_push_error, unless there is more to tell */
  int arguments;         /* how many the Lua function takes */
  int slots;             /* these, and what the attempt keeps of its progress */
};

/* The bodies of the try_ form, the blocking form and the when_ form. */
int xpio_try(lua_State *L, enum xpio_type type, xpio_attempt *attempt);
int xpio_block(lua_State *L, const struct xpio_operation *operation);
int xpio_when(lua_State *L, enum xpio_type type, xpio_arm *arm);

/* Pushes the value that blocking calls yield. */
void xpio_push_waiting(lua_State *L);

#endif

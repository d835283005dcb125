/* Task queues, as Lua code sees them. */
#ifndef XPIO_TQUEUE_H
#define XPIO_TQUEUE_H

#include <lua.h>

/* xpio.tqueue, a C function that takes the shared upvalues. */
int xpio_tqueue_new(lua_State *L);

/* Makes the metatable of task queues. */
void xpio_tqueue_open(lua_State *L);

#endif

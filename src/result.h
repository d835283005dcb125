/* How a result of the system interface is returned to Lua. */
#ifndef XPIO_RESULT_H
#define XPIO_RESULT_H

#include <lua.h>

/* Each pushes the results of a Lua function and returns their number. */

/* true for a result of 0 or more, otherwise as xpio_push_error. */
int xpio_push_result(lua_State *L, int result);

/* nil, message, code; or nil, "retry" for UV_EAGAIN. */
int xpio_push_error(lua_State *L, int error);

/* nil, and the message on top of the stack, and the error's code. For errors
 * that are xpio's own finding and can say more than strerror does. */
int xpio_push_error_as(lua_State *L, int error);

/* nil, "NAME: not supported on this platform", "ENOTSUP". */
int xpio_push_unsupported(lua_State *L, const char *name);

#endif

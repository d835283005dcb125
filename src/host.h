/* What the host has said of this Lua state, by the functions in xpio.h. */
#ifndef XPIO_HOST_H
#define XPIO_HOST_H

#include <lua.h>

struct xpio_host;
struct xpio_state;

/* Kept in the registry until lua_close; made when first asked for. */
struct xpio_host *xpio_host(lua_State *L);

/* To be told of the state once the module is open, and when it is closed. */
void xpio_host_set_state(lua_State *L, const struct xpio_state *state);
void xpio_host_forget_state(lua_State *L, const struct xpio_state *state);

#endif

/* Addresses as text: "192.168.1.1:80" and its short forms. */
#ifndef XPIO_ADDRESS_H
#define XPIO_ADDRESS_H

#include <lua.h>
#include <stdbool.h>
#include <uv.h>

/* Reads the string (or number) that is this argument; another type is an
 * argument error. When it is malformed, pushes a message that says so and
 * returns false: the caller returns xpio_push_error_as(L, UV_EINVAL). */
bool xpio_check_address(lua_State *L, int argument, struct sockaddr_in *address);

/* Pushes the address as a string. */
void xpio_push_address(lua_State *L, const struct sockaddr_in *address);

#endif

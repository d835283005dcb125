/* What reading and writing have in common with receiving and sending. */
#ifndef XPIO_TRANSFER_H
#define XPIO_TRANSFER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct xpio_socket;

/* The size argument of a read: negative or not an integer is an argument
 * error, and more than one call reads is cut down to that. */
size_t xpio_check_read_size(lua_State *L, int argument);

/* Whether it keeps messages apart, so that an empty one is not an end. */
bool xpio_is_datagram(const struct xpio_socket *socket);

#endif

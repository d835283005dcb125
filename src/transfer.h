/* What reading and writing have in common with receiving and sending. */
#ifndef XPIO_TRANSFER_H
#define XPIO_TRANSFER_H

#include <lua.h>
#include <stddef.h>

/* The size argument of a read: negative or not an integer is an argument
 * error, and more than one call reads is cut down to that. */
size_t xpio_check_read_size(lua_State *L, int argument);

#endif

/* Socket objects: what Lua code holds of a socket, pipe, terminal or file. */
#ifndef XPIO_SOCKET_H
#define XPIO_SOCKET_H

#include <lua.h>
#include <stdbool.h>

#include "state.h"
#include "system.h"
#include "watch.h"

struct xpio_socket {
  struct xpio_object object;
  /* The last read took less than it asked for, and no event has come since: a
   * stream has no more, so that the next blocking read may wait first. */
  bool read_all;
  struct xpio_descriptor descriptor;
  struct xpio_watch watch;
  struct xpio_state *state;
};

/* Pushes a new, closed socket. */
struct xpio_socket *xpio_socket_new(lua_State *L);

/* Wakes all waiters and closes the descriptor. Does nothing when closed. */
void xpio_socket_close(struct xpio_socket *socket);

/* The same, and frees its memory. */
void xpio_socket_free(struct xpio_socket *socket);

/* The socket that is this argument; raises an argument error. */
struct xpio_socket *xpio_check_socket(lua_State *L, int argument);

/* Returns nil, the message on top of the stack, and the code: for what xpio
 * itself refuses to ask of the system. A closed socket reports EBADF instead,
 * whatever else is wrong. */
int xpio_socket_push_refusal(lua_State *L, const struct xpio_socket *socket, int error);

static inline bool xpio_socket_is_open(const struct xpio_socket *socket) {
  return socket->descriptor.number >= 0;
}

/* The descriptor number of a socket, a Lua file handle, whose buffered output is
 * written first, or a number; a negative error when it has none. False for all else,
 * a number with a fraction too. Allocates nothing. */
bool xpio_to_number(lua_State *L, int index, int *number);

/* For operations on a socket that wait to read or to write. */
int xpio_arm_read(void *socket, struct xpio_event **event);
int xpio_arm_write(void *socket, struct xpio_event **event);

/* Makes the metatable of sockets and leaves it on the stack. The other files of
 * socket methods then add theirs to it. */
void xpio_socket_open(lua_State *L);
void xpio_connection_open(lua_State *L);
void xpio_transfer_open(lua_State *L);
void xpio_datagram_open(lua_State *L);
void xpio_option_open(lua_State *L);

/* Adds the functions that make sockets to the module's table on top. */
void xpio_constructors_open(lua_State *L);

#endif

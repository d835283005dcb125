/* The functions of the module that make sockets. */
#include <lauxlib.h>
#include <string.h>

#include "result.h"
#include "socket.h"
#include "state.h"

/* Pushes a new closed socket; null once the loop is gone: Lua would never
 * finalize what is made after that. */
static struct xpio_socket *new_socket(lua_State *L) {
  return xpio_state(L)->loop != NULL ? xpio_socket_new(L) : NULL;
}

/* Returns so many sockets on top, or the error. */
static int opened(lua_State *L, int sockets, int error) {
  return error < 0 ? xpio_push_error(L, error) : sockets;
}

/* xpio.socket(type) -> socket | nil, message, code
 * type: "TCP" or "UDP"; EINVAL for another. Manual: Sockets. */
static int make_socket(lua_State *L) {
  size_t length;
  const char *type = luaL_checklstring(L, 1, &length);
  bool tcp = strcmp(type, "TCP") == 0;
  if ((!tcp && strcmp(type, "UDP") != 0) || length != strlen(type)) {
    lua_pushfstring(L, "unknown socket type: %s", type);
    return xpio_push_error_as(L, UV_EINVAL);
  }
  struct xpio_socket *socket = new_socket(L);
  if (socket == NULL) return xpio_push_error(L, UV_EBADF);
  return opened(L, 1, xpio_system_socket(&socket->descriptor, tcp ? XPIO_KIND_TCP : XPIO_KIND_UDP));
}

/* xpio.socketpair() -> socket, socket | nil, message, code
 * Manual: Sockets. */
static int make_socketpair(lua_State *L) {
  struct xpio_socket *one = new_socket(L);
  struct xpio_socket *other = new_socket(L);
  if (one == NULL || other == NULL) return xpio_push_error(L, UV_EBADF);
  return opened(L, 2, xpio_system_socketpair(&one->descriptor, &other->descriptor));
}

/* xpio.pipe() -> reader, writer | nil, message, code
 * Manual: Sockets. */
static int make_pipe(lua_State *L) {
  struct xpio_socket *reader = new_socket(L);
  struct xpio_socket *writer = new_socket(L);
  if (reader == NULL || writer == NULL) return xpio_push_error(L, UV_EBADF);
  return opened(L, 2, xpio_system_pipe(&reader->descriptor, &writer->descriptor));
}

/* xpio.openpty() -> master, slave | nil, message, code
 * A new pseudoterminal. Manual: Processes. */
static int open_pty(lua_State *L) {
  struct xpio_socket *master = new_socket(L);
  struct xpio_socket *slave = new_socket(L);
  if (master == NULL || slave == NULL) return xpio_push_error(L, UV_EBADF);
  int error = xpio_system_openpty(&master->descriptor, &slave->descriptor);
  if (error == UV_ENOTSUP) return xpio_push_unsupported(L, "openpty");
  return opened(L, 2, error);
}

/* xpio.fdopen(number | file) -> socket | nil, message, code
 * The socket is a duplicate; the original stays open and as it is.
 * Manual: Foreign descriptors. */
static int open_descriptor(lua_State *L) {
  int number;
  if (xpio_test_type(L, 1, XPIO_TYPE_SOCKET) != NULL || !xpio_to_number(L, 1, &number)) {
    if (lua_type(L, 1) == LUA_TNUMBER) luaL_checkinteger(L, 1); /* says why it is not */
    return luaL_typeerror(L, 1, "descriptor number or file handle");
  }
  if (number < 0) return xpio_push_error(L, number);
  struct xpio_socket *socket = new_socket(L);
  if (socket == NULL) return xpio_push_error(L, UV_EBADF);
  return opened(L, 1, xpio_system_duplicate(&socket->descriptor, number));
}

void xpio_constructors_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"socket", make_socket}, {"socketpair", make_socketpair}, {"pipe", make_pipe},
      {"openpty", open_pty},   {"fdopen", open_descriptor},     {NULL, NULL},
  };
  xpio_set_functions(L, functions);
}

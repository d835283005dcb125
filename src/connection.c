/* Methods of sockets that bind, connect and name them. */
#include <lauxlib.h>
#include <limits.h>

#include "address.h"
#include "blocking.h"
#include "result.h"
#include "socket.h"
#include "state.h"

enum { DEFAULT_BACKLOG = SOMAXCONN };

/* socket:bind(address) -> true | nil, message, code
 * EINVAL for a malformed address. Manual: Connections. */
static int socket_bind(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  struct sockaddr_in address;
  if (!xpio_check_address(L, 2, &address)) return xpio_socket_push_refusal(L, socket, UV_EINVAL);
  return xpio_push_result(L, xpio_system_bind(&socket->descriptor, &address));
}

/* socket:listen([backlog]) -> true | nil, message, code
 * backlog: the length of the accept queue, by default the system's longest.
 * Manual: Connections. */
static int socket_listen(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  lua_Integer backlog = luaL_optinteger(L, 2, DEFAULT_BACKLOG);
  luaL_argcheck(L, backlog >= 0, 2, "negative backlog");
  if (backlog > INT_MAX) backlog = INT_MAX;
  return xpio_push_result(L, xpio_system_listen(&socket->descriptor, (int)backlog));
}

static int attempt_connect(lua_State *L, void *object, bool again) {
  struct xpio_socket *socket = object;
  (void)again;
  struct sockaddr_in address;
  if (!xpio_check_address(L, 2, &address)) return xpio_socket_push_refusal(L, socket, UV_EINVAL);
  int error = xpio_system_connect(&socket->descriptor, &address);
  if (error == UV_EAGAIN) return XPIO_WOULD_WAIT;
  if (error < 0) return xpio_push_error(L, error);
  lua_pushvalue(L, 1);
  return 1;
}

/* socket:connect(address) -> the socket itself | nil, message, code
 * Blocking. EINVAL for a malformed address. Manual: Connections. */
static int socket_connect(lua_State *L) {
  static const struct xpio_operation connect = {
      XPIO_TYPE_SOCKET, attempt_connect, xpio_arm_write, xpio_push_error, 2, 2};
  return xpio_block(L, &connect);
}

/* socket:try_connect(address): the same without waiting, or nil, "retry". */
static int socket_try_connect(lua_State *L) {
  return xpio_try(L, XPIO_TYPE_SOCKET, attempt_connect);
}

/* The new socket is made before there is a connection to lose, and kept in slot
 * 2 for the next attempt when there is none. */
static int attempt_accept(lua_State *L, void *object, bool again) {
  struct xpio_socket *listener = object;
  if (!xpio_socket_is_open(listener)) return xpio_push_error(L, UV_EBADF);
  if (!again) xpio_socket_new(L);
  struct xpio_socket *accepted = xpio_object(L, 2, XPIO_TYPE_SOCKET);
  /* A finalizer may resume a call that is garbage, after both have been finalized. */
  if (accepted == xpio_state(L)->closed[XPIO_TYPE_SOCKET]) return xpio_push_error(L, UV_EBADF);
  int error = xpio_system_accept(&listener->descriptor, &accepted->descriptor);
  xpio_event_attempted(&listener->watch.readable, error);
  if (error == UV_EAGAIN) return XPIO_WOULD_WAIT;
  if (error < 0) return xpio_push_error(L, error);
  lua_settop(L, 2);
  return 1;
}

/* socket:accept() -> socket | nil, message, code
 * Blocking; to be tried again when readable. Manual: Connections. */
static int socket_accept(lua_State *L) {
  static const struct xpio_operation accept = {
      XPIO_TYPE_SOCKET, attempt_accept, xpio_arm_read, xpio_push_error, 1, 2};
  return xpio_block(L, &accept);
}

/* socket:try_accept(): the same without waiting, or nil, "retry". */
static int socket_try_accept(lua_State *L) {
  lua_settop(L, 1);
  return xpio_try(L, XPIO_TYPE_SOCKET, attempt_accept);
}

static int push_name(lua_State *L, int error, const struct sockaddr_in *address) {
  if (error < 0) return xpio_push_error(L, error);
  xpio_push_address(L, address);
  return 1;
}

/* socket:getsockname() -> address | nil, message, code
 * EAFNOSUPPORT for what has no IPv4 address. Manual: Connections. */
static int socket_getsockname(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  struct sockaddr_in address;
  return push_name(L, xpio_system_getsockname(&socket->descriptor, &address), &address);
}

/* socket:getpeername() -> address | nil, message, code
 * EAFNOSUPPORT for what has no IPv4 address. Manual: Connections. */
static int socket_getpeername(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  struct sockaddr_in address;
  return push_name(L, xpio_system_getpeername(&socket->descriptor, &address), &address);
}

/* Which directions the letters name; 0 when one is unknown or there is none. */
static int parse_directions(const char *letters, size_t length) {
  int directions = 0;
  for (size_t i = 0; i < length; i++) {
    if (letters[i] == 'r')
      directions |= XPIO_READABLE;
    else if (letters[i] == 'w')
      directions |= XPIO_WRITABLE;
    else
      return 0;
  }
  return directions;
}

/* socket:shutdown(what) -> true | nil, message, code
 * what: "r", "w" or "rw"; EINVAL for another. Manual: Connections. */
static int socket_shutdown(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  size_t length;
  const char *what = luaL_checklstring(L, 2, &length);
  int directions = parse_directions(what, length);
  if (directions == 0) {
    lua_pushfstring(L, "shutdown: expected \"r\", \"w\" or \"rw\", got \"%s\"", what);
    return xpio_socket_push_refusal(L, socket, UV_EINVAL);
  }
  return xpio_push_result(L, xpio_system_shutdown(&socket->descriptor, directions));
}

void xpio_connection_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"bind", socket_bind},
      {"listen", socket_listen},
      {"connect", socket_connect},
      {"try_connect", socket_try_connect},
      {"accept", socket_accept},
      {"try_accept", socket_try_accept},
      {"getsockname", socket_getsockname},
      {"getpeername", socket_getpeername},
      {"shutdown", socket_shutdown},
      {NULL, NULL},
  };
  xpio_set_functions(L, methods);
}

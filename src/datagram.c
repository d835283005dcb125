/* Methods of sockets that receive from and send to an address. */
#include <lauxlib.h>

#include "address.h"
#include "blocking.h"
#include "result.h"
#include "socket.h"
#include "state.h"
#include "transfer.h"

static int attempt_receive(lua_State *L, void *object, bool again) {
  struct xpio_socket *socket = object;
  (void)again;
  size_t size = xpio_check_read_size(L, 2);
  if (!xpio_socket_is_open(socket)) return xpio_push_error(L, UV_EBADF);
  char *buffer = xpio_state_buffer(socket->state, size);
  if (buffer == NULL && size > 0) return xpio_push_error(L, UV_ENOMEM);
  struct sockaddr_in sender;
  ptrdiff_t count = xpio_system_receive_from(&socket->descriptor, buffer, size, &sender);
  xpio_event_attempted(&socket->watch.readable, count);
  if (count == UV_EAGAIN) return XPIO_WOULD_WAIT;
  if (count < 0) return xpio_push_error(L, (int)count);
  if (count == 0 && size > 0 && !xpio_is_datagram(socket)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushlstring(L, buffer, (size_t)count);
  if (sender.sin_family != AF_INET) return 1;
  xpio_push_address(L, &sender);
  return 2;
}

/* socket:recvfrom(size) -> string, address | nil | nil, message, code
 * size: the most bytes to return of the datagram, the rest of which is lost.
 * Of a stream: what read returns.
 * Blocking; to be tried again when readable. Manual: Datagrams. */
static int socket_recvfrom(lua_State *L) {
  static const struct xpio_operation receive = {
      XPIO_TYPE_SOCKET, attempt_receive, xpio_arm_read, xpio_push_error, 2, 2};
  return xpio_block(L, &receive);
}

/* socket:try_recvfrom(size): the same without waiting, or nil, "retry". */
static int socket_try_recvfrom(lua_State *L) {
  return xpio_try(L, XPIO_TYPE_SOCKET, attempt_receive);
}

static int attempt_send(lua_State *L, void *object, bool again) {
  struct xpio_socket *socket = object;
  (void)again;
  size_t size;
  const char *data = luaL_checklstring(L, 2, &size);
  struct sockaddr_in address;
  if (!xpio_check_address(L, 3, &address)) return xpio_socket_push_refusal(L, socket, UV_EINVAL);
  ptrdiff_t count = xpio_system_send_to(&socket->descriptor, data, size, &address);
  xpio_event_attempted(&socket->watch.writable, count);
  if (count == UV_EAGAIN) return XPIO_WOULD_WAIT;
  if (count < 0) return xpio_push_error(L, (int)count);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

/* socket:sendto(data, address) -> bytes sent | nil, message, code
 * data: a string or a number. EINVAL for a malformed address. Blocking; to be
 * tried again when writable. Manual: Datagrams. */
static int socket_sendto(lua_State *L) {
  static const struct xpio_operation send = {
      XPIO_TYPE_SOCKET, attempt_send, xpio_arm_write, xpio_push_error, 3, 3};
  return xpio_block(L, &send);
}

/* socket:try_sendto(data, address): the same without waiting, or nil, "retry". */
static int socket_try_sendto(lua_State *L) {
  return xpio_try(L, XPIO_TYPE_SOCKET, attempt_send);
}

void xpio_datagram_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"recvfrom", socket_recvfrom},
      {"try_recvfrom", socket_try_recvfrom},
      {"sendto", socket_sendto},
      {"try_sendto", socket_try_sendto},
      {NULL, NULL},
  };
  xpio_set_functions(L, methods);
}

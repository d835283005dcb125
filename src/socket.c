#include "socket.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>

#include "address.h"
#include "blocking.h"
#include "result.h"
#include "state.h"

static void init(lua_State *L, struct xpio_socket *socket) {
  xpio_descriptor_init(&socket->descriptor, xpio_state(L)->loop);
  xpio_watch_init(&socket->watch);
  socket->state = xpio_state(L);
}

struct xpio_socket *xpio_socket_new(lua_State *L) {
  struct xpio_socket *socket = xpio_new_object(L, XPIO_TYPE_SOCKET, sizeof *socket, 0);
  init(L, socket);
  return socket;
}

void xpio_socket_close(struct xpio_socket *socket) {
  xpio_watch_wake_all(&socket->watch);
  socket->watch.interest = 0;
  socket->read_all = false;
  xpio_system_close(&socket->descriptor);
}

void xpio_socket_free(struct xpio_socket *socket) {
  xpio_socket_close(socket);
  xpio_free_object(socket);
}

struct xpio_socket *xpio_check_socket(lua_State *L, int argument) {
  return xpio_check_type(L, argument, XPIO_TYPE_SOCKET);
}

int xpio_socket_push_refusal(lua_State *L, const struct xpio_socket *socket, int error) {
  if (!xpio_socket_is_open(socket)) return xpio_push_error(L, UV_EBADF);
  return xpio_push_error_as(L, error);
}

bool xpio_to_number(lua_State *L, int index, int *number) {
  const struct xpio_socket *socket = xpio_test_type(L, index, XPIO_TYPE_SOCKET);
  if (socket != NULL) {
    *number = xpio_socket_is_open(socket) ? socket->descriptor.number : UV_EBADF;
    return true;
  }
  const luaL_Stream *stream = luaL_testudata(L, index, LUA_FILEHANDLE);
  if (stream != NULL) {
    *number = stream->closef != NULL ? xpio_system_file_number(stream->f) : UV_EBADF;
    return true;
  }
  if (lua_type(L, index) != LUA_TNUMBER) return false;
  int exact;
  lua_Integer value = lua_tointegerx(L, index, &exact);
  *number = value >= 0 && value <= INT_MAX ? (int)value : UV_EBADF;
  return exact;
}

static int arm(struct xpio_socket *socket, int direction, struct xpio_event **event) {
  *event = NULL;
  return xpio_socket_is_open(socket) ? xpio_watch_arm(socket, direction, event) : 0;
}

int xpio_arm_read(void *socket, struct xpio_event **event) {
  return arm(socket, XPIO_READABLE, event);
}

int xpio_arm_write(void *socket, struct xpio_event **event) {
  return arm(socket, XPIO_WRITABLE, event);
}

/* socket:when_read(task) -> true | nil, message, code
 * Schedules the task until there is something to read or accept. Ready at once
 * when the socket is closed or cannot be read. Manual: Tasks. */
static int socket_when_read(lua_State *L) {
  return xpio_when(L, XPIO_TYPE_SOCKET, xpio_arm_read);
}

/* socket:when_write(task) -> true | nil, message, code
 * Schedules the task until the socket can be written or is connected. Ready at
 * once when it is closed or cannot be written. Manual: Tasks. */
static int socket_when_write(lua_State *L) {
  return xpio_when(L, XPIO_TYPE_SOCKET, xpio_arm_write);
}

/* socket:close() -> true | nil, "already closed"
 * Manual: Sockets. */
static int socket_close(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  if (!xpio_socket_is_open(socket)) {
    lua_pushnil(L);
    lua_pushliteral(L, "already closed");
    return 2;
  }
  xpio_socket_close(socket);
  lua_pushboolean(L, 1);
  return 1;
}

/* The body of __close, and of the __gc that a program may call. */
static int socket_leave(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  if (xpio_socket_is_open(socket)) xpio_socket_close(socket);
  return 0;
}

/* Called by the collector. */
static int socket_finalize(lua_State *L) {
  struct xpio_socket *socket = xpio_take_object(L, XPIO_TYPE_SOCKET);
  if (socket != NULL) xpio_socket_free(socket);
  return 0;
}

/* socket:fileno() -> integer | nil, message, code
 * Manual: Sockets. */
static int socket_fileno(lua_State *L) {
  const struct xpio_socket *socket = xpio_check_socket(L, 1);
  if (!xpio_socket_is_open(socket)) return xpio_push_error(L, UV_EBADF);
  lua_pushinteger(L, socket->descriptor.number);
  return 1;
}

static const char *kind_name(const struct xpio_socket *socket) {
  switch ((enum xpio_kind)socket->descriptor.kind) {
  case XPIO_KIND_TCP: return "TCP socket";
  case XPIO_KIND_UDP: return "UDP socket";
  case XPIO_KIND_UNIX_STREAM:
  case XPIO_KIND_UNIX_DATAGRAM: return "Unix socket";
  case XPIO_KIND_PIPE: return "pipe";
  case XPIO_KIND_TERMINAL: return "terminal";
  case XPIO_KIND_FILE: return "file";
  case XPIO_KIND_OTHER_SOCKET: break;
  }
  return "socket";
}

/* tostring(socket) -> "TCP socket 127.0.0.1:80 to 127.0.0.1:5000 (descriptor 7)" */
static int socket_tostring(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  if (!xpio_socket_is_open(socket)) {
    lua_pushfstring(L, "%s (closed)", kind_name(socket));
    return 1;
  }
  struct sockaddr_in address;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addstring(&text, kind_name(socket));
  if (xpio_system_getsockname(&socket->descriptor, &address) == 0) {
    luaL_addchar(&text, ' ');
    xpio_push_address(L, &address);
    luaL_addvalue(&text);
  }
  if (xpio_system_getpeername(&socket->descriptor, &address) == 0) {
    luaL_addstring(&text, " to ");
    xpio_push_address(L, &address);
    luaL_addvalue(&text);
  }
  lua_pushfstring(L, " (descriptor %d)", socket->descriptor.number);
  luaL_addvalue(&text);
  luaL_pushresult(&text);
  return 1;
}

void xpio_socket_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"when_read", socket_when_read}, {"when_write", socket_when_write},
      {"close", socket_close},         {"fileno", socket_fileno},
      {"__gc", socket_leave},          {"__close", socket_leave},
      {"__tostring", socket_tostring}, {NULL, NULL},
  };
  struct xpio_socket *closed = xpio_new_closed(L, XPIO_TYPE_SOCKET, sizeof *closed);
  init(L, closed);
  closed->descriptor.kind = XPIO_KIND_OTHER_SOCKET; /* for tostring: nothing is known of it */
  xpio_new_metatable(L, XPIO_TYPE_SOCKET, methods, socket_finalize);
}

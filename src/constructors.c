/* The functions of the module that make sockets. */
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "result.h"
#include "socket.h"
#include "state.h"

/* Pushes a new closed socket; null once the loop is gone: Lua would never
 * finalize what is made after that. */
static struct xpio_socket *new_socket(lua_State *L) {
  return xpio_state(L)->loop != NULL ? xpio_socket_new(L) : NULL;
}

/* Returns the socket on top, or the error. */
static int opened(lua_State *L, struct xpio_socket *socket, int error) {
  if (error < 0) return xpio_push_error(L, error);
  xpio_socket_opened(socket);
  return 1;
}

/* Returns the two sockets on top, or the error. */
static int opened_both(lua_State *L, struct xpio_socket *one, struct xpio_socket *other,
                       int error) {
  if (error < 0) return xpio_push_error(L, error);
  xpio_socket_opened(one);
  xpio_socket_opened(other);
  return 2;
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
  return opened(L, socket,
                xpio_system_socket(&socket->descriptor, tcp ? XPIO_KIND_TCP : XPIO_KIND_UDP));
}

/* xpio.socketpair() -> socket, socket | nil, message, code
 * Manual: Sockets. */
static int make_socketpair(lua_State *L) {
  struct xpio_socket *one = new_socket(L);
  struct xpio_socket *other = new_socket(L);
  if (one == NULL || other == NULL) return xpio_push_error(L, UV_EBADF);
  return opened_both(L, one, other, xpio_system_socketpair(&one->descriptor, &other->descriptor));
}

/* xpio.pipe() -> reader, writer | nil, message, code
 * Manual: Sockets. */
static int make_pipe(lua_State *L) {
  struct xpio_socket *reader = new_socket(L);
  struct xpio_socket *writer = new_socket(L);
  if (reader == NULL || writer == NULL) return xpio_push_error(L, UV_EBADF);
  return opened_both(L, reader, writer, xpio_system_pipe(&reader->descriptor, &writer->descriptor));
}

/* The descriptor number of an argument that is one, or a Lua file handle. What
 * the file handle has buffered is written first; a negative error otherwise. */
static int check_number(lua_State *L, int argument) {
  luaL_Stream *stream = luaL_testudata(L, argument, LUA_FILEHANDLE);
  if (stream == NULL) {
    if (lua_type(L, argument) != LUA_TNUMBER)
      return luaL_typeerror(L, argument, "descriptor number or file handle");
    lua_Integer number = luaL_checkinteger(L, argument);
    return number >= 0 && number <= INT_MAX ? (int)number : UV_EBADF;
  }
  if (stream->closef == NULL) return UV_EBADF;
  if (fflush(stream->f) != 0) return uv_translate_sys_error(errno);
  return xpio_system_file_number(stream->f);
}

/* xpio.fdopen(number | file) -> socket | nil, message, code
 * The socket is a duplicate; the original stays open and as it is.
 * Manual: Foreign descriptors. */
static int open_descriptor(lua_State *L) {
  int number = check_number(L, 1);
  if (number < 0) return xpio_push_error(L, number);
  struct xpio_socket *socket = new_socket(L);
  if (socket == NULL) return xpio_push_error(L, UV_EBADF);
  return opened(L, socket, xpio_system_duplicate(&socket->descriptor, number));
}

void xpio_constructors_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"socket", make_socket},
      {"socketpair", make_socketpair},
      {"pipe", make_pipe},
      {"fdopen", open_descriptor},
      {NULL, NULL},
  };
  xpio_set_functions(L, functions);
}

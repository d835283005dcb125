/* Options of sockets. */
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "result.h"
#include "socket.h"
#include "state.h"

struct option {
  const char *name;
  int level, option;
  int type; /* LUA_TBOOLEAN or LUA_TNUMBER */
};

static const struct option options[] = {
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, LUA_TBOOLEAN},
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, LUA_TBOOLEAN},
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, LUA_TBOOLEAN},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, LUA_TNUMBER},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, LUA_TNUMBER},
};

/* Not an option of the socket but a flag of its description. */
static const char nonblocking_name[] = "O_NONBLOCK";

/* The name in the argument; one with a zero in it is none that we know. */
static const char *check_name(lua_State *L, int argument) {
  size_t length;
  const char *name = luaL_checklstring(L, argument, &length);
  return strlen(name) == length ? name : "";
}

static const struct option *find_option(const char *name) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (strcmp(options[i].name, name) == 0) return &options[i];
  return NULL;
}

static int push_unknown(lua_State *L, const struct xpio_socket *socket, const char *name) {
  lua_pushfstring(L, "unknown option: %s", name);
  return xpio_socket_push_refusal(L, socket, UV_ENOPROTOOPT);
}

static bool check_boolean(lua_State *L, int argument) {
  luaL_checktype(L, argument, LUA_TBOOLEAN);
  return lua_toboolean(L, argument);
}

static int check_size(lua_State *L, int argument) {
  lua_Integer value = luaL_checkinteger(L, argument);
  luaL_argcheck(L, value >= 0, argument, "negative size");
  luaL_argcheck(L, value <= INT_MAX, argument, "size out of range");
  return (int)value;
}

static int get_nonblocking(lua_State *L, struct xpio_socket *socket) {
  bool nonblocking;
  int error = xpio_system_get_nonblocking(&socket->descriptor, &nonblocking);
  if (error < 0) return xpio_push_error(L, error);
  lua_pushboolean(L, nonblocking);
  return 1;
}

/* socket:getsockopt(option) -> boolean | integer | nil, message, code
 * ENOPROTOOPT for an option that is not known. Manual: Options. */
static int socket_getsockopt(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  const char *name = check_name(L, 2);
  if (strcmp(name, nonblocking_name) == 0) return get_nonblocking(L, socket);
  const struct option *option = find_option(name);
  if (option == NULL) return push_unknown(L, socket, name);
  int value;
  int error = xpio_system_get_option(&socket->descriptor, option->level, option->option, &value);
  if (error < 0) return xpio_push_error(L, error);
  if (option->type == LUA_TBOOLEAN)
    lua_pushboolean(L, value);
  else
    lua_pushinteger(L, value);
  return 1;
}

/* socket:setsockopt(option, value) -> true | nil, message, code
 * value: a boolean, or a size in bytes. Manual: Options. */
static int socket_setsockopt(lua_State *L) {
  struct xpio_socket *socket = xpio_check_socket(L, 1);
  const char *name = check_name(L, 2);
  if (strcmp(name, nonblocking_name) == 0)
    return xpio_push_result(L,
                            xpio_system_set_nonblocking(&socket->descriptor, check_boolean(L, 3)));
  const struct option *option = find_option(name);
  if (option == NULL) return push_unknown(L, socket, name);
  int value = option->type == LUA_TBOOLEAN ? check_boolean(L, 3) : check_size(L, 3);
  return xpio_push_result(
      L, xpio_system_set_option(&socket->descriptor, option->level, option->option, value));
}

void xpio_option_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"getsockopt", socket_getsockopt},
      {"setsockopt", socket_setsockopt},
      {NULL, NULL},
  };
  xpio_set_functions(L, methods);
}

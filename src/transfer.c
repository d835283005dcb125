/* Methods of sockets that read and write. */
#include "transfer.h"

#include <lauxlib.h>
#include <string.h>

#include "blocking.h"
#include "loop.h"
#include "result.h"
#include "socket.h"
#include "state.h"

/* The most that one read returns, and so the most that the buffer grows to. */
enum { LONGEST_READ = 1024 * 1024 };

size_t xpio_check_read_size(lua_State *L, int argument) {
  lua_Integer size = luaL_checkinteger(L, argument);
  luaL_argcheck(L, size >= 0, argument, "negative size");
  return size < LONGEST_READ ? (size_t)size : LONGEST_READ;
}

bool xpio_is_datagram(const struct xpio_socket *socket) {
  return socket->descriptor.kind == XPIO_KIND_UDP ||
         socket->descriptor.kind == XPIO_KIND_UNIX_DATAGRAM;
}

/* Whether a read that took less than it asked for took all there was, and a
 * write that took less than it was given filled all the room. */
static bool short_transfer_tells(const struct xpio_socket *socket) {
  return !socket->descriptor.blocking && !socket->descriptor.foreign &&
         (socket->descriptor.kind == XPIO_KIND_TCP ||
          socket->descriptor.kind == XPIO_KIND_UNIX_STREAM ||
          socket->descriptor.kind == XPIO_KIND_PIPE);
}

static int read_some(lua_State *L, struct xpio_socket *socket, size_t size) {
  if (size == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  if (!xpio_socket_is_open(socket)) return xpio_push_error(L, UV_EBADF);
  char *buffer = xpio_state_buffer(socket->state, size);
  if (buffer == NULL) return xpio_push_error(L, UV_ENOMEM);
  ptrdiff_t count = xpio_system_read(&socket->descriptor, buffer, size);
  xpio_event_attempted(&socket->watch.readable, count);
  if (count == UV_EAGAIN) return XPIO_WOULD_WAIT;
  if (count < 0) return xpio_push_error(L, (int)count);
  socket->read_all = (size_t)count < size && short_transfer_tells(socket);
  if (count == 0 && !xpio_is_datagram(socket))
    lua_pushnil(L);
  else
    lua_pushlstring(L, buffer, (size_t)count);
  return 1;
}

static int attempt_read(lua_State *L, void *object, bool again) {
  struct xpio_socket *socket = object;
  (void)again;
  return read_some(L, socket, xpio_check_read_size(L, 2));
}

/* After a short read it waits without trying: polling is level-triggered, so
 * what has come meanwhile is noticed, and a call that fails is saved. And before
 * those who have waited for what has come, it does not try to take it. */
static int attempt_blocking_read(lua_State *L, void *object, bool again) {
  struct xpio_socket *socket = object;
  size_t size = xpio_check_read_size(L, 2);
  bool awaited = xpio_socket_is_open(socket) && !again &&
                 xpio_event_is_awaited(&socket->watch.readable);
  if (size == 0 || !(socket->read_all || awaited)) return read_some(L, socket, size);
  socket->read_all = false;
  return XPIO_WOULD_WAIT;
}

/* socket:read(size) -> string | nil | nil, message, code
 * size: the most bytes to return. "" for size 0, nil alone at the end of a
 * stream. Blocking; to be tried again when readable. Manual: Reading. */
static int socket_read(lua_State *L) {
  static const struct xpio_operation read = {
      XPIO_TYPE_SOCKET, attempt_blocking_read, xpio_arm_read, xpio_push_error, 2, 2};
  return xpio_block(L, &read);
}

/* socket:try_read(size): the same without waiting, or nil, "retry". */
static int socket_try_read(lua_State *L) {
  return xpio_try(L, XPIO_TYPE_SOCKET, attempt_read);
}

/* On Windows libuv's buffers have lengths of 32 bits; and Linux takes less than 2 GiB
 * at once anyway (write(2)). */
static unsigned clamp(size_t size) {
  const unsigned most = 1U << 30;
  return size < most ? (unsigned)size : most;
}

/* The data argument, and how far it has been written. */
struct data {
  const char *string;  /* null for an array */
  size_t start;        /* the position where this write began */
  size_t position;     /* the bytes before it are written, or were skipped */
  size_t total;        /* the length of all */
  lua_Integer element; /* of an array: the element that `position` is in, */
  size_t before;       /* and how many bytes come before that element */
};

/* Where a blocking write keeps that between attempts. */
enum {
  SLOT_START = 4,
  SLOT_POSITION,
  SLOT_TOTAL,
  SLOT_ELEMENT,
  SLOT_BEFORE,
  SLOT_LAST = SLOT_BEFORE
};

/* Pushes an element of the array as a string; a bad one is an argument error. */
static const char *push_element(lua_State *L, lua_Integer element, size_t *length) {
  int type = lua_rawgeti(L, 2, element);
  if (type != LUA_TSTRING && type != LUA_TNUMBER) {
    const char *problem = lua_pushfstring(L, "element %I: string expected, got %s",
                                          (LUAI_UACINT)element, luaL_typename(L, -1));
    luaL_argerror(L, 2, problem);
  }
  return lua_tolstring(L, -1, length);
}

static size_t check_array(lua_State *L) {
  size_t total = 0;
  lua_Integer elements = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer element = 1; element <= elements; element++) {
    size_t length;
    push_element(L, element, &length);
    lua_pop(L, 1);
    total += length;
  }
  return total;
}

/* Checks the arguments data and first. */
static void check_data(lua_State *L, struct data *data) {
  int type = lua_type(L, 2);
  if (type == LUA_TTABLE) {
    data->string = NULL;
    data->total = check_array(L);
  } else {
    if (type != LUA_TSTRING && type != LUA_TNUMBER) luaL_typeerror(L, 2, "string, number or array");
    data->string = lua_tolstring(L, 2, &data->total);
  }
  lua_Integer first = luaL_optinteger(L, 3, 1);
  luaL_argcheck(L, first >= 1 && (lua_Unsigned)first - 1 <= data->total, 3,
                "first byte is outside the data");
  data->start = data->position = (size_t)first - 1;
  data->element = 1;
  data->before = 0;
}

/* Points the buffers at what is left of the array, and pushes its strings: a
 * number becomes a string that only the stack holds. Returns how many buffers.
 * `data` is moved on to the first element that is not written whole. */
static unsigned gather_array(lua_State *L, struct data *data, uv_buf_t *buffers, unsigned most) {
  lua_Integer elements = (lua_Integer)lua_rawlen(L, 2);
  unsigned count = 0;
  size_t before = data->before;
  luaL_checkstack(L, (int)most + 1, "too many strings to write at once");
  for (lua_Integer element = data->element; element <= elements && count < most; element++) {
    size_t length;
    const char *string = push_element(L, element, &length);
    size_t end = before + length;
    if (end <= data->position) {
      lua_pop(L, 1);
      data->element = element + 1;
      data->before = end;
    } else {
      size_t skip = data->position > before ? data->position - before : 0;
      buffers[count++] = uv_buf_init((char *)string + skip, clamp(length - skip));
      if (clamp(length - skip) < length - skip) break;
    }
    before = end;
  }
  luaL_argcheck(L, count > 0 || data->position >= data->total, 2,
                "the array has become shorter while it was written");
  return count;
}

/* Writes some of an array with one system call. */
static ptrdiff_t write_array(lua_State *L, struct xpio_socket *socket, struct data *data,
                             size_t *asked) {
  uv_buf_t buffers[XPIO_WRITE_BUFFERS];
  int top = lua_gettop(L);
  unsigned count = gather_array(L, data, buffers, XPIO_WRITE_BUFFERS);
  /* Elsewhere than on Linux, writing no buffers is an error. */
  if (count == 0) buffers[count++] = uv_buf_init("", 0);
  *asked = 0;
  for (unsigned i = 0; i < count; i++) *asked += buffers[i].len;
  ptrdiff_t written;
  if (xpio_is_datagram(socket) && *asked < data->total - data->position)
    written = UV_EMSGSIZE; /* the rest would become a datagram of its own */
  else
    written = xpio_system_write(&socket->descriptor, buffers, count);
  lua_settop(L, top);
  return written;
}

static ptrdiff_t write_string(struct xpio_socket *socket, struct data *data, size_t *asked) {
  size_t left = data->total - data->position;
  uv_buf_t buffer = uv_buf_init((char *)data->string + data->position, clamp(left));
  *asked = buffer.len;
  return xpio_system_write(&socket->descriptor, &buffer, 1);
}

/* Writes some of what is left with one system call, and returns as that does;
 * `asked` is how much that call was given. */
static ptrdiff_t write_some(lua_State *L, struct xpio_socket *socket, struct data *data,
                            size_t *asked) {
  ptrdiff_t written = data->string == NULL ? write_array(L, socket, data, asked)
                                           : write_string(socket, data, asked);
  xpio_event_attempted(&socket->watch.writable, written);
  if (written > 0) data->position += (size_t)written;
  return written;
}

static int attempt_write(lua_State *L, void *object, bool again) {
  struct xpio_socket *socket = object;
  (void)again;
  struct data data;
  check_data(L, &data);
  size_t asked;
  ptrdiff_t written = write_some(L, socket, &data, &asked);
  if (written == UV_EAGAIN) return XPIO_WOULD_WAIT;
  if (written < 0) return xpio_push_error(L, (int)written);
  lua_pushinteger(L, (lua_Integer)written);
  return 1;
}

/* socket:try_write(data [, first]) -> bytes written | nil, message, code | nil, "retry"
 * data: a string, a number, or an array of them; first: the byte to begin
 * with, 1 by default. One system call. Manual: Writing. */
static int socket_try_write(lua_State *L) {
  return xpio_try(L, XPIO_TYPE_SOCKET, attempt_write);
}

static void set_slot(lua_State *L, int slot, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_replace(L, slot);
}

static size_t get_slot(lua_State *L, int slot) {
  return (size_t)lua_tointeger(L, slot);
}

static void save_data(lua_State *L, const struct data *data) {
  if (lua_gettop(L) < SLOT_LAST) lua_settop(L, SLOT_LAST);
  set_slot(L, SLOT_START, data->start);
  set_slot(L, SLOT_POSITION, data->position);
  set_slot(L, SLOT_TOTAL, data->total);
  set_slot(L, SLOT_ELEMENT, (size_t)data->element);
  set_slot(L, SLOT_BEFORE, data->before);
}

static void load_data(lua_State *L, struct data *data) {
  data->string = lua_tostring(L, 2);
  data->start = get_slot(L, SLOT_START);
  data->position = get_slot(L, SLOT_POSITION);
  data->total = get_slot(L, SLOT_TOTAL);
  data->element = (lua_Integer)get_slot(L, SLOT_ELEMENT);
  data->before = get_slot(L, SLOT_BEFORE);
}

/* nil, message, code, and how much is written. */
static int push_write_error(lua_State *L, int error, const struct data *data) {
  xpio_push_error(L, error);
  lua_pushinteger(L, (lua_Integer)(data->position - data->start));
  return 4;
}

static int write_failure(lua_State *L, int error) {
  struct data data;
  load_data(L, &data);
  return push_write_error(L, error, &data);
}

/* Whether the call may return: not while the system has not taken what it was given,
 * unless there was a wait for that already, or there can be none. */
static bool is_taken(const struct xpio_socket *socket, bool again) {
  return again || !xpio_system_is_sending(&socket->descriptor);
}

/* One system call even for no data: that sends an empty datagram, and notices
 * a closed socket. After a short write it waits without trying again. */
static int attempt_blocking_write(lua_State *L, void *object, bool again) {
  struct xpio_socket *socket = object;
  struct data data;
  if (again)
    load_data(L, &data);
  else
    check_data(L, &data);
  ptrdiff_t written;
  bool full;
  do {
    size_t asked;
    written = write_some(L, socket, &data, &asked);
    full = written == UV_EAGAIN ||
           (written >= 0 && (size_t)written < asked && short_transfer_tells(socket));
  } while (written > 0 && !full && data.position < data.total);
  bool sending = written == UV_EAGAIN && xpio_system_is_sending(&socket->descriptor);
  /* An array that has grown meanwhile may be past it. */
  bool whole = data.position >= data.total && (written >= 0 || sending);
  if (whole ? !is_taken(socket, again) : full) {
    save_data(L, &data);
    return XPIO_WOULD_WAIT;
  }
  if (!whole) return push_write_error(L, (int)written, &data);
  lua_pushinteger(L, (lua_Integer)(data.position - data.start));
  return 1;
}

/* socket:write(data [, first]) -> bytes written | nil, message, code, written
 * As try_write, but returns when all is written. Blocking; to be tried again
 * when writable. Manual: Writing. */
static int socket_write(lua_State *L) {
  static const struct xpio_operation write = {
      XPIO_TYPE_SOCKET, attempt_blocking_write, xpio_arm_write, write_failure, 3, SLOT_LAST};
  return xpio_block(L, &write);
}

void xpio_transfer_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"read", socket_read},
      {"try_read", socket_try_read},
      {"write", socket_write},
      {"try_write", socket_try_write},
      {NULL, NULL},
  };
  xpio_set_functions(L, methods);
}

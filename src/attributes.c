/* The attributes of a child. */
#include <lauxlib.h>
#include <string.h>
#include <uv.h>

#include "process.h"
#include "socket.h"
#include "spawn.h"
#include "state.h"

/* What reading a field takes. Its value is on top of the stack. */
struct reader {
  const char *field;
  const char *key;   /* in a field that is a table, or null */
  lua_Integer index; /* in a field that is an array, or 0 */
  char **memory;
  struct xpio_spawn *spawn;
  struct xpio_spawn_failure *failure;
  int result; /* -1 once there is a failure */
};

/* Made for errors only: see spawn.h. */
static const char *push_name(lua_State *L, const struct reader *reader) {
  if (reader->key != NULL) return lua_pushfstring(L, "attrs.%s.%s", reader->field, reader->key);
  if (reader->index != 0)
    return lua_pushfstring(L, "attrs.%s[%I]", reader->field, (LUAI_UACINT)reader->index);
  return lua_pushfstring(L, "attrs.%s", reader->field);
}

static void type_error(lua_State *L, const struct reader *reader, const char *expected) {
  xpio_field_type_error(L, XPIO_SPAWN_ATTRS, push_name(L, reader), expected, -2);
}

static void fail(struct reader *reader, int error, const char *step) {
  *reader->failure = (struct xpio_spawn_failure){error, step, NULL, -1};
  reader->result = -1;
}

static const char *check_text(lua_State *L, const struct reader *reader) {
  if (!xpio_is_text(L, -1)) xpio_text_error(L, XPIO_SPAWN_ATTRS, push_name(L, reader), -2);
  return lua_tostring(L, -1);
}

static bool check_boolean(lua_State *L, const struct reader *reader) {
  if (!lua_isboolean(L, -1)) type_error(L, reader, "boolean");
  return lua_toboolean(L, -1);
}

static lua_Integer check_integer(lua_State *L, const struct reader *reader, lua_Integer lowest,
                                 lua_Integer highest) {
  int exact = 0;
  lua_Integer value = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : 0;
  if (!exact) type_error(L, reader, "integer");
  if (value < lowest || value > highest)
    xpio_field_error(L, XPIO_SPAWN_ATTRS, push_name(L, reader),
                     lua_pushfstring(L, "%I is not between %I and %I", (LUAI_UACINT)value,
                                     (LUAI_UACINT)lowest, (LUAI_UACINT)highest));
  return value;
}

/* (uid_t)-1 is no user: it means "no change" to setresuid(2). */
#define HIGHEST_ID 0xfffffffe

static void read_exe(lua_State *L, struct reader *reader) {
  reader->spawn->exe = check_text(L, reader);
}

static void read_cwd(lua_State *L, struct reader *reader) {
  reader->spawn->cwd = check_text(L, reader);
}

static void read_session(lua_State *L, struct reader *reader) {
  if (check_boolean(L, reader)) reader->spawn->session = true;
}

static void read_pgroup(lua_State *L, struct reader *reader) {
  const struct xpio_process *leader = xpio_test_type(L, -1, XPIO_TYPE_PROCESS);
  if (leader == NULL) {
    if (!lua_isboolean(L, -1)) type_error(L, reader, "boolean or process object");
    reader->spawn->group = lua_toboolean(L, -1);
    return;
  }
  reader->spawn->leader = leader->child;
  if (leader->child == NULL) fail(reader, UV_ESRCH, "setpgid");
}

static void read_ctty(lua_State *L, struct reader *reader) {
  int number;
  if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) return;
  if (!xpio_to_number(L, -1, &number))
    type_error(L, reader, "xpio object, descriptor number or file handle");
  if (number < 0) fail(reader, number, "ctty");
  reader->spawn->terminal = number;
  reader->spawn->session = true;
}

static void read_umask(lua_State *L, struct reader *reader) {
  reader->spawn->umask = (int)check_integer(L, reader, 0, 0777);
}

/* There are 40 values: what is beyond changes nothing, but could overflow when added. */
static void read_nice(lua_State *L, struct reader *reader) {
  enum { MOST = 40 };
  lua_Integer increment = check_integer(L, reader, LUA_MININTEGER, LUA_MAXINTEGER);
  if (increment > MOST) increment = MOST;
  if (increment < -MOST) increment = -MOST;
  reader->spawn->nice = (int)increment;
}

static void read_uid(lua_State *L, struct reader *reader) {
  reader->spawn->uid = check_integer(L, reader, 0, HIGHEST_ID);
}

static void read_gid(lua_State *L, struct reader *reader) {
  reader->spawn->gid = check_integer(L, reader, 0, HIGHEST_ID);
}

static void read_groups(lua_State *L, struct reader *reader) {
  if (!lua_istable(L, -1)) type_error(L, reader, "table");
  struct reader element = *reader;
  size_t count = lua_rawlen(L, -1);
  if (xpio_count_fields(L, -1) != count)
    xpio_field_error(L, XPIO_SPAWN_ATTRS, "attrs.groups", "not an array, or one with a hole");
  uint32_t *groups = xpio_take(reader->memory, xpio_room(count, sizeof *groups));
  for (size_t i = 0; i < count; i++) {
    element.index = (lua_Integer)i + 1;
    lua_rawgeti(L, -1, element.index);
    groups[i] = (uint32_t)check_integer(L, &element, 0, HIGHEST_ID);
    lua_pop(L, 1);
  }
  reader->spawn->groups = groups;
  reader->spawn->group_count = count;
}

static uint64_t check_limit(lua_State *L, const struct reader *reader) {
  if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "unlimited") == 0)
    return XPIO_UNLIMITED;
  if (lua_type(L, -1) != LUA_TNUMBER) type_error(L, reader, "integer or \"unlimited\"");
  return (uint64_t)check_integer(L, reader, 0, LUA_MAXINTEGER);
}

static void read_limits(lua_State *L, struct reader *reader) {
  if (!lua_istable(L, -1)) type_error(L, reader, "table");
  struct reader element = *reader;
  struct xpio_limit *limit = (struct xpio_limit *)*reader->memory;
  reader->spawn->limits = limit;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (!xpio_is_text(L, -2)) xpio_text_error(L, XPIO_SPAWN_ATTRS, "attrs.limits: name", -2);
    element.key = lua_tostring(L, -2);
    int resource = xpio_system_limit(element.key);
    if (resource < 0)
      xpio_field_error(L, XPIO_SPAWN_ATTRS, push_name(L, &element), "no such limit");
    *limit++ = (struct xpio_limit){element.key, resource, check_limit(L, &element)};
    lua_pop(L, 1);
  }
  reader->spawn->limit_count = (size_t)(limit - reader->spawn->limits);
  xpio_take(reader->memory, xpio_room(reader->spawn->limit_count, sizeof *limit));
}

static const struct {
  const char *name;
  void (*read)(lua_State *L, struct reader *reader);
} fields[] = {
    {"exe", read_exe},   {"cwd", read_cwd},     {"pgroup", read_pgroup}, {"session", read_session},
    {"ctty", read_ctty}, {"umask", read_umask}, {"nice", read_nice},     {"limits", read_limits},
    {"uid", read_uid},   {"gid", read_gid},     {"groups", read_groups},
};

/* Reads the field whose name and value are on top. */
static void read_field(lua_State *L, struct reader *reader) {
  if (!xpio_is_text(L, -2)) xpio_text_error(L, XPIO_SPAWN_ATTRS, "attrs: name", -2);
  reader->field = lua_tostring(L, -2);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].name, reader->field) != 0) continue;
    fields[i].read(L, reader);
    return;
  }
  xpio_field_error(L, XPIO_SPAWN_ATTRS, push_name(L, reader), "there is no such attribute");
}

static bool has_attributes(lua_State *L) {
  return !lua_isnoneornil(L, XPIO_SPAWN_ATTRS);
}

size_t xpio_measure_attributes(lua_State *L) {
  size_t size = 0;
  if (!has_attributes(L)) return 0;
  luaL_checktype(L, XPIO_SPAWN_ATTRS, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, XPIO_SPAWN_ATTRS)) {
    /* Whatever table it is: limits, groups, or a mistake. */
    if (lua_istable(L, -1))
      size += xpio_room(xpio_count_fields(L, -1), sizeof(struct xpio_limit)) +
              xpio_room((size_t)lua_rawlen(L, -1), sizeof(uint32_t));
    lua_pop(L, 1);
  }
  return size;
}

int xpio_read_attributes(lua_State *L, char **memory, struct xpio_spawn *spawn,
                         struct xpio_spawn_failure *failure) {
  struct reader reader = {.memory = memory, .spawn = spawn, .failure = failure};
  if (!has_attributes(L)) return 0;
  lua_pushnil(L);
  while (lua_next(L, XPIO_SPAWN_ATTRS)) {
    read_field(L, &reader);
    lua_pop(L, 1);
  }
  if (spawn->session && spawn->leader != NULL)
    luaL_argerror(L, XPIO_SPAWN_ATTRS,
                  "attrs.pgroup: a new session (session, ctty) cannot join a group of another");
  if (spawn->session) spawn->group = false; /* it has one already */
  return reader.result;
}

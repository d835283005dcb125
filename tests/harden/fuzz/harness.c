#include "harness.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xpio.h>

void fuzz_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("\nVIOLATED: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  abort();
}

/* The models, in Lua's binary form: each input has a state of its own, and loads them. */
struct model {
  const char *name;
  char *code;
  size_t size;
};

static struct model models[] = {
    {"address", NULL, 0},   {"input", NULL, 0}, {"world", NULL, 0},     {"stream", NULL, 0},
    {"schedule", NULL, 0},  {"fiber", NULL, 0}, {"sockets", NULL, 0},   {"peers", NULL, 0},
    {"processes", NULL, 0}, {"tasks", NULL, 0}, {"transfers", NULL, 0}, {"calls", NULL, 0}};

/* Faster, and enough for what one input allocates. */
const char *__asan_default_options(void);

const char *__asan_default_options(void) {
  return "malloc_context_size=8:quarantine_size_mb=64:max_malloc_fill_size=256";
}

static int append(lua_State *L, const void *piece, size_t size, void *data) {
  struct model *model = data;
  (void)L;
  model->code = realloc(model->code, model->size + size);
  if (model->code == NULL) return 1;
  memcpy(model->code + model->size, piece, size);
  model->size += size;
  return 0;
}

/* Names and lines are for replays: it takes long to load them. */
static int strips = 1;

int fuzz_replays(int argument_count, char **arguments) {
  struct stat status;
  for (int i = 1; i < argument_count; i++)
    if (arguments[i][0] != '-' && stat(arguments[i], &status) == 0 && S_ISREG(status.st_mode))
      strips = 0;
  return !strips;
}

static void load_model(struct model *model) {
  lua_State *L = luaL_newstate();
  lua_pushfstring(L, "%s/%s.lua", FUZZ_FOLDER, model->name);
  if (luaL_loadfile(L, lua_tostring(L, -1)) != LUA_OK) fuzz_fail("%s", lua_tostring(L, -1));
  if (lua_dump(L, append, model, strips) != 0) fuzz_fail("out of memory");
  lua_close(L);
}

static int open_model(lua_State *L) {
  struct model *model = lua_touserdata(L, lua_upvalueindex(1));
  if (model->code == NULL) load_model(model);
  if (luaL_loadbuffer(L, model->code, model->size, model->name) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 1);
  return 1;
}

lua_State *fuzz_open(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  xpio_preload(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    lua_pushlightuserdata(L, &models[i]);
    lua_pushcclosure(L, open_model, 1);
    lua_setfield(L, -2, models[i].name);
  }
  lua_pop(L, 2);
  return L;
}

static int add_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

void fuzz_call(lua_State *L, int arguments, int results) {
  int function = lua_gettop(L) - arguments;
  lua_pushcfunction(L, add_traceback);
  lua_insert(L, function);
  if (lua_pcall(L, arguments, results, function) != LUA_OK) fuzz_fail("%s", lua_tostring(L, -1));
  lua_remove(L, function);
}

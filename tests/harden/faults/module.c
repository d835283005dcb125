/* The Lua module: the driver starts cases and is told what came of them. */
#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "fault.h"

enum { SLOTS = 64 }; /* so many cases at once */
static struct fault_case *slots;

static struct fault_case *check_slot(lua_State *L, int argument) {
  lua_Integer slot = luaL_checkinteger(L, argument);
  luaL_argcheck(L, slot >= 1 && slot <= SLOTS, argument, "no such slot");
  return &slots[slot - 1];
}

/* fault.open(path of xpio.so): to be called before cases are started. */
static int open_xpio(lua_State *L) {
  if (dlopen(luaL_checkstring(L, 1), RTLD_NOW) == NULL) return luaL_error(L, "%s", dlerror());
  fault_find_modules();
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* libuv aborts often */
  size_t size = SLOTS * sizeof *slots;
  slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (slots == MAP_FAILED) return luaL_error(L, "mmap: %s", strerror(errno));
  return 0;
}

static lua_Integer get_integer(lua_State *L, const char *field) {
  lua_getfield(L, 2, field);
  lua_Integer value = luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  return value;
}

static bool get_boolean(lua_State *L, const char *field) {
  lua_getfield(L, 2, field);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* The string stays where it is: in the table. */
static const char *get_string(lua_State *L, const char *field) {
  lua_getfield(L, 2, field);
  const char *value = lua_tostring(L, -1);
  if (value == NULL) luaL_error(L, "no %s", field);
  lua_pop(L, 1);
  return value;
}

static void read_case(lua_State *L, struct fault_case *slot) {
  memset(slot, 0, sizeof *slot);
  slot->call = (enum fault_call)(get_integer(L, "call") - 1);
  slot->nth = (long)get_integer(L, "nth");
  slot->error = (int)get_integer(L, "error");
  slot->outcome = slot->error != 0 ? FAULT_FAIL : FAULT_SHORT;
  slot->fork = get_boolean(L, "fork");
  slot->no_proc = get_boolean(L, "noProc");
}

static struct case_script read_script(lua_State *L) {
  return (struct case_script){
      .path = get_string(L, "path"),
      .scenario = get_string(L, "scenario"),
      .closes = get_boolean(L, "closes"),
      .old_kernel = get_boolean(L, "oldKernel"),
      .blocks = (long)get_integer(L, "blocks"),
      .descriptors = (long)get_integer(L, "descriptors"),
  };
}

/* fault.start(slot, case) -> pid. The process exits with 0 when nothing is wrong. */
static int start(lua_State *L) {
  struct fault_case *slot = check_slot(L, 1);
  struct case_script script = read_script(L);
  unsigned seconds = (unsigned)get_integer(L, "seconds");
  read_case(L, slot);
  pid_t pid = fork();
  if (pid < 0) return luaL_error(L, "fork: %s", strerror(errno));
  if (pid == 0) {
    fault_current = slot;
    alarm(seconds);
    _exit(case_run(&script) ? 0 : 1);
  }
  lua_pushinteger(L, pid);
  return 1;
}

/* fault.run(slot, case): runs it in this process, so that what is made once in a process is there
 * in all that are started then. */
static int run(lua_State *L) {
  struct fault_case *slot = check_slot(L, 1), *previous = fault_current;
  struct case_script script = read_script(L);
  read_case(L, slot);
  fault_current = slot;
  bool succeeded = case_run(&script);
  fault_current = previous;
  return succeeded ? 0 : luaL_error(L, "%s", slot->text);
}

/* fault.wait() -> pid, "exit" | "signal", number: of the next process that ends */
static int wait_for_any(lua_State *L) {
  int status;
  pid_t pid;
  do {
    pid = wait(&status);
  } while (pid < 0 && errno == EINTR);
  if (pid < 0) return luaL_error(L, "wait: %s", strerror(errno));
  lua_pushinteger(L, pid);
  lua_pushstring(L, WIFEXITED(status) ? "exit" : "signal");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  return 3;
}

static void set_integer(lua_State *L, const char *field, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, field);
}

static const char *const call_names[] = {
#define FAULT_CALL(name, symbol) #name,
#include "calls.def"
#undef FAULT_CALL
};

/* fault.result(slot) -> what came of its case: hits, reported, by, text, counts */
static int result(lua_State *L) {
  static const char *const modules[] = {"", "xpio", "libuv"};
  const struct fault_case *slot = check_slot(L, 1);
  lua_newtable(L);
  set_integer(L, "hits", slot->hits);
  lua_pushboolean(L, slot->reported);
  lua_setfield(L, -2, "reported");
  lua_pushstring(L, modules[slot->by]);
  lua_setfield(L, -2, "by");
  lua_pushstring(L, slot->text);
  lua_setfield(L, -2, "text");
  lua_newtable(L);
  for (int i = 0; i < FAULT_COUNT; i++)
    if (slot->counts[i] > 0) set_integer(L, call_names[i], slot->counts[i]);
  lua_setfield(L, -2, "counts");
  return 1;
}

/* Pushes name to number, of calls. */
static void push_calls(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < FAULT_COUNT; i++) set_integer(L, call_names[i], i + 1);
}

/* The same of errors. */
static void push_errors(lua_State *L) {
  lua_newtable(L);
  for (int i = 1; i < 256; i++)
    if (strerrorname_np(i) != NULL) set_integer(L, strerrorname_np(i), i);
}

int luaopen_faults(lua_State *L);

int luaopen_faults(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"open", open_xpio},    {"start", start},   {"run", run},
      {"wait", wait_for_any}, {"result", result}, {NULL, NULL},
  };
  luaL_newlib(L, functions);
  push_calls(L);
  lua_setfield(L, -2, "calls");
  push_errors(L);
  lua_setfield(L, -2, "errors");
  set_integer(L, "slots", SLOTS);
  return 1;
}

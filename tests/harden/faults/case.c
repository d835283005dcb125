#include "case.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator.h"
#include "fault.h"

/* Adds a line to what is wrong with the case. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...) {
  char *text = fault_current->text;
  size_t used = strlen(text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + used, sizeof fault_current->text - used, format, arguments);
  va_end(arguments);
}

static long count_descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  long count = 0;
  if (directory == NULL) abort();
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

/* fault.arm(): from now on calls count. */
static int arm(lua_State *L) {
  (void)L;
  fault_current->armed = true;
  return 0;
}

/* fault.disarm(): and from now on not any more. */
static int disarm(lua_State *L) {
  (void)L;
  fault_current->armed = false;
  return 0;
}

/* fault.hits() -> how often the call has failed */
static int hits(lua_State *L) {
  lua_pushinteger(L, fault_current->hits);
  return 1;
}

/* fault.report(): the error of the case has come to Lua. */
static int report(lua_State *L) {
  (void)L;
  fault_current->reported = true;
  return 0;
}

/* fault.hasChildren() -> whether this process has any, running or not */
static int has_children(lua_State *L) {
  siginfo_t info;
  lua_pushboolean(L, waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
  return 1;
}

static void run_probe(const struct case_script *script);

/* fault.another(): another state, with xpio, comes and goes. */
static int another(lua_State *L) {
  run_probe(lua_touserdata(L, lua_upvalueindex(1)));
  return 0;
}

/* What the scenario is called with: its name, how it is run, what the case does, and these. */
static void push_arguments(lua_State *L, const struct case_script *script) {
  static const luaL_Reg functions[] = {
      {"arm", arm},
      {"disarm", disarm},
      {"hits", hits},
      {"report", report},
      {"hasChildren", has_children},
      {NULL, NULL},
  };
  const struct fault_case *current = fault_current;
  bool by_errno = current->outcome == FAULT_FAIL && current->call != FAULT_lua;
  luaL_newlib(L, functions);
  lua_pushstring(L, script->scenario);
  lua_setfield(L, -2, "scenario");
  lua_pushboolean(L, script->closes);
  lua_setfield(L, -2, "closes");
  lua_pushboolean(L, current->nth > 0 && current->call == FAULT_lua);
  lua_setfield(L, -2, "ofLua");
  lua_pushlightuserdata(L, (void *)script);
  lua_pushcclosure(L, another, 1);
  lua_setfield(L, -2, "another");
  lua_pushstring(L, by_errno ? strerrorname_np(current->error) : NULL);
  lua_setfield(L, -2, "code");
}

static int traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* Runs case.lua in this state, and the function that it returns. */
static bool run_script(lua_State *L, const struct case_script *script) {
  luaL_openlibs(L);
  lua_pushcfunction(L, traceback);
  bool ran = luaL_loadfile(L, script->path) == LUA_OK && lua_pcall(L, 0, 1, 1) == LUA_OK;
  if (ran) push_arguments(L, script);
  ran = ran && lua_pcall(L, 1, 0, 1) == LUA_OK;
  fault_current->armed = false;
  if (!ran) complain("%s\n", lua_tostring(L, -1));
  return ran;
}

static void run_state(const struct case_script *script, bool closes) {
  struct allocator allocator = {0};
  lua_State *L = lua_newstate(allocator_allocate, &allocator);
  if (L == NULL) abort();
  run_script(L, script);
  fault_current->armed = closes;
  lua_close(L);
  fault_current->armed = false;
  if (allocator.bytes != 0) complain("%zu bytes of Lua's are left\n", allocator.bytes);
}

static void run_probe(const struct case_script *script) {
  struct case_script probe = *script;
  probe.scenario = "probe";
  probe.closes = false;
  run_state(&probe, false);
}

/* When lua_close has met the fault, another state of the process is to work. Children that went
 * on when the first was closed are waited for: they end when their pipes do. */
static void run_another_state(const struct case_script *script) {
  while (wait(NULL) > 0 || errno == EINTR) continue;
  run_probe(script);
}

static void set_environment(const struct case_script *script) {
  if (script->old_kernel)
    setenv("XPIO_OLD_KERNEL", "1", 1);
  else
    unsetenv("XPIO_OLD_KERNEL");
}

bool case_run(const struct case_script *script) {
  set_environment(script);
  long descriptors = count_descriptors(), blocks = fault_live_blocks();
  run_state(script, script->closes);
  if (script->closes) run_another_state(script);
  descriptors = count_descriptors() - descriptors - script->descriptors;
  blocks = fault_live_blocks() - blocks - script->blocks;
  if (blocks > 0) complain("%ld blocks of xpio or libuv are left\n", blocks);
  if (descriptors > 0) complain("%ld descriptors are left\n", descriptors);
  if (waitpid(-1, NULL, WNOHANG) != -1) complain("a child is left\n");
  return fault_current->text[0] == '\0';
}

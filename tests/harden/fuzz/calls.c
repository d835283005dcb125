/* Fuzzes sequences of calls: the bytes of an input decide on them, and a model in Lua knows
 * what must be true of their results. */
#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static int replays;
static unsigned inputs;

/* Pushes what is open, a line each: number and target. What has no name but its type, such
 * as an epoll, is left out: some of those a state makes when they are first needed. */
static int push_descriptors(lua_State *L) {
  DIR *folder = opendir("/proc/self/fd");
  luaL_Buffer list;
  luaL_buffinit(L, &list);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char target[256];
    ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
    if (length < 0 || atoi(entry->d_name) == dirfd(folder)) continue;
    target[length] = '\0';
    target[strcspn(target, " ")] = '\0'; /* " (deleted)", which can happen at any time */
    if (strncmp(target, "anon_inode:", 11) == 0) continue;
    lua_pushfstring(L, "%s %s\n", entry->d_name, target);
    luaL_addvalue(&list);
  }
  closedir(folder);
  luaL_pushresult(&list);
  return 1;
}

static int count_descriptors(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

/* has_children() -> whether there is any, a zombie too */
static int has_children(lua_State *L) {
  siginfo_t child;
  int result = waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT);
  lua_pushboolean(L, result == 0);
  return 1;
}

static int write_text(lua_State *L) {
  fputs(luaL_checkstring(L, 1), stderr);
  return 0;
}

/* What libFuzzer takes for parts of the program, to be reached: it sees no Lua. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t situations[8192];

/* note(key): there is a situation, which this string tells from others */
static int note_situation(lua_State *L) {
  size_t length;
  const char *key = luaL_checklstring(L, 1, &length);
  uint32_t hash = 2166136261;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)key[i]) * 16777619;
  situations[hash % sizeof situations] = 1;
  return 0;
}

static void push_system(lua_State *L) {
  static const luaL_Reg functions[] = {{"descriptors", push_descriptors},
                                       {"has_children", has_children},
                                       {"note", note_situation},
                                       {"write", write_text},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
}

static void run(lua_State *L, const uint8_t *data, size_t size) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "calls");
  fuzz_call(L, 1, 1);
  lua_pushlstring(L, size > 0 ? (const char *)data : "", size);
  lua_pushboolean(L, replays);
  inputs++;
  lua_pushfstring(L, "127.%d.%d.1", (int)(inputs >> 8 & 255), (int)(inputs & 255));
  push_system(L);
  fuzz_call(L, 4, 0);
}

/* Those that are left end by themselves: what they are connected with is closed. */
static void reap_children(void) {
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
}

/* A first state makes what a process has once: libuv's pipe for signals. */
int LLVMFuzzerInitialize(int *argument_count, char ***arguments) {
  replays = fuzz_replays(*argument_count, *arguments);
  lua_State *L = fuzz_open();
  run(L, NULL, 0);
  lua_close(L);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int before = count_descriptors();
  lua_State *L = fuzz_open();
  run(L, data, size);
  lua_close(L);
  reap_children();
  int after = count_descriptors();
  if (after != before) fuzz_fail("%d descriptors are open after lua_close, not %d", after, before);
  return 0;
}

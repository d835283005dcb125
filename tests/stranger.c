/* Functions for Lua by which a host can get in the way of xpio's children. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

int luaopen_reap(lua_State *L);
int luaopen_catch(lua_State *L);
int luaopen_caught(lua_State *L);
int luaopen_forget(lua_State *L);
int luaopen_reset(lua_State *L);
int luaopen_dumpable(lua_State *L);

/* reap(pid) -> boolean
 * Waits for a child as only the one who has started it should, and takes its status. */
int luaopen_reap(lua_State *L) {
  pid_t pid = (pid_t)luaL_checkinteger(L, 1), reaped;
  do {
    reaped = waitpid(pid, NULL, 0);
  } while (reaped < 0 && errno == EINTR);
  lua_pushboolean(L, reaped == pid);
  return 1;
}

static volatile sig_atomic_t caught;

static void on_child(int number) {
  (void)number;
  caught++;
}

/* catch()
 * Replaces the handler of SIGCHLD by one that counts and calls no other. */
int luaopen_catch(lua_State *L) {
  struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
  (void)L;
  sigemptyset(&action.sa_mask);
  sigaction(SIGCHLD, &action, NULL);
  return 0;
}

/* caught() -> integer
 * How many signals that handler has counted. */
int luaopen_caught(lua_State *L) {
  lua_pushinteger(L, caught);
  return 1;
}

/* forget()
 * Has the system keep no status of children, though SIGCHLD is not ignored. */
int luaopen_forget(lua_State *L) {
  struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  (void)L;
  sigemptyset(&action.sa_mask);
  sigaction(SIGCHLD, &action, NULL);
  return 0;
}

/* reset()
 * Takes away whatever handler SIGCHLD has. */
int luaopen_reset(lua_State *L) {
  (void)L;
  signal(SIGCHLD, SIG_DFL);
  return 0;
}

/* dumpable() -> integer
 * 1 while this process may be debugged, and open what is in its /proc/self/fd. */
int luaopen_dumpable(lua_State *L) {
  lua_pushinteger(L, prctl(PR_GET_DUMPABLE));
  return 1;
}

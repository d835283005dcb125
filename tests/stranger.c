/* A function for Lua that behaves badly: reap(pid) waits for a child as only the one
 * who has started it should, and takes its status. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <sys/wait.h>

int luaopen_reap(lua_State *L);

int luaopen_reap(lua_State *L) {
  pid_t pid = (pid_t)luaL_checkinteger(L, 1), reaped;
  do {
    reaped = waitpid(pid, NULL, 0);
  } while (reaped < 0 && errno == EINTR);
  lua_pushboolean(L, reaped == pid);
  return 1;
}

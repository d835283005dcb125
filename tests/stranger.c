/* Functions for Lua by which a host can get in the way of xpio's children; and those of its
 * sockets that xpio makes none of. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

int luaopen_reap(lua_State *L);
int luaopen_catch(lua_State *L);
int luaopen_caught(lua_State *L);
int luaopen_forget(lua_State *L);
int luaopen_reset(lua_State *L);
int luaopen_dumpable(lua_State *L);
int luaopen_socket(lua_State *L);
int luaopen_datagrams(lua_State *L);

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

/* socket(kind) -> number, or nothing where there is none
 * "inet_stream", say. */
int luaopen_socket(lua_State *L) {
  static const struct {
    const char *kind;
    int family, type;
  } kinds[] = {
      {"inet_stream", AF_INET, SOCK_STREAM},     {"inet_datagram", AF_INET, SOCK_DGRAM},
      {"inet6_stream", AF_INET6, SOCK_STREAM},   {"inet6_datagram", AF_INET6, SOCK_DGRAM},
      {"unix_stream", AF_UNIX, SOCK_STREAM},     {"unix_datagram", AF_UNIX, SOCK_DGRAM},
      {"unix_packets", AF_UNIX, SOCK_SEQPACKET},
  };
  const char *kind = luaL_checkstring(L, 1);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].kind, kind) != 0) continue;
    int number = socket(kinds[i].family, kinds[i].type | SOCK_CLOEXEC, 0);
    if (number < 0) return 0;
    lua_pushinteger(L, number);
    return 1;
  }
  return luaL_argerror(L, 1, "no such kind");
}

/* datagrams() -> number, number
 * Two Unix sockets, of datagrams, that are connected. */
int luaopen_datagrams(lua_State *L) {
  int numbers[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, numbers) < 0)
    return luaL_error(L, "%s", strerror(errno));
  lua_pushinteger(L, numbers[0]);
  lua_pushinteger(L, numbers[1]);
  return 2;
}

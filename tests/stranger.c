/* A module for Lua that behaves badly: once it is open, a thread takes the status of
 * every child of the process. */
#include <lua.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>

static void *reap(void *argument) {
  (void)argument;
  for (;;)
    if (waitpid(-1, NULL, 0) < 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return NULL;
}

int luaopen_stranger(lua_State *L);

int luaopen_stranger(lua_State *L) {
  pthread_t thread;
  lua_pushboolean(L, pthread_create(&thread, NULL, reap, NULL) == 0);
  return 1;
}

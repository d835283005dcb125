/* A program that loads the module from its file, which Lua unloads in lua_close. */
#include "embed.h"

#include <signal.h>

static struct sigaction previous;
static volatile sig_atomic_t calls;

static void count(int number) {
  (void)number;
  calls++;
}

static void call_previous(int number, siginfo_t *info, void *context) {
  previous.sa_sigaction(number, info, context);
}

/* One argument: the path of the module. */
int main(int argument_count, char **arguments) {
  if (argument_count != 2) return 2;
  struct sigaction first = {.sa_handler = count};
  struct sigaction second = {.sa_sigaction = call_previous, .sa_flags = SA_SIGINFO};
  sigaction(SIGINT, &first, NULL);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_pushstring(L, arguments[1]);
  lua_setglobal(L, "path");
  check(run(L, "return assert(package.loadlib(path, 'luaopen_xpio'))()"), "the module is loaded");
  sigaction(SIGINT, &second, &previous);
  check((previous.sa_flags & SA_SIGINFO) != 0, "it has put its handler before the host's");
  lua_close(L);
  raise(SIGINT);
  check(calls == 1, "a handler that is chained behind the module's may call that after lua_close");
  return finish();
}

/* What a program that contains xpio finds without any files. */
#include "embed.h"

int main(void) {
  char version[40];
  lua_State *L = new_state();
  check(run(L, "return require 'xpio'._VERSION == 'xpio " XPIO_VERSION "'"), "the module is found");
  check(run(L, "return require 'xpio.dispatcher'.run"), "its parts in Lua are found");
  check(run(L, "local ok, message = pcall(require 'xpio.dispatcher'.start) "
               "return not ok and message:find('xpio.dispatcher:%d+:')"),
        "and name their lines in errors");
  snprintf(version, sizeof version, "%d.%d.%d", XPIO_VERSION_NUMBER / 10000,
           XPIO_VERSION_NUMBER / 100 % 100, XPIO_VERSION_NUMBER % 100);
  check(strcmp(version, XPIO_VERSION) == 0, "the version can be compared");
  lua_close(L);

  L = luaL_newstate();
  xpio_preload(L);
  luaL_openlibs(L);
  check(run(L, "return require 'xpio'"), "the libraries may be opened later");
  check(lua_gettop(L) == 0, "the stack is as it was");
  lua_close(L);

  L = luaL_newstate();
  luaL_requiref(L, "xpio", luaopen_xpio, 1);
  check(lua_istable(L, -1), "the opener works without any library");
  lua_close(L);
  return finish();
}

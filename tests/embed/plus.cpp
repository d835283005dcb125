// A program in C++.
#include <cstdio>

#include <lua.hpp>
#include <xpio.h>

static_assert(XPIO_VERSION_NUMBER >= 100, "a version that knows this interface");

int main() {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  xpio_preload(L);
  bool good = luaL_dostring(L, "return require 'xpio'.gettime()") == LUA_OK && !xpio_is_waiting(L);
  std::printf("%sok 1 - a program in C++ contains xpio\n1..1\n", good ? "" : "not ");
  lua_close(L);
  return good ? 0 : 1;
}

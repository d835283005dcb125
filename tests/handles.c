/* Functions for Lua: what a host on Windows can do with handles and descriptors, and what
 * it can learn of its process. */
#include <fcntl.h>
#include <io.h>
#include <lauxlib.h>
#include <windows.h>

__declspec(dllexport) int luaopen_handles(lua_State *L);

/* pipe() -> reader, writer: descriptors of the C runtime */
static int make_pipe(lua_State *L) {
  int numbers[2];
  if (_pipe(numbers, 4096, _O_BINARY) < 0) luaL_error(L, "no pipe");
  lua_pushinteger(L, numbers[0]);
  lua_pushinteger(L, numbers[1]);
  return 2;
}

/* close(number) */
static int close_number(lua_State *L) {
  lua_pushboolean(L, _close((int)luaL_checkinteger(L, 1)) == 0);
  return 1;
}

/* place(number, at): also at this number */
static int place(lua_State *L) {
  int number = (int)luaL_checkinteger(L, 1), at = (int)luaL_checkinteger(L, 2);
  lua_pushboolean(L, _dup2(number, at) == 0);
  return 1;
}

/* count() -> how many handles this process has open, of the first that there can be. Not by
 * GetProcessHandleCount, which in Wine says 0. */
static int count_handles(lua_State *L) {
  enum { STEP = 4, END = 1024 * STEP };
  lua_Integer count = 0;
  DWORD flags;
  for (ULONG_PTR handle = STEP; handle < END; handle += STEP)
    if (GetHandleInformation((HANDLE)handle, &flags)) count++;
  lua_pushinteger(L, count);
  return 1;
}

/* processor_time() -> seconds that this process has used; clock() tells those that passed */
static int processor_time(lua_State *L) {
  FILETIME times[4];
  double sum = 0;
  GetProcessTimes(GetCurrentProcess(), &times[0], &times[1], &times[2], &times[3]);
  for (int i = 2; i < 4; i++)
    sum += times[i].dwHighDateTime * 4294967296.0 + times[i].dwLowDateTime;
  lua_pushnumber(L, sum / 1e7);
  return 1;
}

/* The handle below a descriptor, or the SOCKET that it is. */
static HANDLE check_handle(lua_State *L) {
  lua_Integer number = luaL_checkinteger(L, 1);
  return lua_toboolean(L, 2) ? (HANDLE)(ULONG_PTR)number : (HANDLE)_get_osfhandle((int)number);
}

/* inherit(number, is a socket): makes it inheritable */
static int make_inheritable(lua_State *L) {
  lua_pushboolean(L, SetHandleInformation(check_handle(L), HANDLE_FLAG_INHERIT, 1));
  return 1;
}

/* inherits(number, is a socket) -> boolean */
static int is_inheritable(lua_State *L) {
  DWORD flags = 0;
  GetHandleInformation(check_handle(L), &flags);
  lua_pushboolean(L, (flags & HANDLE_FLAG_INHERIT) != 0);
  return 1;
}

int luaopen_handles(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"pipe", make_pipe},
      {"close", close_number},
      {"place", place},
      {"inherit", make_inheritable},
      {"inherits", is_inheritable},
      {"count", count_handles},
      {"processor_time", processor_time},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}

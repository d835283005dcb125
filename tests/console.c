/* A console for tests on Windows, to type into and to look at. The one that a test is
 * started with may be none. A Lua module, opened by package.loadlib. */
#include <lauxlib.h>
#include <windows.h>

/* A console that needs no screen, and this side of it. */
struct console {
  HPCON handle;
  HANDLE typed, shown;
};

static void open_console(lua_State *L, struct console *console) {
  HANDLE input, output;
  if (!CreatePipe(&input, &console->typed, NULL, 0) ||
      !CreatePipe(&console->shown, &output, NULL, 0) ||
      FAILED(CreatePseudoConsole((COORD){80, 25}, input, output, 0, &console->handle)))
    luaL_error(L, "no console: error %d", (int)GetLastError());
  CloseHandle(input);
  CloseHandle(output);
}

static void close_console(struct console *console) {
  CloseHandle(console->typed);
  CloseHandle(console->shown);
  ClosePseudoConsole(console->handle);
}

/* Starts a command line in the console. */
static HANDLE start(lua_State *L, const char *command, const struct console *console) {
  SIZE_T size = 0;
  STARTUPINFOEXA startup = {.StartupInfo.cb = sizeof startup};
  PROCESS_INFORMATION process;
  InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  startup.lpAttributeList = lua_newuserdatauv(L, size, 0);
  InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size);
  UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE,
                            console->handle, sizeof console->handle, NULL, NULL);
  if (!CreateProcessA(NULL, (char *)command, NULL, NULL, FALSE, EXTENDED_STARTUPINFO_PRESENT, NULL,
                      NULL, &startup.StartupInfo, &process))
    luaL_error(L, "%s: error %d", command, (int)GetLastError());
  CloseHandle(process.hThread);
  return process.hProcess;
}

/* run(command line, seconds) -> exit status */
static int run(lua_State *L) {
  const char *command = luaL_checkstring(L, 1);
  DWORD milliseconds = (DWORD)(luaL_checknumber(L, 2) * 1000), status = 0;
  struct console console;
  open_console(L, &console);
  HANDLE process = start(L, command, &console);
  if (WaitForSingleObject(process, milliseconds) != WAIT_OBJECT_0)
    TerminateProcess(process, (UINT)-1);
  GetExitCodeProcess(process, &status);
  CloseHandle(process);
  close_console(&console);
  lua_pushinteger(L, (lua_Integer)status);
  return 1;
}

static HANDLE open_device(const wchar_t *name) {
  return CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                     OPEN_EXISTING, 0, NULL);
}

/* type(text): as somebody would at this process's console; "\r" is Enter */
static int type(lua_State *L) {
  HANDLE input = open_device(L"CONIN$");
  for (const char *character = luaL_checkstring(L, 1); *character != '\0'; character++) {
    INPUT_RECORD record = {.EventType = KEY_EVENT};
    DWORD written;
    record.Event.KeyEvent.bKeyDown = TRUE;
    record.Event.KeyEvent.wRepeatCount = 1;
    record.Event.KeyEvent.uChar.UnicodeChar = (wchar_t)*character;
    if (*character == '\r') record.Event.KeyEvent.wVirtualKeyCode = VK_RETURN;
    if (!WriteConsoleInputW(input, &record, 1, &written))
      luaL_error(L, "nothing can be typed: error %d", (int)GetLastError());
  }
  CloseHandle(input);
  return 0;
}

/* shown() -> string: the first line of this process's console, to its end */
static int shown(lua_State *L) {
  HANDLE output = open_device(L"CONOUT$");
  char line[80];
  DWORD count = 0;
  ReadConsoleOutputCharacterA(output, line, sizeof line, (COORD){0, 0}, &count);
  CloseHandle(output);
  lua_pushlstring(L, line, count);
  return 1;
}

/* interrupt(): Ctrl-C for all processes of this console but this one */
static int interrupt(lua_State *L) {
  SetConsoleCtrlHandler(NULL, TRUE);
  lua_pushboolean(L, GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
  return 1;
}

__declspec(dllexport) int luaopen_console(lua_State *L);

__declspec(dllexport) int luaopen_console(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"run", run}, {"type", type}, {"shown", shown}, {"interrupt", interrupt}, {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}

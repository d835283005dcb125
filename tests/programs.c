/* true, false, echo, sleep and cat, under whichever of these names it is started. For
 * systems that do not have them, so that the tests can start the same children there. */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static int echo(int count, char **arguments) {
  for (int i = 0; i < count; i++) printf(i + 1 < count ? "%s " : "%s", arguments[i]);
  return putchar('\n') == EOF;
}

static int pause_for(const char *seconds) {
  Sleep((DWORD)(atof(seconds) * 1000));
  return 0;
}

/* Not by the C library's streams, which would wait for a whole buffer. */
static int cat(void) {
  static char buffer[65536];
  int size;
  while ((size = _read(0, buffer, sizeof buffer)) > 0)
    if (_write(1, buffer, (unsigned)size) != size) return 1;
  return size < 0;
}

static int is(const char *path, const char *name) {
  const char *end = strrchr(path, '\\') != NULL ? strrchr(path, '\\') + 1 : path;
  size_t length = strlen(name);
  return _strnicmp(end, name, length) == 0 && (end[length] == '\0' || end[length] == '.');
}

/* By its file: the name that it was started with may be another. */
int main(int count, char **arguments) {
  char path[MAX_PATH];
  GetModuleFileNameA(NULL, path, sizeof path);
  _setmode(0, _O_BINARY);
  _setmode(1, _O_BINARY);
  if (is(path, "true")) return 0;
  if (is(path, "false")) return 1;
  if (is(path, "echo")) return echo(count - 1, arguments + 1);
  if (is(path, "sleep") && count > 1) return pause_for(arguments[1]);
  if (is(path, "cat")) return cat();
  fprintf(stderr, "%s: there is no such program\n", path);
  return 127;
}

/* Finding a program in PATH. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plan.h"

/* What execvp takes when there is no PATH (confstr(3), _CS_PATH). */
#define DEFAULT_PATH "/bin:/usr/bin"

/* Makes an absolute path of a name in an entry of PATH; an empty entry is the
 * current directory. False when it does not fit, or that directory is gone. */
static bool join(char *path, size_t size, const char *entry, size_t length, const char *name) {
  size_t used = 0;
  if (length == 0 || entry[0] != '/') {
    if (getcwd(path, size) == NULL) return false;
    used = strlen(path);
    if (used + 1 >= size) return false;
    path[used++] = '/';
  }
  const char *slash = length == 0 ? "" : "/";
  int added = snprintf(path + used, size - used, "%.*s%s%s", (int)length, entry, slash, name);
  return added >= 0 && (size_t)added < size - used;
}

/* 0, or why this is not the one. */
static int check_executable(const char *path) {
  struct stat status;
  if (stat(path, &status) < 0) return errno;
  if (!S_ISREG(status.st_mode)) return ENOENT;
  return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

int xpio_unix_search(const char *name, char *path, size_t size) {
  const char *entry = getenv("PATH");
  if (entry == NULL) entry = DEFAULT_PATH;
  int result = ENOENT;
  while (name[0] != '\0') {
    size_t length = strcspn(entry, ":");
    int error = join(path, size, entry, length, name) ? check_executable(path) : ENOENT;
    if (error == 0) return 0;
    if (error == EACCES) result = EACCES;
    entry += length;
    if (*entry == '\0') break;
    entry++;
  }
  return result;
}

/* Finding programs and folders. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "search.h"

enum { LONGEST = 32768 }; /* characters of a path or of PATH */

static wchar_t *widen(const char *text) {
  int length = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
  wchar_t *wide = malloc((size_t)length * sizeof *wide);
  if (wide != NULL) MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, length);
  return wide;
}

static bool is_file(const wchar_t *path) {
  DWORD attributes = GetFileAttributesW(path);
  return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* folder \\ name extension */
static bool is_there(const wchar_t *folder, size_t length, const wchar_t *name,
                     const wchar_t *extension, wchar_t *path) {
  int size = _snwprintf(path, LONGEST, L"%.*ls\\%ls%ls", (int)length, folder, name, extension);
  return size > 0 && size < LONGEST && is_file(path);
}

/* A name with a dot in it may be complete, "cmd.exe", or not: "lua5.4". Empty entries
 * would mean the current folder. */
static bool find(const wchar_t *folders, const wchar_t *name, wchar_t *found) {
  bool complete = wcschr(name, L'.') != NULL;
  while (*folders != L'\0') {
    size_t length = wcscspn(folders, L";");
    if (length > 0 && ((complete && is_there(folders, length, name, L"", found)) ||
                       is_there(folders, length, name, L".exe", found) ||
                       is_there(folders, length, name, L".com", found)))
      return true;
    folders += length + (folders[length] == L';');
  }
  return false;
}

static char *narrow(const wchar_t *wide) {
  int length = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
  char *text = malloc((size_t)length);
  if (text != NULL) WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, length, NULL, NULL);
  return text;
}

int xpio_windows_search(const char *name, char **path) {
  wchar_t *wide = widen(name);
  wchar_t *folders = calloc(LONGEST, sizeof *folders);
  wchar_t *found = calloc(LONGEST, sizeof *found);
  int result = UV_ENOMEM;
  if (wide != NULL && folders != NULL && found != NULL) {
    GetEnvironmentVariableW(L"PATH", folders, LONGEST);
    result = find(folders, wide, found) ? 0 : UV_ENOENT;
    *path = result == 0 ? narrow(found) : NULL;
    if (result == 0 && *path == NULL) result = UV_ENOMEM;
  }
  free(wide);
  free(folders);
  free(found);
  return result;
}

int xpio_windows_check_folder(const char *path) {
  wchar_t *wide = widen(path);
  if (wide == NULL) return UV_ENOMEM;
  DWORD attributes = GetFileAttributesW(wide);
  free(wide);
  if (attributes == INVALID_FILE_ATTRIBUTES) return UV_ENOENT;
  return (attributes & FILE_ATTRIBUTE_DIRECTORY) ? 0 : UV_ENOTDIR;
}

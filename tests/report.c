/* A child that tells what it was given, on Windows: see probe.c for the others.
 *
 *     report FILE ...          writes a Lua table to FILE, as source
 *     report --number N ...    writes to each of these descriptors its number */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

enum { MOST_DESCRIPTORS = 256, LONGEST = 65536 };

/* As a Lua string, in UTF-8. */
static void print_string(FILE *out, const wchar_t *wide) {
  static char text[LONGEST];
  WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, sizeof text, NULL, NULL);
  putc('"', out);
  for (const char *character = text; *character != '\0'; character++) {
    if (*character >= ' ' && *character <= '~' && *character != '"' && *character != '\\')
      putc(*character, out);
    else
      fprintf(out, "\\%03d", (unsigned char)*character);
  }
  putc('"', out);
}

static void print_arguments(FILE *out, int count, wchar_t **arguments) {
  fputs("  arguments = {", out);
  for (int i = 0; i < count; i++) {
    print_string(out, arguments[i]);
    fputs(", ", out);
  }
  fputs("},\n", out);
}

static void print_environment(FILE *out) {
  wchar_t *all = GetEnvironmentStringsW();
  fputs("  environment = {", out);
  for (const wchar_t *one = all; *one != L'\0'; one += wcslen(one) + 1) {
    print_string(out, one);
    fputs(", ", out);
  }
  fputs("},\n", out);
  FreeEnvironmentStringsW(all);
}

static const char *kind_of(HANDLE handle) {
  switch (GetFileType(handle)) {
  case FILE_TYPE_PIPE: return "pipe";
  case FILE_TYPE_DISK: return "file";
  case FILE_TYPE_CHAR: return "device";
  default: return "unknown";
  }
}

static void print_descriptors(FILE *out, int own) {
  fputs("  descriptors = {", out);
  for (int number = 0; number < MOST_DESCRIPTORS; number++) {
    HANDLE handle = (HANDLE)_get_osfhandle(number);
    if (number == own || handle == INVALID_HANDLE_VALUE || handle == (HANDLE)-2) continue;
    fprintf(out, "[%d] = \"%s\", ", number, kind_of(handle));
  }
  fputs("},\n", out);
}

static int write_numbers(int count, wchar_t **numbers) {
  for (int i = 0; i < count; i++) {
    char text[16];
    int number = _wtoi(numbers[i]);
    int size = snprintf(text, sizeof text, "%d ", number);
    if (_write(number, text, (unsigned)size) != size) return 1;
  }
  return 0;
}

int main(void) {
  int count;
  wchar_t cwd[MAX_PATH], **arguments = CommandLineToArgvW(GetCommandLineW(), &count);
  if (count > 1 && wcscmp(arguments[1], L"--number") == 0)
    return write_numbers(count - 2, arguments + 2);
  FILE *out = count > 1 ? _wfopen(arguments[1], L"wb") : NULL;
  if (out == NULL) return 99;
  GetCurrentDirectoryW(MAX_PATH, cwd);
  fputs("return {\n", out);
  print_arguments(out, count, arguments);
  print_environment(out);
  print_descriptors(out, _fileno(out));
  fputs("  cwd = ", out);
  print_string(out, cwd);
  fprintf(out, ",\n  pid = %lu,\n}\n", GetCurrentProcessId());
  return fclose(out) != 0;
}

/* Signals and resource limits. Windows has next to none of them, but their names are
 * known: a program that asks for one is told that it is not supported here, and not
 * that it was misspelt. */
#include <stddef.h>
#include <string.h>

#include "../system_child.h"

/* The numbers are those of the C runtime and of libuv where they have one, otherwise
 * Linux's. */
int xpio_system_signal_number(const char *name) {
  static const struct {
    const char *name;
    int number;
  } names[] = {
      {"HUP", 1},   {"INT", 2},   {"QUIT", 3},    {"ILL", 4},     {"TRAP", 5},   {"ABRT", 22},
      {"BUS", 7},   {"FPE", 8},   {"KILL", 9},    {"USR1", 10},   {"SEGV", 11},  {"USR2", 12},
      {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15},   {"STKFLT", 16}, {"CHLD", 17},  {"CONT", 18},
      {"STOP", 19}, {"TSTP", 20}, {"BREAK", 21},  {"TTIN", 33},   {"TTOU", 34},  {"URG", 23},
      {"XCPU", 24}, {"XFSZ", 25}, {"VTALRM", 26}, {"PROF", 27},   {"WINCH", 28}, {"IO", 29},
      {"PWR", 30},  {"SYS", 31},
  };
  if (strncmp(name, "SIG", 3) == 0) name += 3;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].name, name) == 0) return names[i].number;
  return -1;
}

int xpio_system_limit(const char *name) {
  static const char *const names[] = {"as",    "core",    "cpu",      "data",       "fsize",
                                      "locks", "memlock", "msgqueue", "nice",       "nofile",
                                      "nproc", "rtprio",  "rttime",   "sigpending", "stack"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], name) == 0) return (int)i;
  return -1;
}

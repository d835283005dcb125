/* A child that tells what it was given. Two uses:
 *
 *     probe FILE ...          writes a Lua table to FILE, as source, and exits
 *     probe --disturbed PROGRAM ...   executes PROGRAM with every signal ignored and
 *                             blocked that can be, those of the C library too
 *
 * It asks the kernel and trusts no tool. Linux only. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 4096, MOST_GROUPS = 1024 };

static FILE *out;

static void fail(const char *what) {
  perror(what);
  exit(99);
}

/* As a Lua string, byte for byte. */
static void print_string(const char *text) {
  putc('"', out);
  for (; *text != '\0'; text++) {
    if (*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\')
      putc(*text, out);
    else
      fprintf(out, "\\%03d", (unsigned char)*text);
  }
  putc('"', out);
}

static void print_strings(const char *name, char **strings) {
  fprintf(out, "  %s = {", name);
  for (; *strings != NULL; strings++) {
    print_string(*strings);
    fputs(", ", out);
  }
  fputs("},\n", out);
}

/* The open descriptors, but for the one that this takes. */
static int list_descriptors(int *numbers) {
  DIR *directory = opendir("/proc/self/fd");
  struct dirent *entry;
  int count = 0;
  if (directory == NULL) fail("/proc/self/fd");
  while ((entry = readdir(directory)) != NULL && count < MOST_DESCRIPTORS) {
    int number = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number != dirfd(directory)) numbers[count++] = number;
  }
  closedir(directory);
  return count;
}

static void print_descriptor(int number) {
  static const char *const accesses[] = {"read", "write", "both", "none"};
  char path[64], target[PATH_MAX + 1];
  int flags = fcntl(number, F_GETFL);
  snprintf(path, sizeof path, "/proc/self/fd/%d", number);
  ssize_t length = readlink(path, target, PATH_MAX);
  target[length < 0 ? 0 : length] = '\0';
  fprintf(out, "    [%d] = {target = ", number);
  print_string(target);
  fprintf(out, ", access = \"%s\", nonblocking = %s, closeonexec = %s},\n",
          accesses[flags & O_ACCMODE], flags & O_NONBLOCK ? "true" : "false",
          fcntl(number, F_GETFD) & FD_CLOEXEC ? "true" : "false");
}

static void print_descriptors(const int *numbers, int count) {
  fputs("  descriptors = {\n", out);
  for (int i = 0; i < count; i++) print_descriptor(numbers[i]);
  fputs("  },\n", out);
}

static void print_blocked(void) {
  uint64_t blocked = 0;
  if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, 8) < 0) fail("rt_sigprocmask");
  fputs("  blocked = {", out);
  for (int number = 1; number <= 64; number++)
    if (blocked >> (number - 1) & 1) fprintf(out, "%d, ", number);
  fputs("},\n", out);
}

/* Not from /proc/self/status: what is caught there is caught by an emulator. */
static void print_signals(const char *name, bool caught) {
  fprintf(out, "  %s = {", name);
  for (int number = 1; number <= 64; number++) {
    unsigned long action[8] = {0}; /* the kernel's struct: the handler is first */
    syscall(SYS_rt_sigaction, number, NULL, action, 8);
    if (caught ? action[0] > 1 : action[0] == 1) fprintf(out, "%d, ", number);
  }
  fputs("},\n", out);
}

static void print_limit(const char *name, int resource) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) < 0) fail("getrlimit");
  fprintf(out, "    %s = {%lld, %lld},\n", name, (long long)limit.rlim_cur,
          (long long)limit.rlim_max);
}

static void print_limits(void) {
  fputs("  limits = { -- soft and hard; -1 is unlimited\n", out);
  print_limit("core", RLIMIT_CORE);
  print_limit("cpu", RLIMIT_CPU);
  print_limit("fsize", RLIMIT_FSIZE);
  print_limit("nofile", RLIMIT_NOFILE);
  fputs("  },\n", out);
}

static void print_identity(void) {
  gid_t groups[MOST_GROUPS];
  uid_t real, effective, saved;
  getresuid(&real, &effective, &saved);
  fprintf(out, "  uid = {%u, %u, %u},\n", real, effective, saved);
  getresgid(&real, &effective, &saved);
  fprintf(out, "  gid = {%u, %u, %u},\n", real, effective, saved);
  int count = getgroups(MOST_GROUPS, groups);
  fputs("  groups = {", out);
  for (int i = 0; i < count; i++) fprintf(out, "%u, ", groups[i]);
  fputs("},\n", out);
}

/* A descriptor of the controlling terminal is opened, so this comes last. */
static void print_relations(void) {
  int terminal = open("/dev/tty", O_RDWR | O_NOCTTY);
  fprintf(out, "  pid = %d, parent = %d, group = %d, session = %d,\n", getpid(), getppid(),
          getpgrp(), getsid(0));
  fprintf(out, "  controlled = %s,", terminal >= 0 ? "true" : "false");
  fprintf(out, " foreground = %d,\n", terminal >= 0 ? tcgetpgrp(terminal) : -1);
}

static void print_rest(void) {
  char cwd[PATH_MAX];
  mode_t mask = umask(0);
  if (getcwd(cwd, sizeof cwd) == NULL) fail("getcwd");
  fputs("  cwd = ", out);
  print_string(cwd);
  fprintf(out, ",\n  umask = %d,\n", (int)mask);
  fprintf(out, "  nice = %d,\n", getpriority(PRIO_PROCESS, 0));
}

static void disturb(char **arguments) {
  /* The kernel's struct; the C library refuses its own two signals. */
  const unsigned long ignore[8] = {1}, all[2] = {~0UL, ~0UL};
  for (int number = 1; number <= 64; number++) syscall(SYS_rt_sigaction, number, ignore, NULL, 8);
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, all, NULL, 8);
  execvp(arguments[0], arguments);
  fail(arguments[0]);
}

int main(int argc, char **argv, char **environment) {
  int numbers[MOST_DESCRIPTORS];
  if (argc > 2 && strcmp(argv[1], "--disturbed") == 0) disturb(argv + 2);
  int count = list_descriptors(numbers);
  out = argc > 1 ? fopen(argv[1], "w") : NULL;
  if (out == NULL) fail("probe FILE");
  fputs("return {\n", out);
  print_strings("arguments", argv);
  print_strings("environment", environment);
  print_descriptors(numbers, count);
  print_blocked();
  print_signals("ignored", false);
  print_signals("caught", true);
  print_limits();
  print_identity();
  print_rest();
  print_relations();
  fputs("}\n", out);
  if (fclose(out) != 0) fail("writing");
  return 0;
}

/* Numbers that differ between systems, by their names. */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "../system_child.h"

struct name {
  const char *name;
  int number;
};

static int find(const struct name *names, const char *name) {
  while (names->name != NULL && strcmp(names->name, name) != 0) names++;
  return names->name != NULL ? names->number : -1;
}

int xpio_system_signal_number(const char *name) {
  static const struct name names[] = {
      {"ABRT", SIGABRT},
      {"ALRM", SIGALRM},
      {"BUS", SIGBUS},
      {"CHLD", SIGCHLD},
      {"CONT", SIGCONT},
      {"FPE", SIGFPE},
      {"HUP", SIGHUP},
      {"ILL", SIGILL},
      {"INT", SIGINT},
      {"KILL", SIGKILL},
      {"PIPE", SIGPIPE},
      {"PROF", SIGPROF},
      {"QUIT", SIGQUIT},
      {"SEGV", SIGSEGV},
      {"STOP", SIGSTOP},
      {"SYS", SIGSYS},
      {"TERM", SIGTERM},
      {"TRAP", SIGTRAP},
      {"TSTP", SIGTSTP},
      {"TTIN", SIGTTIN},
      {"TTOU", SIGTTOU},
      {"URG", SIGURG},
      {"USR1", SIGUSR1},
      {"USR2", SIGUSR2},
      {"XCPU", SIGXCPU},
      {"XFSZ", SIGXFSZ},
      {"VTALRM", SIGVTALRM},
      {"WINCH", SIGWINCH},
      {"IO", SIGIO},
#ifdef SIGPWR
      {"PWR", SIGPWR},
#endif
#ifdef SIGSTKFLT
      {"STKFLT", SIGSTKFLT},
#endif
#ifdef SIGINFO
      {"INFO", SIGINFO},
#endif
      {NULL, -1},
  };
  return find(names, strncmp(name, "SIG", 3) == 0 ? name + 3 : name);
}

int xpio_system_limit(const char *name) {
  static const struct name names[] = {
      {"core", RLIMIT_CORE},
      {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},
      {"fsize", RLIMIT_FSIZE},
      {"nofile", RLIMIT_NOFILE},
      {"stack", RLIMIT_STACK},
#ifdef RLIMIT_AS
      {"as", RLIMIT_AS},
#endif
#ifdef RLIMIT_NPROC
      {"nproc", RLIMIT_NPROC},
#endif
#ifdef RLIMIT_MEMLOCK
      {"memlock", RLIMIT_MEMLOCK},
#endif
#ifdef __linux__
      {"locks", RLIMIT_LOCKS},
      {"sigpending", RLIMIT_SIGPENDING},
      {"msgqueue", RLIMIT_MSGQUEUE},
      {"nice", RLIMIT_NICE},
      {"rtprio", RLIMIT_RTPRIO},
      {"rttime", RLIMIT_RTTIME},
#endif
      {NULL, -1},
  };
  return find(names, name);
}

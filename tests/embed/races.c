/* What belongs to the process, and two threads change at once. */
#include "embed.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* The first thread is held up where it could be overtaken, until the second one has come so
 * far. If that waits for the first, as it should, it comes no further, and we not to a point
 * that we could wait for: so after this time the first goes on. */
enum { HELD_UP_SECONDS = 1 };

static _Thread_local bool is_first, is_second;
static sem_t looked, overtaken, changed;

static void wait_for(sem_t *event) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += HELD_UP_SECONDS;
  while (sem_timedwait(event, &end) < 0 && errno == EINTR) continue;
}

static void *find(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

typedef int sigaction_function(int, const struct sigaction *, struct sigaction *);
typedef int prctl_function(int, ...);

static sigaction_function *next_sigaction;
static prctl_function *next_prctl;

/* In place of the C library's: the first thread has looked, and not changed anything yet. */
int sigaction(int number, const struct sigaction *action, struct sigaction *previous) {
  if (next_sigaction == NULL) *(void **)&next_sigaction = find("sigaction");
  int result = next_sigaction(number, action, previous);
  if (number != SIGCHLD) return result;
  if (is_first && action == NULL && previous->sa_handler == SIG_IGN) {
    sem_post(&looked);
    wait_for(&overtaken);
  }
  if (is_second && action != NULL && (action->sa_flags & SA_SIGINFO)) sem_post(&overtaken);
  return result;
}

/* The same: the first thread has its child, and has not made good for it yet. */
int prctl(int option, ...) {
  va_list arguments;
  va_start(arguments, option);
  unsigned long argument = va_arg(arguments, unsigned long);
  va_end(arguments);
  if (next_prctl == NULL) *(void **)&next_prctl = find("prctl");
  if (is_first && option == PR_SET_DUMPABLE) {
    sem_post(&looked);
    wait_for(&overtaken);
  }
  int result = next_prctl(option, argument, 0, 0, 0);
  if (is_first && option == PR_SET_DUMPABLE) sem_post(&changed);
  if (is_second && option == PR_GET_DUMPABLE) {
    sem_post(&overtaken);
    wait_for(&changed);
  }
  return result;
}

struct part {
  lua_State *L;
  const char *code;
  bool good;
};

static void *run_first(void *argument) {
  struct part *part = argument;
  is_first = true;
  part->good = run(part->L, part->code);
  return NULL;
}

static void *run_second(void *argument) {
  struct part *part = argument;
  is_second = true;
  wait_for(&looked);
  part->good = run(part->L, part->code);
  return NULL;
}

static bool run_both(struct part *first, struct part *second) {
  pthread_t threads[2];
  sem_init(&looked, 0, 0);
  sem_init(&overtaken, 0, 0);
  sem_init(&changed, 0, 0);
  pthread_create(&threads[0], NULL, run_first, first);
  pthread_create(&threads[1], NULL, run_second, second);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  return first->good && second->good;
}

static bool child_handler_is_there(void) {
  struct sigaction action;
  return sigaction(SIGCHLD, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO);
}

/* The first takes back that SIGCHLD is ignored, which would undo the handler that the second
 * has put there meanwhile: nothing would tell that one of the end of its child. */
static void test_handler(void) {
  struct part first = {new_state(), "return require 'xpio'.spawn({'true'})", false};
  struct part second = {new_state(),
                        "local xpio = require 'xpio' "
                        "reader, writer = xpio.pipe() "
                        "process = assert(xpio.spawn({'cat'}, nil, {[0] = reader})) "
                        "return process:when_wait({_queue = xpio.tqueue()})",
                        false};
  signal(SIGCHLD, SIG_IGN);
  bool good = run_both(&first, &second);
  check(good && child_handler_is_there(), "SIGCHLD that was ignored goes to whom waits for it");
  lua_close(first.L);
  lua_close(second.L);
}

/* The second would find the process as the child of the first has left it, and leave it so. */
static void test_dumpable(void) {
  static const char code[] =
      "return require 'xpio'.spawn({'/bin/true'}, nil, nil, {uid = 65534, gid = 65534})";
  struct part first = {new_state(), code, false}, second = {new_state(), code, false};
  if (geteuid() != 0) {
    check(true, "children of other users leave the process as it was # SKIP needs to be root");
    return;
  }
  bool good = run_both(&first, &second);
  check(good && prctl(PR_GET_DUMPABLE, 0) == 1,
        "children of other users leave the process as it was");
  lua_close(first.L);
  lua_close(second.L);
}

int main(void) {
  setenv("XPIO_OLD_KERNEL", "1", 1);
  test_handler();
  test_dumpable();
  return finish();
}

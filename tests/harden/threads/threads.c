/* One state in each of four threads, closed and opened anew while the others go on.
 *
 * usage: harden-threads SCRIPT CHILDREN ROUNDS
 *
 * Each state runs the script, which spawns so many children. With ThreadSanitizer vfork is
 * no more than fork; without it, the child is in the memory of the other threads. */
#include "../../embed/embed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, HOST_STATUS = 77, OPENINGS = 200, TOGETHER = 10, INTERRUPT_MICROSECONDS = 200 };

struct thread {
  pthread_t id;
  int number;
  int rounds;
  const char *script;
  lua_Integer children; /* of each round */
  bool good;            /* the script, in every round */
  bool kept;            /* the host's own child each time was there for it */
};

/* In place of the C library's, unseen by ThreadSanitizer, to which a descriptor is like a
 * variable. A spare watcher (src/unix/watcher.c) is closed with its loop, its descriptor was
 * before, and libuv then takes that number out of its epoll. Another thread may have opened it
 * since, but that is not in there: the call fails, and changes nothing. */
int epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event) {
  return (int)syscall(SYS_epoll_ctl, epoll, operation, descriptor, event);
}

static atomic_int child_signals, interrupts, running;

static void on_child(int number) {
  (void)number;
  atomic_fetch_add(&child_signals, 1);
}

static void on_interrupt(int number) {
  (void)number;
  atomic_fetch_add(&interrupts, 1);
}

static void handle(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

static void mask(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(how, &set, NULL);
}

/* A child that xpio knows nothing of. */
static pid_t start_own_child(void) {
  char script[32];
  char *const arguments[] = {"sh", "-c", script, NULL};
  pid_t pid;
  snprintf(script, sizeof script, "exit %d", HOST_STATUS);
  return posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ) == 0 ? pid : -1;
}

static bool reap_own_child(pid_t pid) {
  int status = 0;
  pid_t reaped;
  do {
    reaped = waitpid(pid, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  return reaped == pid && WIFEXITED(status) && WEXITSTATUS(status) == HOST_STATUS;
}

static bool run_script(const struct thread *thread) {
  lua_State *L = new_state();
  bool good = luaL_loadfile(L, thread->script) == LUA_OK;
  lua_pushinteger(L, thread->number);
  lua_pushinteger(L, thread->children);
  lua_pushboolean(L, geteuid() == 0);
  good = good && lua_pcall(L, 3, 1, 0) == LUA_OK && lua_isboolean(L, -1);
  if (!good) printf("# thread %d: %s\n", thread->number, lua_tostring(L, -1));
  lua_close(L);
  return good;
}

/* In every third round of one of them SIGCHLD does not get through. */
static void *run_rounds(void *argument) {
  struct thread *thread = argument;
  for (int round = 0; round < thread->rounds && thread->good; round++) {
    bool blocks = thread->number == 3 && round % 3 == 1;
    pid_t own = start_own_child();
    if (blocks) mask(SIG_BLOCK, SIGCHLD);
    thread->good = run_script(thread);
    if (blocks) mask(SIG_UNBLOCK, SIGCHLD);
    thread->kept = thread->kept && reap_own_child(own);
    fputc('.', stderr);
  }
  atomic_fetch_sub(&running, 1);
  return NULL;
}

/* Opens states and closes each at once: handlers of signals come and go. */
static void *open_and_close(void *argument) {
  struct thread *thread = argument;
  for (int i = 0; i < OPENINGS * thread->rounds && thread->good; i++) {
    lua_State *L = new_state();
    thread->good = run(L, i % 50 != 0 ? "require 'xpio'"
                                      : "local process = require 'xpio'.spawn({'cat'}) "
                                        "return process:wait() == 'exit'");
    lua_close(L);
  }
  atomic_fetch_sub(&running, 1);
  return NULL;
}

/* Signals come to any thread that lets them through: not to this one, which has nothing else
 * to do. */
static void interrupt_threads(void) {
  while (atomic_load(&running) > 0) {
    kill(getpid(), SIGINT);
    usleep(INTERRUPT_MICROSECONDS);
  }
}

/* A thread does more rounds the fewer children a round has, so that each opens and closes
 * its states while others are in the middle of theirs. */
static void run_threads(int count, struct thread *threads, char **arguments,
                        void *(*function)(void *)) {
  atomic_store(&running, count);
  for (int i = 0; i < count; i++) {
    threads[i] = (struct thread){
        .number = i,
        .rounds = atoi(arguments[3]) * (i + 1),
        .script = arguments[1],
        .children = atoi(arguments[2]) / (i + 1),
        .good = true,
        .kept = true,
    };
    pthread_create(&threads[i].id, NULL, function, &threads[i]);
  }
  mask(SIG_BLOCK, SIGCHLD);
  mask(SIG_BLOCK, SIGINT);
  interrupt_threads();
  mask(SIG_UNBLOCK, SIGINT);
  mask(SIG_UNBLOCK, SIGCHLD);
  for (int i = 0; i < count; i++) pthread_join(threads[i].id, NULL);
}

/* Those that states have left behind when they were closed, and no others. */
static int reap_children(void) {
  int count = 0;
  for (;;) {
    pid_t pid = waitpid(-1, NULL, 0);
    if (pid < 0 && errno != EINTR) return count;
    if (pid > 0) count++;
  }
}

/* By two, so that often there is no state that is open. */
static void test_openings(char **arguments) {
  struct thread threads[2];
  run_threads(2, threads, arguments, open_and_close);
  check(threads[0].good && threads[1].good, "states are opened and closed while signals come");
}

static pthread_barrier_t barrier; /* of the four threads and the first one */
static atomic_int input;          /* a descriptor: what the children of a round read from */

/* arrive() -> integer
 * Waits until all have arrived. */
static int arrive(lua_State *L) {
  pthread_barrier_wait(&barrier);
  lua_pushinteger(L, atomic_load(&input));
  return 1;
}

static void *wait_together(void *argument) {
  struct thread *thread = argument;
  lua_State *L = new_state();
  lua_register(L, "arrive", arrive);
  lua_pushinteger(L, (lua_Integer)TOGETHER * thread->rounds);
  lua_setglobal(L, "rounds");
  thread->good = run(L, "local xpio = require 'xpio' "
                        "local queue, woken = xpio.tqueue(), 0 "
                        "for _ = 1, rounds do "
                        "  local files = {[0] = arrive()} "
                        "  local process <close> = assert(xpio.spawn({'cat'}, nil, files)) "
                        "  assert(process:when_wait {_queue = queue}) "
                        "  arrive() "
                        "  woken = woken + #queue:wait(60) "
                        "  arrive() "
                        "end "
                        "return woken == rounds");
  lua_close(L);
  return NULL;
}

/* All children of a round end at once, and after that there is no other signal that could
 * wake a thread which the first ones have not reached. */
static void test_together(int rounds) {
  struct thread threads[THREADS];
  bool good = true;
  pthread_barrier_init(&barrier, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) {
    threads[i] = (struct thread){.rounds = rounds};
    pthread_create(&threads[i].id, NULL, wait_together, &threads[i]);
  }
  for (int i = 0; i < TOGETHER * rounds; i++) {
    int pipe[2];
    if (pipe2(pipe, O_CLOEXEC) < 0) abort();
    atomic_store(&input, pipe[0]);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    close(pipe[1]);
    pthread_barrier_wait(&barrier);
    close(pipe[0]);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i].id, NULL);
    good = good && threads[i].good;
  }
  check(good, "the end of a child reaches each thread when all end at once");
}

static void test_rounds(char **arguments) {
  struct thread threads[THREADS];
  bool good = true, kept = true;
  int states = 0;
  run_threads(THREADS, threads, arguments, run_rounds);
  for (int i = 0; i < THREADS; i++) {
    good = good && threads[i].good;
    kept = kept && threads[i].kept;
    states += threads[i].rounds;
  }
  fputc('\n', stderr);
  check(good, "four threads get their own children, events and data");
  check(kept, "children of the host are left to it");
  check(reap_children() == states, "each state leaves the child that still ran, and no zombie");
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  handle(SIGCHLD, on_child);
  handle(SIGINT, on_interrupt);
  test_together(atoi(arguments[3]));
  test_openings(arguments);
  test_rounds(arguments);
  check(atomic_load(&child_signals) > 0, "the host's handler of SIGCHLD is called");
  check(atomic_load(&interrupts) > 0, "and that of SIGINT");
  check(prctl(PR_GET_DUMPABLE) == 1, "children of another user leave the process as it was");
  return finish();
}

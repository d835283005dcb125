/* SIGINT and SIGPIPE.
 *
 * Ctrl-C: libuv goes on waiting after a signal, and the SIGINT handler
 * of lua.c does no more than set a hook. So the handler is chained: ours calls
 * the one that was there, then wakes every loop, so that `wait` returns and the
 * hook can raise its error.
 *
 * A signal handler finds things by static variables only: this file is the one
 * place that has some. They belong to the process, as the handler does. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "../system.h"

/* An entry is never freed, only reused, so that the handler may walk the list
 * at any time. */
struct entry {
  _Atomic(uv_async_t *) wakeup; /* null when the entry is free */
  struct entry *next;
};

static _Atomic(struct entry *) entries;
static pthread_mutex_t entries_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int handlers_running;
static atomic_uint interrupts; /* how many SIGINT there were */

/* The handler that ours has replaced. Written only while ours is not there. */
static struct sigaction previous;
static bool has_previous;

static void call_previous(int number, siginfo_t *info, void *context) {
  if (previous.sa_flags & SA_SIGINFO)
    previous.sa_sigaction(number, info, context);
  else
    previous.sa_handler(number);
}

static void on_interrupt(int number, siginfo_t *info, void *context) {
  int saved_errno = errno;
  atomic_fetch_add(&interrupts, 1);
  call_previous(number, info, context); /* which may not return, but jump */
  atomic_fetch_add(&handlers_running, 1);
  for (struct entry *entry = atomic_load(&entries); entry != NULL; entry = entry->next) {
    uv_async_t *wakeup = atomic_load(&entry->wakeup);
    if (wakeup != NULL) uv_async_send(wakeup);
  }
  atomic_fetch_sub(&handlers_running, 1);
  errno = saved_errno;
}

static bool is_ours(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_interrupt;
}

/* A default action needs no help, and who ignores SIGINT means it. */
static bool is_handler(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) ||
         (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static bool same_handler(const struct sigaction *one, const struct sigaction *other) {
  return (one->sa_flags & SA_SIGINFO) == (other->sa_flags & SA_SIGINFO) &&
         (one->sa_flags & SA_SIGINFO ? one->sa_sigaction == other->sa_sigaction
                                     : one->sa_handler == other->sa_handler);
}

/* A handler that has taken the place of ours may call ours, as that of a second
 * copy of xpio does: calling it in turn would never end. So only the handler that
 * was found first is chained again. */
static void chain(void) {
  struct sigaction current;
  if (sigaction(SIGINT, NULL, &current) < 0 || !is_handler(&current) || is_ours(&current)) return;
  if (has_previous && !same_handler(&current, &previous)) return;
  previous = current;
  has_previous = true;
  current.sa_sigaction = on_interrupt;
  current.sa_flags |= SA_SIGINFO;
  sigaction(SIGINT, &current, NULL);
}

static void unchain(void) {
  struct sigaction current;
  if (sigaction(SIGINT, NULL, &current) < 0 || !is_ours(&current)) return;
  sigaction(SIGINT, &previous, NULL);
  has_previous = false;
}

unsigned xpio_system_interrupt_count(void) {
  return atomic_load(&interrupts);
}

void xpio_system_interrupt_chain(void) {
  pthread_mutex_lock(&entries_mutex);
  chain();
  pthread_mutex_unlock(&entries_mutex);
}

static struct entry *find_entry(uv_async_t *wakeup) {
  struct entry *entry = atomic_load(&entries);
  while (entry != NULL && atomic_load(&entry->wakeup) != wakeup) entry = entry->next;
  return entry;
}

/* Without memory for an entry, Ctrl-C works as it did before xpio. */
static void add_entry(uv_async_t *wakeup) {
  struct entry *entry = find_entry(NULL);
  if (entry != NULL) {
    atomic_store(&entry->wakeup, wakeup);
    return;
  }
  entry = malloc(sizeof *entry);
  if (entry == NULL) return;
  atomic_init(&entry->wakeup, wakeup);
  entry->next = atomic_load(&entries);
  atomic_store(&entries, entry);
}

void xpio_system_interrupt_add(uv_async_t *wakeup) {
  pthread_mutex_lock(&entries_mutex);
  add_entry(wakeup);
  chain();
  pthread_mutex_unlock(&entries_mutex);
}

static bool any_entry_used(void) {
  struct entry *entry = atomic_load(&entries);
  while (entry != NULL && atomic_load(&entry->wakeup) == NULL) entry = entry->next;
  return entry != NULL;
}

/* A handler that runs in another thread may have read the pointer already: the
 * caller closes the async handle, so wait until it is through. */
void xpio_system_interrupt_remove(uv_async_t *wakeup) {
  pthread_mutex_lock(&entries_mutex);
  struct entry *entry = find_entry(wakeup);
  if (entry != NULL) atomic_store(&entry->wakeup, NULL);
  if (!any_entry_used()) unchain();
  pthread_mutex_unlock(&entries_mutex);
  while (atomic_load(&handlers_running) > 0) continue;
}

void xpio_system_ignore_sigpipe(void) {
  struct sigaction action;
  if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL) return;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
}

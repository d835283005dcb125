/* SIGINT, SIGCHLD and SIGPIPE.
 *
 * Ctrl-C: libuv goes on waiting after a signal, and the SIGINT handler
 * of lua.c does no more than set a hook. So the handler is chained: ours calls
 * the one that was there, then wakes every loop, so that `wait` returns and the
 * hook can raise its error. SIGCHLD is chained likewise, for loops with children
 * whose end nothing else tells, and only from the first of these on.
 *
 * A signal handler finds things by static variables only: this file is the one
 * place that has some, but for a mutex in spawn.c. They belong to the process, as the
 * handler does. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "../system.h"
#include "unix.h"

/* An entry is never freed, only reused, so that the handler may walk the list
 * at any time. */
struct entry {
  _Atomic(uv_async_t *) wakeup; /* null when the entry is free */
  struct entry *next;
};

/* A handler of the host's; one of the two is null. It is never freed or changed either:
 * when ours is put in its place again, it may still run in another thread. */
struct target {
  void (*plain)(int);
  void (*informed)(int, siginfo_t *, void *);
  struct target *next;
};

/* A signal whose handler is ours, which calls the one that was there. */
struct chain {
  int number;
  void (*handler)(int, siginfo_t *, void *);
  _Atomic(struct entry *) entries;
  atomic_int running;               /* how many threads are in the handler */
  _Atomic(struct target *) current; /* that ours calls; null for a default action */
  /* The rest is guarded by chains_mutex, and not for handlers. */
  struct target *targets;    /* all that there ever were */
  struct sigaction previous; /* the action that ours has replaced */
  bool has_previous;
};

static void on_interrupt(int number, siginfo_t *info, void *context);
static void on_child(int number, siginfo_t *info, void *context);

static pthread_mutex_t chains_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct chain interrupt_chain = {.number = SIGINT, .handler = on_interrupt};
static struct chain child_chain = {.number = SIGCHLD, .handler = on_child};
static atomic_uint interrupts; /* how many SIGINT there were */

/* SA_SIGINFO does not tell: it may have been left over when the handler was taken away. Both
 * kinds of handlers are in the same place. */
static bool is_handler(const struct sigaction *action) {
  return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static void call_previous(struct chain *chain, siginfo_t *info, void *context) {
  const struct target *target = atomic_load(&chain->current);
  if (target == NULL) return;
  if (target->informed != NULL)
    target->informed(chain->number, info, context);
  else
    target->plain(chain->number);
}

static void send_wakeups(struct chain *chain) {
  for (struct entry *entry = atomic_load(&chain->entries); entry != NULL; entry = entry->next) {
    uv_async_t *wakeup = atomic_load(&entry->wakeup);
    if (wakeup != NULL) uv_async_send(wakeup);
  }
}

static void handle(struct chain *chain, siginfo_t *info, void *context) {
  int saved_errno = errno;
  call_previous(chain, info, context); /* which may not return, but jump */
  atomic_fetch_add(&chain->running, 1);
  send_wakeups(chain);
  atomic_fetch_sub(&chain->running, 1);
  errno = saved_errno;
}

static void on_interrupt(int number, siginfo_t *info, void *context) {
  (void)number;
  atomic_fetch_add(&interrupts, 1);
  handle(&interrupt_chain, info, context);
}

static void on_child(int number, siginfo_t *info, void *context) {
  (void)number;
  handle(&child_chain, info, context);
}

static bool is_ours(const struct chain *chain, const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == chain->handler;
}

static bool same_handler(const struct sigaction *one, const struct sigaction *other) {
  return (one->sa_flags & SA_SIGINFO) == (other->sa_flags & SA_SIGINFO) &&
         ((one->sa_flags & SA_SIGINFO) ? one->sa_sigaction == other->sa_sigaction
                                       : one->sa_handler == other->sa_handler);
}

void xpio_system_stay_loaded(void) {
#ifdef RTLD_NODELETE
  Dl_info info;
  if (dladdr(&chains_mutex, &info) != 0)
    dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
#endif
}

/* The one for this handler, or null when there is no memory for it. */
static struct target *find_target(struct chain *chain, const struct sigaction *action) {
  bool informed = action->sa_flags & SA_SIGINFO;
  struct target wanted = {.plain = informed ? NULL : action->sa_handler,
                          .informed = informed ? action->sa_sigaction : NULL,
                          .next = chain->targets};
  struct target *target = chain->targets;
  while (target != NULL && (target->plain != wanted.plain || target->informed != wanted.informed))
    target = target->next;
  if (target != NULL) return target;
  target = malloc(sizeof *target);
  if (target == NULL) return NULL;
  *target = wanted;
  chain->targets = target;
  return target;
}

static bool install(struct chain *chain, struct sigaction action) {
  struct target *target = is_handler(&action) ? find_target(chain, &action) : NULL;
  if (is_handler(&action) && target == NULL) return false;
  chain->previous = action;
  chain->has_previous = true;
  atomic_store(&chain->current, target);
  if (!is_handler(&action)) action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
  action.sa_sigaction = chain->handler;
  action.sa_flags |= SA_SIGINFO;
  sigaction(chain->number, &action, NULL);
  return true;
}

/* Puts ours in place of the action that is there. A handler that has taken the place of
 * ours may call ours, as that of a second copy of xpio does: calling it in turn would
 * never end. So only the handler that was found first is chained again. */
static bool replace(struct chain *chain, const struct sigaction *current) {
  if (chain->has_previous && !same_handler(current, &chain->previous)) return false;
  return install(chain, *current);
}

static void unchain(struct chain *chain) {
  struct sigaction current;
  if (sigaction(chain->number, NULL, &current) < 0 || !is_ours(chain, &current)) return;
  sigaction(chain->number, &chain->previous, NULL);
  chain->has_previous = false;
}

static struct entry *find_entry(struct chain *chain, const uv_async_t *wakeup) {
  struct entry *entry = atomic_load(&chain->entries);
  while (entry != NULL && atomic_load(&entry->wakeup) != wakeup) entry = entry->next;
  return entry;
}

static int add_entry(struct chain *chain, uv_async_t *wakeup) {
  struct entry *entry = find_entry(chain, NULL);
  if (entry != NULL) {
    atomic_store(&entry->wakeup, wakeup);
    return 0;
  }
  entry = malloc(sizeof *entry);
  if (entry == NULL) return UV_ENOMEM;
  atomic_init(&entry->wakeup, wakeup);
  entry->next = atomic_load(&chain->entries);
  atomic_store(&chain->entries, entry);
  return 0;
}

static bool any_entry_used(struct chain *chain) {
  struct entry *entry = atomic_load(&chain->entries);
  while (entry != NULL && atomic_load(&entry->wakeup) == NULL) entry = entry->next;
  return entry != NULL;
}

/* A handler that runs in another thread may have read the pointer already: the
 * caller closes the async handle, so wait until it is through. */
static void remove_entry(struct chain *chain, uv_async_t *wakeup) {
  pthread_mutex_lock(&chains_mutex);
  struct entry *entry = find_entry(chain, wakeup);
  if (entry != NULL) atomic_store(&entry->wakeup, NULL);
  if (!any_entry_used(chain)) unchain(chain);
  pthread_mutex_unlock(&chains_mutex);
  while (atomic_load(&chain->running) > 0) continue;
}

/* A default action needs no help, and who ignores SIGINT means it. */
static void chain_interrupt(void) {
  struct sigaction current;
  if (sigaction(SIGINT, NULL, &current) < 0 || is_ours(&interrupt_chain, &current)) return;
  if (is_handler(&current)) replace(&interrupt_chain, &current);
}

unsigned xpio_system_interrupt_count(void) {
  return atomic_load(&interrupts);
}

void xpio_system_interrupt_chain(void) {
  pthread_mutex_lock(&chains_mutex);
  chain_interrupt();
  pthread_mutex_unlock(&chains_mutex);
}

/* Without memory for an entry, Ctrl-C works as it did before xpio. */
void xpio_system_interrupt_add(uv_async_t *wakeup) {
  pthread_mutex_lock(&chains_mutex);
  add_entry(&interrupt_chain, wakeup);
  chain_interrupt();
  pthread_mutex_unlock(&chains_mutex);
}

void xpio_system_interrupt_remove(uv_async_t *wakeup) {
  remove_entry(&interrupt_chain, wakeup);
}

int xpio_unix_child_signal_add(uv_async_t *wakeup) {
  pthread_mutex_lock(&chains_mutex);
  int error = add_entry(&child_chain, wakeup);
  pthread_mutex_unlock(&chains_mutex);
  return error;
}

/* While our handler was not there, children may have ended: every loop is to look. */
bool xpio_unix_child_signal_chain(void) {
  struct sigaction current;
  pthread_mutex_lock(&chains_mutex);
  bool known = sigaction(SIGCHLD, NULL, &current) == 0;
  bool chained = known && is_ours(&child_chain, &current);
  if (known && !chained && replace(&child_chain, &current)) {
    send_wakeups(&child_chain);
    chained = true;
  }
  pthread_mutex_unlock(&chains_mutex);
  return chained;
}

void xpio_unix_child_signal_remove(uv_async_t *wakeup) {
  remove_entry(&child_chain, wakeup);
}

static void keep_child_statuses(void) {
  struct sigaction action;
  if (sigaction(SIGCHLD, NULL, &action) < 0) return;
  bool ignored = action.sa_handler == SIG_IGN;
  if (!ignored && !(action.sa_flags & SA_NOCLDWAIT)) return;
  action.sa_flags &= ~SA_NOCLDWAIT;
  if (ignored) action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, NULL);
}

/* Another thread's spawn may put our handler there between the look and the change. */
void xpio_unix_keep_child_statuses(void) {
  pthread_mutex_lock(&chains_mutex);
  keep_child_statuses();
  pthread_mutex_unlock(&chains_mutex);
}

bool xpio_system_sigpipe_acts(void) {
  struct sigaction action;
  return sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

void xpio_system_set_sigpipe(bool acts) {
  struct sigaction action;
  if (sigaction(SIGPIPE, NULL, &action) < 0 || is_handler(&action)) return;
  memset(&action, 0, sizeof action);
  action.sa_handler = acts ? SIG_DFL : SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
}

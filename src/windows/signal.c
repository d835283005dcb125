/* Ctrl-C on Windows. The C runtime calls the handler that was set by signal, in a
 * thread of its own; that of lua.c sets a hook. As on Unix, ours calls the one that was
 * there, then wakes every loop. There is no SIGPIPE.
 *
 * Static variables: what a handler can find. They belong to the process, as it does. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "internal.h"

typedef void handler(int number);

/* An entry is never freed, only reused, so that the handler may walk the list. */
struct entry {
  _Atomic(uv_async_t *) wakeup; /* null when the entry is free */
  struct entry *next;
};

static SRWLOCK lock = SRWLOCK_INIT;
static _Atomic(struct entry *) entries;
static _Atomic(handler *) previous; /* the one that ours has replaced */
static atomic_int running;          /* how many threads are in ours */
static atomic_uint interrupts;

/* The runtime has set the default action before it calls the handler (signal in the C
 * library's manual), and lua.c leaves it at that: a second Ctrl-C ends the program. */
static void on_interrupt(int number) {
  atomic_fetch_add(&interrupts, 1);
  handler *first = atomic_load(&previous);
  if (first != NULL) first(number);
  atomic_fetch_add(&running, 1);
  for (struct entry *entry = atomic_load(&entries); entry != NULL; entry = entry->next) {
    uv_async_t *wakeup = atomic_load(&entry->wakeup);
    if (wakeup != NULL) uv_async_send(wakeup);
  }
  atomic_fetch_sub(&running, 1);
}

static bool is_handler(handler *action) {
  return action != SIG_DFL && action != SIG_IGN && action != SIG_ERR;
}

/* What is set can only be learned by setting another. A handler that has taken the
 * place of ours may call ours: only the one that was found first is chained again. */
static void chain(void) {
  handler *found = signal(SIGINT, on_interrupt);
  handler *first = atomic_load(&previous);
  if (found == on_interrupt) return;
  if (is_handler(found) && (first == NULL || first == found))
    atomic_store(&previous, found);
  else
    (void)signal(SIGINT, found);
}

/* Not if another handler has taken the place of ours: it may call ours. */
static void unchain(void) {
  handler *first = atomic_load(&previous);
  if (first == NULL) return;
  handler *found = signal(SIGINT, first);
  if (found == on_interrupt)
    atomic_store(&previous, NULL);
  else
    (void)signal(SIGINT, found);
}

static struct entry *find(const uv_async_t *wakeup) {
  struct entry *entry = atomic_load(&entries);
  while (entry != NULL && atomic_load(&entry->wakeup) != wakeup) entry = entry->next;
  return entry;
}

static bool any_used(void) {
  struct entry *entry = atomic_load(&entries);
  while (entry != NULL && atomic_load(&entry->wakeup) == NULL) entry = entry->next;
  return entry != NULL;
}

static void add(uv_async_t *wakeup) {
  struct entry *entry = find(NULL);
  if (entry != NULL) {
    atomic_store(&entry->wakeup, wakeup);
    return;
  }
  entry = malloc(sizeof *entry);
  if (entry == NULL) return; /* Ctrl-C then works as it did before xpio */
  atomic_init(&entry->wakeup, wakeup);
  entry->next = atomic_load(&entries);
  atomic_store(&entries, entry);
}

void xpio_system_stay_loaded(void) {
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     (const wchar_t *)(void *)&lock, &module);
}

void xpio_system_interrupt_add(uv_async_t *wakeup) {
  AcquireSRWLockExclusive(&lock);
  add(wakeup);
  chain();
  ReleaseSRWLockExclusive(&lock);
}

void xpio_system_interrupt_chain(void) {
  AcquireSRWLockExclusive(&lock);
  chain();
  ReleaseSRWLockExclusive(&lock);
}

void xpio_system_interrupt_remove(uv_async_t *wakeup) {
  AcquireSRWLockExclusive(&lock);
  struct entry *entry = find(wakeup);
  if (entry != NULL) atomic_store(&entry->wakeup, NULL);
  if (!any_used()) unchain();
  ReleaseSRWLockExclusive(&lock);
  /* The handler may have read the pointer already, and the caller closes the handle. */
  while (atomic_load(&running) > 0) continue;
}

unsigned xpio_system_interrupt_count(void) {
  return atomic_load(&interrupts);
}

bool xpio_system_sigpipe_acts(void) {
  return false;
}

void xpio_system_set_sigpipe(bool acts) {
  (void)acts;
}

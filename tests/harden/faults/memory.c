/* malloc and its kin. A block of xpio's or libuv's is noted by its address until it is freed, by
 * whomever. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "fault.h"

/* A hash table of addresses, in which a block is found from its place on. */
enum { SIZE = 1 << 16 };
static const void *blocks[SIZE];
static const char removed; /* its address stands where a block was */
static long live;

static size_t place_of(const void *block) {
  return ((uintptr_t)block >> 4) * 0x9e3779b1U % SIZE;
}

static void note(const void *block) {
  size_t place = place_of(block);
  if (live > SIZE / 2) abort();
  while (blocks[place] != NULL && blocks[place] != &removed) place = (place + 1) % SIZE;
  blocks[place] = block;
  live++;
}

static void forget(const void *block) {
  if (live == 0 || block == NULL) return;
  size_t place = place_of(block);
  while (blocks[place] != NULL && blocks[place] != block) place = (place + 1) % SIZE;
  if (blocks[place] == NULL) return;
  blocks[place] = &removed;
  live--;
}

long fault_live_blocks(void) {
  return live;
}

static void *noted(void *block, const void *caller) {
  if (block != NULL && fault_module_of(caller) != FAULT_OTHERS) note(block);
  return block;
}

void *malloc(size_t size) {
  if (FAULT_NEXT(malloc) == NULL) fault_find_next();
  if (fault_fails(FAULT_malloc, FAULT_CALLER)) return NULL;
  return noted(FAULT_NEXT(malloc)(size), FAULT_CALLER);
}

void *calloc(size_t count, size_t size) {
  if (FAULT_NEXT(calloc) == NULL) fault_find_next();
  if (fault_fails(FAULT_calloc, FAULT_CALLER)) return NULL;
  return noted(FAULT_NEXT(calloc)(count, size), FAULT_CALLER);
}

void *realloc(void *block, size_t size) {
  if (FAULT_NEXT(realloc) == NULL) fault_find_next();
  if (fault_fails(FAULT_realloc, FAULT_CALLER)) return NULL;
  void *moved = FAULT_NEXT(realloc)(block, size);
  if (moved == NULL && size > 0) return NULL;
  forget(block);
  return noted(moved, FAULT_CALLER);
}

void free(void *block) {
  int saved_errno = errno;
  forget(block);
  if (FAULT_NEXT(free) == NULL) fault_find_next();
  FAULT_NEXT(free)(block);
  errno = saved_errno;
}

#include "allocator.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

/* Lua collects garbage and asks again when it gets nothing. */
static bool fails(struct allocator *allocator) {
  if (allocator->failing == 0 && fault_count(FAULT_lua, FAULT_OTHERS) == FAULT_FAIL)
    allocator->failing = fault_current->error;
  if (allocator->failing == 0) return false;
  allocator->failing--;
  return true;
}

/* What was in a block that is given back is to be of no use to anyone. */
static void *release(struct allocator *allocator, void *block, size_t size) {
  if (block != NULL) memset(block, 0xdb, size);
  free(block);
  allocator->bytes -= block != NULL ? size : 0;
  return NULL;
}

/* Only growing may fail: Lua relies on that. Where there is no block the old size is a type. */
void *allocator_allocate(void *data, void *block, size_t old_size, size_t new_size) {
  struct allocator *allocator = data;
  size_t size = block != NULL ? old_size : 0;
  if (new_size == 0) return release(allocator, block, size);
  if (new_size > size && fails(allocator)) return NULL;
  void *moved = malloc(new_size);
  if (moved == NULL) abort();
  memcpy(moved, block != NULL ? block : moved, size < new_size ? size : new_size);
  release(allocator, block, size);
  allocator->bytes += new_size;
  return moved;
}

/* An allocator for Lua states that counts what it has given, and fails as a case says. */
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include <stddef.h>

struct allocator {
  size_t bytes; /* in use */
  int failing;  /* how many allocations from here on fail */
};

/* A lua_Alloc; `data` is a struct allocator. */
void *allocator_allocate(void *data, void *block, size_t old_size, size_t new_size);

#endif

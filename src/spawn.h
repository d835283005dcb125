/* From the tables that xpio.spawn is called with to what the system is asked for.
 *
 * Each table is read in two steps: first the memory that its contents take is
 * measured, then they are read and checked. Nothing may allocate Lua memory in
 * between: that could run finalizers, which could change the tables. What is read
 * points into Lua strings; the tables hold them. */
#ifndef XPIO_SPAWN_H
#define XPIO_SPAWN_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "system_child.h"

/* The positions of spawn's arguments. */
enum { XPIO_SPAWN_ARGS = 1, XPIO_SPAWN_ENV, XPIO_SPAWN_FILES, XPIO_SPAWN_ATTRS };

/* Takes memory of what was measured. */
static inline void *xpio_take(char **memory, size_t size) {
  void *taken = *memory;
  *memory += size;
  return taken;
}

/* The size of so many objects, rounded up for what may follow. */
static inline size_t xpio_room(size_t count, size_t size) {
  size_t alignment = _Alignof(max_align_t);
  return (count * size + alignment - 1) / alignment * alignment;
}

/* args and env. `exe` becomes the first of args. Measuring the environment also counts
 * its variables: going through a table is most of the work. */
size_t xpio_measure_arguments(lua_State *L);
void xpio_read_arguments(lua_State *L, char **memory, struct xpio_spawn *spawn);
size_t xpio_measure_environment(lua_State *L, struct xpio_spawn *spawn);
void xpio_read_environment(lua_State *L, char **memory, struct xpio_spawn *spawn);

/* files. Reading returns -1 and fills in the failure when one of them has no
 * descriptor; releasing closes the objects that were granted. */
size_t xpio_measure_grants(lua_State *L);
int xpio_read_grants(lua_State *L, char **memory, struct xpio_spawn *spawn,
                     struct xpio_spawn_failure *failure);
void xpio_release_grants(lua_State *L);

/* attrs. Reading returns as for grants. */
size_t xpio_measure_attributes(lua_State *L);
int xpio_read_attributes(lua_State *L, char **memory, struct xpio_spawn *spawn,
                         struct xpio_spawn_failure *failure);

/* The number of fields of the table at this index. */
size_t xpio_count_fields(lua_State *L, int index);

/* Whether the value at this index is a string that a C program can be given: one
 * without a zero byte. */
bool xpio_is_text(lua_State *L, int index);

/* Raise argument errors that name a field, "args[2]", of a table: what is wrong with
 * it; that its value at this index is not what was expected; that it is no text. */
int xpio_field_error(lua_State *L, int argument, const char *field, const char *problem);
int xpio_field_type_error(lua_State *L, int argument, const char *field, const char *expected,
                          int index);
int xpio_text_error(lua_State *L, int argument, const char *field, int index);

#endif

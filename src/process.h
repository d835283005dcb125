/* Process objects: what Lua code holds of a child process. */
#ifndef XPIO_PROCESS_H
#define XPIO_PROCESS_H

#include <lua.h>

#include "state.h"
#include "system_child.h"
#include "waiter.h"

struct xpio_process {
  struct xpio_object object;
  struct xpio_child *child; /* null before it is spawned, and once it is given up */
  struct xpio_event ended;
  struct xpio_state *state;
  /* What is left of the child when it is given up. */
  enum xpio_ending ending;
  int64_t status;
};

/* Pushes a new process object without a child. */
struct xpio_process *xpio_process_new(lua_State *L);

/* Gives the process object on top its child. */
void xpio_process_spawned(lua_State *L, struct xpio_process *process, struct xpio_child *child);

/* Wakes all waiters and gives the child up, which goes on running. Does nothing
 * when it has none. */
void xpio_process_close(struct xpio_process *process);

/* The same, and frees its memory. */
void xpio_process_free(struct xpio_process *process);

/* Makes the metatable of process objects. */
void xpio_process_open(lua_State *L);

/* Adds `spawn` to the module's table on top. */
void xpio_spawn_open(lua_State *L);

#endif

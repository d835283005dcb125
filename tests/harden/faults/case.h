/* A case: a scenario in a fresh Lua state, in which one call fails. */
#ifndef CASE_H
#define CASE_H

#include <lua.h>
#include <stdbool.h>

struct case_script {
  const char *path;     /* of case.lua */
  const char *scenario; /* its name */
  bool closes;          /* calls count in lua_close only, in the middle of the scenario */
  bool old_kernel;      /* do without what older kernels do not have */
  long blocks;          /* how many of xpio's and libuv's may stay for the process, */
  long descriptors;     /* and how many descriptors */
};

/* Runs a case in this process. What is wrong is in
 * fault_current->text; returns whether nothing is. */
bool case_run(const struct case_script *script);

#endif

/* What the fuzz targets have in common: a Lua state with a model in it. */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls: once, and with every input. */
int LLVMFuzzerInitialize(int *argument_count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether inputs are replayed, of files that the command line names: then calls are shown. */
int fuzz_replays(int argument_count, char **arguments);

/* A new state with Lua's libraries, xpio and what is in the folder of models to be required. */
lua_State *fuzz_open(void);

/* Calls the function below the arguments, and ends the program when it raises an error. */
void fuzz_call(lua_State *L, int arguments, int results);

/* Says what is wrong, and aborts, so that libFuzzer keeps the input. */
void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif

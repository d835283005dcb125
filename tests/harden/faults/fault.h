/* Faults for the tests: a system call or an allocation that fails when a test says so.
 *
 * One shared object, loaded twice. Loaded first (LD_PRELOAD), its functions stand before those
 * of the C library, for Linux with glibc. Loaded as a Lua module, it starts cases, each in a
 * process of its own, in which one call fails.
 *
 * Only calls that xpio and libuv make themselves count: the rest of the process, Lua and the C
 * library, does not notice. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* See calls.def. */
enum fault_call {
#define FAULT_CALL(name, symbol) FAULT_##name,
#include "calls.def"
#undef FAULT_CALL
  FAULT_COUNT
};

/* The C library's function of this name. */
#define FAULT_NEXT(name) ((__typeof__(&(name)))fault_next[FAULT_##name])
typedef void fault_function(void);
extern fault_function *fault_next[FAULT_COUNT];

/* Looks all of them up, which happens by itself, but not before the first malloc. */
void fault_find_next(void);

/* Where the running function returns to, and so who has called it. */
#define FAULT_CALLER __builtin_return_address(0)

enum fault_outcome {
  FAULT_NONE,  /* nothing is wrong with this call */
  FAULT_FAIL,  /* it fails; errno is set */
  FAULT_SHORT, /* it transfers one byte only */
};

enum fault_module { FAULT_OTHERS, FAULT_XPIO, FAULT_LIBUV };

/* What a case is about and what came of it. It lies in memory that the driver, the process of
 * the case and the children of that share. */
struct fault_case {
  /* What is to happen. */
  enum fault_call call;
  long nth;                   /* the call that it happens to, from 1; 0 is none */
  enum fault_outcome outcome; /* FAULT_FAIL or FAULT_SHORT */
  int error;                  /* errno; of Lua's allocator, how many in a row fail */
  bool fork;                  /* vfork is to be a fork, as it is in valgrind and in qemu */
  bool no_proc;               /* nothing below /proc can be opened, as where it is not mounted */

  /* What has happened. */
  bool armed; /* calls are counted, and the nth fails */
  long counts[FAULT_COUNT];
  long hits;
  enum fault_module by; /* whose call it was */
  bool reported;        /* a call of Lua's has returned its error, or raised one */
  char text[4096];      /* what is wrong, or empty */
};

/* The running case; never null. */
extern struct fault_case *fault_current;

/* Notes where xpio and libuv lie in memory, once they are loaded. */
void fault_find_modules(void);

/* What happens to this call, which the caller makes. It is counted if it is xpio's or libuv's. */
enum fault_outcome fault_meet(enum fault_call call, const void *caller);

/* The same for a call that fails or does not. */
bool fault_fails(enum fault_call call, const void *caller);

/* The same for a call of whoever. */
enum fault_outcome fault_count(enum fault_call call, enum fault_module by);

/* Whether this address is in xpio or libuv. */
enum fault_module fault_module_of(const void *address);

/* How many blocks xpio and libuv have. */
long fault_live_blocks(void);

#endif

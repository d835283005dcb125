/* Which call is to fail, and whether this is the one. */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

fault_function *fault_next[FAULT_COUNT];

static struct fault_case no_case;
struct fault_case *fault_current = &no_case;

static struct range { uintptr_t first, last; } ranges[FAULT_LIBUV + 1];

/* The memory of the module at this address, from its first segment to its last. */
static void note_range(struct range *range, const struct dl_phdr_info *module) {
  range->first = module->dlpi_addr;
  for (size_t i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
    uintptr_t end = module->dlpi_addr + segment->p_vaddr + segment->p_memsz;
    if (segment->p_type == PT_LOAD && end > range->last) range->last = end;
  }
}

static int look_at_module(struct dl_phdr_info *module, size_t size, void *data) {
  (void)size, (void)data;
  if (strstr(module->dlpi_name, "/xpio.so") != NULL) note_range(&ranges[FAULT_XPIO], module);
  if (strstr(module->dlpi_name, "/libuv.so") != NULL) note_range(&ranges[FAULT_LIBUV], module);
  return 0;
}

void fault_find_modules(void) {
  dl_iterate_phdr(look_at_module, NULL);
}

enum fault_module fault_module_of(const void *address) {
  uintptr_t place = (uintptr_t)address;
  for (enum fault_module module = FAULT_XPIO; module <= FAULT_LIBUV; module++)
    if (place >= ranges[module].first && place < ranges[module].last) return module;
  return FAULT_OTHERS;
}

enum fault_outcome fault_count(enum fault_call call, enum fault_module by) {
  struct fault_case *current = fault_current;
  if (!current->armed) return FAULT_NONE;
  long count = ++current->counts[call];
  if (call != current->call || count != current->nth) return FAULT_NONE;
  current->hits++;
  current->by = by;
  return current->outcome;
}

enum fault_outcome fault_meet(enum fault_call call, const void *caller) {
  enum fault_module by = fault_current->armed ? fault_module_of(caller) : FAULT_OTHERS;
  enum fault_outcome outcome = by != FAULT_OTHERS ? fault_count(call, by) : FAULT_NONE;
  if (outcome == FAULT_FAIL) errno = fault_current->error;
  return outcome;
}

bool fault_fails(enum fault_call call, const void *caller) {
  return fault_meet(call, caller) == FAULT_FAIL;
}

void fault_find_next(void) {
  static const char *const symbols[] = {
#define FAULT_CALL(name, symbol) symbol,
#include "calls.def"
#undef FAULT_CALL
  };
  for (size_t i = 0; i < FAULT_COUNT; i++)
    if (symbols[i] != NULL) *(void **)&fault_next[i] = dlsym(RTLD_NEXT, symbols[i]);
}

/* At the latest now: a child in the memory of its parent must not run the dynamic linker. */
__attribute__((constructor)) static void prepare(void) {
  fault_find_next();
  unsetenv("LD_PRELOAD"); /* programs that are started from here have no use for this */
}

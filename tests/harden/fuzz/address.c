/* Fuzzes the parser of addresses: it is to agree with a model in Lua, and what it has
 * read is to come out again as it went in. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "../../../src/address.h"
#include "harness.h"

static lua_State *L;
static int replays;

int LLVMFuzzerInitialize(int *argument_count, char ***arguments) {
  replays = fuzz_replays(*argument_count, *arguments);
  L = fuzz_open();
  lua_getglobal(L, "require");
  lua_pushliteral(L, "address");
  fuzz_call(L, 1, 1);
  return 0;
}

/* Replaces the string at index 2 by what formatting its address gives; or by nothing, but a
 * message, when it is malformed. */
static int parse(struct sockaddr_in *address) {
  int parsed = xpio_check_address(L, 2, address);
  if (parsed) xpio_push_address(L, address);
  lua_remove(L, 2);
  return parsed;
}

static void check_message(const char *data, size_t size) {
  size_t length;
  const char *message = lua_tolstring(L, 2, &length);
  const char start[] = "malformed address: ";
  size_t shown = size < 40 ? size : 40, before = sizeof start - 1;
  if (length != before + shown + (size > 40 ? 3 : 0) || memcmp(message, start, before) != 0 ||
      memcmp(message + before, data, shown) != 0)
    fuzz_fail("the message says: %s", message);
}

/* What is returned as a string is an address that means the same. */
static void check_round_trip(const struct sockaddr_in *address) {
  struct sockaddr_in again;
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (!parse(&again) || memcmp(&again, address, sizeof again) != 0 || !lua_rawequal(L, 2, 3))
    fuzz_fail("%s is read as another address", lua_tostring(L, -1));
}

/* The model returns the same as a string, or nil. */
static const char *ask_model(const uint8_t *data, size_t size) {
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  fuzz_call(L, 1, 1);
  return lua_tostring(L, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sockaddr_in address;
  lua_pushlstring(L, (const char *)data, size);
  int parsed = parse(&address);
  const char *expected = ask_model(data, size);
  if (replays) fprintf(stderr, "%s is %s\n", lua_tostring(L, 2), expected ? expected : "malformed");
  if (parsed != (expected != NULL) || (parsed && strcmp(expected, lua_tostring(L, 2)) != 0))
    fuzz_fail("\"%.*s\" was read as %s, and is %s", (int)size, (const char *)data,
              lua_tostring(L, 2), expected ? expected : "malformed");
  if (parsed)
    check_round_trip(&address);
  else
    check_message((const char *)data, size);
  lua_settop(L, 1);
  return 0;
}

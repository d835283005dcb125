#include "address.h"

#include <lauxlib.h>
#include <string.h>

/* How much of a malformed address its error message shows. */
enum { SHOWN = 40 };

struct text {
  const char *at, *end;
};

static bool at_digit(const struct text *text) {
  return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

static bool take(struct text *text, char character) {
  if (text->at == text->end || *text->at != character) return false;
  text->at++;
  return true;
}

/* Reads a decimal number of at most this value. A leading zero is refused: some
 * systems take it to mean octal. */
static bool take_number(struct text *text, uint32_t most, uint32_t *number) {
  if (!at_digit(text)) return false;
  const char *first = text->at;
  uint64_t value = 0;
  for (; at_digit(text); text->at++) {
    value = value * 10 + (uint64_t)(*text->at - '0');
    if (value > most) return false;
  }
  *number = (uint32_t)value;
  return *first != '0' || text->at == first + 1;
}

/* Reads nothing, one number, or four octets. */
static bool take_ip(struct text *text, uint32_t *ip) {
  *ip = 0;
  if (text->at == text->end || *text->at == ':') return true;
  if (!take_number(text, UINT32_MAX, ip)) return false;
  if (text->at == text->end || *text->at != '.') return true;
  if (*ip > 255) return false;
  for (int octet = 2; octet <= 4; octet++) {
    uint32_t value;
    if (!take(text, '.') || !take_number(text, 255, &value)) return false;
    *ip = *ip << 8 | value;
  }
  return true;
}

static bool parse(const char *string, size_t length, struct sockaddr_in *address) {
  struct text text = {string, string + length};
  uint32_t ip, port = 0;
  if (!take_ip(&text, &ip)) return false;
  if (take(&text, ':') && text.at < text.end && !take_number(&text, 65535, &port)) return false;
  if (text.at != text.end) return false;
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(ip);
  address->sin_port = htons((uint16_t)port);
  return true;
}

bool xpio_check_address(lua_State *L, int argument, struct sockaddr_in *address) {
  size_t length;
  const char *string = luaL_checklstring(L, argument, &length);
  if (parse(string, length, address)) return true;
  lua_pushliteral(L, "malformed address: ");
  lua_pushlstring(L, string, length < SHOWN ? length : SHOWN);
  lua_pushstring(L, length <= SHOWN ? "" : "...");
  lua_concat(L, 3);
  return false;
}

void xpio_push_address(lua_State *L, const struct sockaddr_in *address) {
  uint32_t ip = ntohl(address->sin_addr.s_addr);
  lua_pushfstring(L, "%d.%d.%d.%d:%d", (int)(ip >> 24), (int)(ip >> 16 & 255), (int)(ip >> 8 & 255),
                  (int)(ip & 255), (int)ntohs(address->sin_port));
}

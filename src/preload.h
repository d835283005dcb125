/* The texts of the parts in Lua. They are made of src/lua by the build. */
#ifndef XPIO_PRELOAD_H
#define XPIO_PRELOAD_H

struct xpio_part {
  const char *name;         /* "xpio.dispatcher"; null after the last part */
  const char *const *lines; /* each with its line end; null after the last */
};

extern const struct xpio_part xpio_parts[];

#endif

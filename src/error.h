/* What Lua code is told of errors. */
#ifndef XPIO_ERROR_H
#define XPIO_ERROR_H

#include <stddef.h>

/* The message for a libuv error, equal on all systems for those that libuv knows.
 * Valid until the next call in this thread. */
const char *xpio_error_message(int error);

/* Its symbolic name, "ECONNREFUSED"; the buffer may be used for it. */
const char *xpio_error_name(int error, char *buffer, size_t size);

#endif

/* Finding programs and folders. Paths are UTF-8. */
#ifndef XPIO_SEARCH_H
#define XPIO_SEARCH_H

#include <stdbool.h>
#include <uv.h>

/* Finds a program in this process's PATH: *path, to be freed. Not, as Windows does by
 * itself, in the current folder first. Returns 0 or an error. */
int xpio_windows_search(const char *name, char **path);

/* Returns 0 if it is a folder, otherwise why not. */
int xpio_windows_check_folder(const char *path);

#endif

/* Which handles a child inherits: none but those that it is granted. */
#ifndef XPIO_INHERIT_H
#define XPIO_INHERIT_H

#include <stddef.h>

/* Handles that were inheritable and are to be so again. */
struct xpio_hidden {
  void **handles;
  size_t count, room;
};

/* Between the two, no other thread of xpio's starts a child: for making a handle that is
 * inheritable for a moment. */
void xpio_windows_forbid_children(void);
void xpio_windows_allow_children(void);

/* From one to the other, no handle of this process is inheritable that was so before,
 * and no other thread is between the two. After an error, all is as it was. */
int xpio_windows_hide_handles(struct xpio_hidden *hidden);
void xpio_windows_show_handles(struct xpio_hidden *hidden);

#endif

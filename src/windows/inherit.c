/* Which handles a child inherits.
 *
 * CreateProcess, as libuv calls it, passes on every handle that is inheritable, also
 * those of files that the C runtime has opened, and whatever another thread is about to
 * give to a child of its own. So, while a child is started, those handles are not
 * inheritable, and no other thread starts one by xpio. */
#include "inherit.h"

#include <stdlib.h>

#include "internal.h"

static SRWLOCK lock = SRWLOCK_INIT;

enum {
  STEP = 4, /* handles are multiples of it */
  /* After so many numbers that are none, there are no more, or some are missing. */
  GAP = 1024,
  LONG_GAP = 65536
};

static bool remember(struct xpio_hidden *hidden, HANDLE handle) {
  if (hidden->count == hidden->room) {
    size_t room = hidden->room == 0 ? 64 : 2 * hidden->room;
    HANDLE *handles = realloc(hidden->handles, room * sizeof *handles);
    if (handles == NULL) return false;
    hidden->handles = handles;
    hidden->room = room;
  }
  hidden->handles[hidden->count++] = handle;
  return true;
}

/* Other threads open and close handles meanwhile, so that the count only says for how
 * long it is worth while to look for more. */
static bool hide_all(struct xpio_hidden *hidden) {
  DWORD expected = 0, found = 0, flags;
  ULONG_PTR gap = 0;
  if (!GetProcessHandleCount(GetCurrentProcess(), &expected)) expected = 0;
  for (ULONG_PTR value = STEP; gap < (found < expected ? LONG_GAP : GAP); value += STEP) {
    HANDLE handle = (HANDLE)value;
    gap++;
    if (!GetHandleInformation(handle, &flags)) continue;
    found++;
    gap = 0;
    if (!(flags & HANDLE_FLAG_INHERIT)) continue;
    if (!remember(hidden, handle)) return false;
    SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0);
  }
  return true;
}

void xpio_windows_forbid_children(void) {
  AcquireSRWLockShared(&lock);
}

void xpio_windows_allow_children(void) {
  ReleaseSRWLockShared(&lock);
}

int xpio_windows_hide_handles(struct xpio_hidden *hidden) {
  *hidden = (struct xpio_hidden){NULL, 0, 0};
  AcquireSRWLockExclusive(&lock);
  if (hide_all(hidden)) return 0;
  xpio_windows_show_handles(hidden);
  return UV_ENOMEM;
}

void xpio_windows_show_handles(struct xpio_hidden *hidden) {
  for (size_t i = 0; i < hidden->count; i++)
    SetHandleInformation(hidden->handles[i], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
  ReleaseSRWLockExclusive(&lock);
  free(hidden->handles);
}

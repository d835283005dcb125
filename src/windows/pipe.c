/* Calls on the handle of a pipe, or of a console in blocking mode. */
#include "internal.h"

static ptrdiff_t pipe_error(void) {
  DWORD error = GetLastError();
  bool ended = error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED;
  return ended ? 0 : xpio_windows_error();
}

/* The event's low bit keeps the completion from libuv's port (GetQueuedCompletionStatus). */
static ptrdiff_t read_overlapped(HANDLE handle, char *buffer, DWORD size) {
  OVERLAPPED overlapped = {0};
  DWORD count = 0;
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (event == NULL) return xpio_windows_error();
  overlapped.hEvent = (HANDLE)((ULONG_PTR)event | 1);
  bool done = ReadFile(handle, buffer, size, NULL, &overlapped);
  done = done || GetLastError() == ERROR_IO_PENDING || GetLastError() == ERROR_MORE_DATA;
  done = done && GetOverlappedResult(handle, &overlapped, &count, TRUE);
  ptrdiff_t result = done || GetLastError() == ERROR_MORE_DATA ? (ptrdiff_t)count : pipe_error();
  CloseHandle(event);
  return result;
}

ptrdiff_t xpio_windows_read_pipe(const struct xpio_descriptor *descriptor, char *buffer,
                                 size_t size) {
  HANDLE handle = xpio_windows_handle(descriptor);
  DWORD available = 0, count = 0;
  if (!descriptor->blocking) {
    if (!PeekNamedPipe(handle, NULL, 0, NULL, &available, NULL)) return pipe_error();
    if (available == 0) return UV_EAGAIN;
    if (size > available) size = available;
  }
  if (descriptor->access & XPIO_ACCESS_OVERLAPPED)
    return read_overlapped(handle, buffer, (DWORD)size);
  if (ReadFile(handle, buffer, (DWORD)size, &count, NULL) || GetLastError() == ERROR_MORE_DATA)
    return count;
  return pipe_error();
}

ptrdiff_t xpio_windows_write_pipe(const struct xpio_descriptor *descriptor,
                                  const uv_buf_t *buffer) {
  HANDLE handle = xpio_windows_handle(descriptor);
  OVERLAPPED overlapped = {0};
  DWORD count = 0;
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (event == NULL) return xpio_windows_error();
  overlapped.hEvent = (HANDLE)((ULONG_PTR)event | 1);
  bool done = WriteFile(handle, buffer->base, buffer->len, NULL, &overlapped) ||
              GetLastError() == ERROR_IO_PENDING;
  done = done && GetOverlappedResult(handle, &overlapped, &count, TRUE);
  ptrdiff_t result = done ? (ptrdiff_t)count : xpio_windows_error();
  CloseHandle(event);
  return result;
}

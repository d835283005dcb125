/* What the kernel knows of a handle (ntdll is where libuv asks, too), and duplicates. */
#include "internal.h"

#include <fcntl.h>
#include <io.h>
#include <winternl.h>

/* Names that mingw-w64 keeps for drivers (ntifs.h, wdm.h). */
enum {
  MODE_INFORMATION = 16,
  ACCESS_INFORMATION = 8,
  PIPE_LOCAL_INFORMATION = 24,
  SYNCHRONOUS = 0x10 | 0x20, /* FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT */
  PIPE_CLOSING = 4           /* FILE_PIPE_CLOSING_STATE */
};

struct pipe_local_information {
  ULONG type, configuration, maximum_instances, current_instances, inbound_quota, available;
  ULONG outbound_quota, write_quota_available, state, end;
};

static bool query(HANDLE handle, int which, void *result, ULONG size) {
  IO_STATUS_BLOCK status;
  return NtQueryInformationFile(handle, &status, result, size, (FILE_INFORMATION_CLASS)which) >= 0;
}

int xpio_windows_modes(HANDLE handle) {
  ACCESS_MASK access;
  if (!query(handle, ACCESS_INFORMATION, &access, sizeof access))
    return XPIO_READABLE | XPIO_WRITABLE;
  return ((access & FILE_READ_DATA) ? XPIO_READABLE : 0) |
         ((access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) ? XPIO_WRITABLE : 0);
}

bool xpio_windows_is_overlapped(HANDLE handle) {
  ULONG mode;
  return query(handle, MODE_INFORMATION, &mode, sizeof mode) && (mode & SYNCHRONOUS) == 0;
}

bool xpio_windows_is_alone(HANDLE handle) {
  struct pipe_local_information pipe;
  return query(handle, PIPE_LOCAL_INFORMATION, &pipe, sizeof pipe) && pipe.state == PIPE_CLOSING;
}

int xpio_windows_open_duplicate(HANDLE handle) {
  HANDLE process = GetCurrentProcess(), duplicate;
  if (!DuplicateHandle(process, handle, process, &duplicate, 0, FALSE, DUPLICATE_SAME_ACCESS))
    return xpio_windows_error();
  int number = _open_osfhandle((intptr_t)duplicate, _O_NOINHERIT | _O_BINARY);
  if (number >= 0) return number;
  CloseHandle(duplicate);
  return UV_EMFILE;
}

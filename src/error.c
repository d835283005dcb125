#include "error.h"

#include <stddef.h>

#include "system.h"
#include "system_child.h"

/* The same words on every system: those of the GNU C library. */
static const struct {
  int error;
  const char *name, *message;
} errors[] = {
    {UV_E2BIG, "E2BIG", "Argument list too long"},
    {UV_EACCES, "EACCES", "Permission denied"},
    {UV_EADDRINUSE, "EADDRINUSE", "Address already in use"},
    {UV_EADDRNOTAVAIL, "EADDRNOTAVAIL", "Cannot assign requested address"},
    {UV_EAFNOSUPPORT, "EAFNOSUPPORT", "Address family not supported by protocol"},
    {UV_EAGAIN, "EAGAIN", "Resource temporarily unavailable"},
    {UV_EALREADY, "EALREADY", "Operation already in progress"},
    {UV_EBADF, "EBADF", "Bad file descriptor"},
    {UV_EBUSY, "EBUSY", "Device or resource busy"},
    {UV_ECANCELED, "ECANCELED", "Operation canceled"},
    {UV_ECONNABORTED, "ECONNABORTED", "Software caused connection abort"},
    {UV_ECONNREFUSED, "ECONNREFUSED", "Connection refused"},
    {UV_ECONNRESET, "ECONNRESET", "Connection reset by peer"},
    {UV_EDESTADDRREQ, "EDESTADDRREQ", "Destination address required"},
    {UV_EEXIST, "EEXIST", "File exists"},
    {UV_EFAULT, "EFAULT", "Bad address"},
    {UV_EFBIG, "EFBIG", "File too large"},
    {UV_EHOSTDOWN, "EHOSTDOWN", "Host is down"},
    {UV_EHOSTUNREACH, "EHOSTUNREACH", "No route to host"},
    {UV_EILSEQ, "EILSEQ", "Invalid or incomplete multibyte or wide character"},
    {UV_EINTR, "EINTR", "Interrupted system call"},
    {UV_EINVAL, "EINVAL", "Invalid argument"},
    {UV_EIO, "EIO", "Input/output error"},
    {UV_EISCONN, "EISCONN", "Transport endpoint is already connected"},
    {UV_EISDIR, "EISDIR", "Is a directory"},
    {UV_ELOOP, "ELOOP", "Too many levels of symbolic links"},
    {UV_EMFILE, "EMFILE", "Too many open files"},
    {UV_EMLINK, "EMLINK", "Too many links"},
    {UV_EMSGSIZE, "EMSGSIZE", "Message too long"},
    {UV_ENAMETOOLONG, "ENAMETOOLONG", "File name too long"},
    {UV_ENETDOWN, "ENETDOWN", "Network is down"},
    {UV_ENETUNREACH, "ENETUNREACH", "Network is unreachable"},
    {UV_ENFILE, "ENFILE", "Too many open files in system"},
    {UV_ENOBUFS, "ENOBUFS", "No buffer space available"},
    {UV_ENODEV, "ENODEV", "No such device"},
    {UV_ENOENT, "ENOENT", "No such file or directory"},
    {UV_ENOMEM, "ENOMEM", "Cannot allocate memory"},
    {UV_ENONET, "ENONET", "Machine is not on the network"},
    {UV_ENOPROTOOPT, "ENOPROTOOPT", "Protocol not available"},
    {UV_ENOSPC, "ENOSPC", "No space left on device"},
    {UV_ENOSYS, "ENOSYS", "Function not implemented"},
    {UV_ENOTCONN, "ENOTCONN", "Transport endpoint is not connected"},
    {UV_ENOTDIR, "ENOTDIR", "Not a directory"},
    {UV_ENOTEMPTY, "ENOTEMPTY", "Directory not empty"},
    {UV_ENOTSOCK, "ENOTSOCK", "Socket operation on non-socket"},
    {UV_ENOTSUP, "ENOTSUP", "Operation not supported"},
    {UV_ENOTTY, "ENOTTY", "Inappropriate ioctl for device"},
    {UV_ENXIO, "ENXIO", "No such device or address"},
    {UV_EOVERFLOW, "EOVERFLOW", "Value too large for defined data type"},
    {UV_EPERM, "EPERM", "Operation not permitted"},
    {UV_EPIPE, "EPIPE", "Broken pipe"},
    {UV_EPROTO, "EPROTO", "Protocol error"},
    {UV_EPROTONOSUPPORT, "EPROTONOSUPPORT", "Protocol not supported"},
    {UV_EPROTOTYPE, "EPROTOTYPE", "Protocol wrong type for socket"},
    {UV_ERANGE, "ERANGE", "Numerical result out of range"},
    {UV_EREMOTEIO, "EREMOTEIO", "Remote I/O error"},
    {UV_EROFS, "EROFS", "Read-only file system"},
    {UV_ESHUTDOWN, "ESHUTDOWN", "Cannot send after transport endpoint shutdown"},
    {UV_ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT", "Socket type not supported"},
    {UV_ESPIPE, "ESPIPE", "Illegal seek"},
    {UV_ESRCH, "ESRCH", "No such process"},
    {UV_ETIMEDOUT, "ETIMEDOUT", "Connection timed out"},
    {UV_ETXTBSY, "ETXTBSY", "Text file busy"},
    {UV_EXDEV, "EXDEV", "Invalid cross-device link"},
    {XPIO_ECHILD, "ECHILD", "No child processes"},
    {XPIO_ENOEXEC, "ENOEXEC", "Exec format error"},
};

enum { COUNT = sizeof errors / sizeof *errors };

const char *xpio_error_message(int error) {
  for (size_t i = 0; i < COUNT; i++)
    if (errors[i].error == error) return errors[i].message;
  return xpio_system_error_message(error);
}

const char *xpio_error_name(int error, char *buffer, size_t size) {
  for (size_t i = 0; i < COUNT; i++)
    if (errors[i].error == error) return errors[i].name;
  return xpio_system_error_name(error, buffer, size);
}

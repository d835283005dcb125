/* Calls on sockets, and those that move bytes: these may also move fewer than they could. */
#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"

int bind(int number, __CONST_SOCKADDR_ARG address, socklen_t length) {
  if (fault_fails(FAULT_bind, FAULT_CALLER)) return -1;
  return FAULT_NEXT(bind)(number, address, length);
}

int listen(int number, int backlog) {
  if (fault_fails(FAULT_listen, FAULT_CALLER)) return -1;
  return FAULT_NEXT(listen)(number, backlog);
}

int connect(int number, __CONST_SOCKADDR_ARG address, socklen_t length) {
  if (fault_fails(FAULT_connect, FAULT_CALLER)) return -1;
  return FAULT_NEXT(connect)(number, address, length);
}

int accept4(int number, __SOCKADDR_ARG address, socklen_t *length, int flags) {
  if (fault_fails(FAULT_accept4, FAULT_CALLER)) return -1;
  return FAULT_NEXT(accept4)(number, address, length, flags);
}

int getsockname(int number, __SOCKADDR_ARG address, socklen_t *length) {
  if (fault_fails(FAULT_getsockname, FAULT_CALLER)) return -1;
  return FAULT_NEXT(getsockname)(number, address, length);
}

int getpeername(int number, __SOCKADDR_ARG address, socklen_t *length) {
  if (fault_fails(FAULT_getpeername, FAULT_CALLER)) return -1;
  return FAULT_NEXT(getpeername)(number, address, length);
}

int getsockopt(int number, int level, int option, void *value, socklen_t *length) {
  if (fault_fails(FAULT_getsockopt, FAULT_CALLER)) return -1;
  return FAULT_NEXT(getsockopt)(number, level, option, value, length);
}

int setsockopt(int number, int level, int option, const void *value, socklen_t length) {
  if (fault_fails(FAULT_setsockopt, FAULT_CALLER)) return -1;
  return FAULT_NEXT(setsockopt)(number, level, option, value, length);
}

int shutdown(int number, int how) {
  if (fault_fails(FAULT_shutdown, FAULT_CALLER)) return -1;
  return FAULT_NEXT(shutdown)(number, how);
}

static size_t shortened(enum fault_outcome outcome, size_t size) {
  return outcome == FAULT_SHORT && size > 1 ? 1 : size;
}

/* What is so small goes through a pipe in one piece. */
static size_t shortened_unless_small(enum fault_outcome outcome, size_t size) {
  return size > PIPE_BUF ? shortened(outcome, size) : size;
}

/* Datagrams come and go as a whole. */
static enum fault_outcome meet_on_socket(enum fault_call call, const void *caller, int number) {
  enum fault_outcome outcome = fault_meet(call, caller);
  int type = 0;
  socklen_t length = sizeof type;
  if (outcome != FAULT_SHORT) return outcome;
  FAULT_NEXT(getsockopt)(number, SOL_SOCKET, SO_TYPE, &type, &length);
  return type == SOCK_STREAM ? FAULT_SHORT : FAULT_NONE;
}

/* libuv's are of its own eventfds and pipes, about which there is less that can happen. */
static enum fault_outcome meet_on_file(enum fault_call call, enum fault_call of_libuv,
                                       const void *caller) {
  return fault_meet(fault_module_of(caller) == FAULT_LIBUV ? of_libuv : call, caller);
}

ssize_t read(int number, void *buffer, size_t size) {
  enum fault_outcome outcome = meet_on_file(FAULT_read, FAULT_uv_read, FAULT_CALLER);
  if (outcome == FAULT_FAIL) return -1;
  return FAULT_NEXT(read)(number, buffer, shortened_unless_small(outcome, size));
}

ssize_t write(int number, const void *buffer, size_t size) {
  enum fault_outcome outcome = meet_on_file(FAULT_write, FAULT_uv_write, FAULT_CALLER);
  if (outcome == FAULT_FAIL) return -1;
  return FAULT_NEXT(write)(number, buffer, shortened_unless_small(outcome, size));
}

ssize_t recv(int number, void *buffer, size_t size, int flags) {
  enum fault_outcome outcome = meet_on_socket(FAULT_recv, FAULT_CALLER, number);
  if (outcome == FAULT_FAIL) return -1;
  return FAULT_NEXT(recv)(number, buffer, shortened(outcome, size), flags);
}

ssize_t send(int number, const void *buffer, size_t size, int flags) {
  enum fault_outcome outcome = meet_on_socket(FAULT_send, FAULT_CALLER, number);
  if (outcome == FAULT_FAIL) return -1;
  return FAULT_NEXT(send)(number, buffer, shortened(outcome, size), flags);
}

ssize_t recvfrom(int number, void *buffer, size_t size, int flags, __SOCKADDR_ARG address,
                 socklen_t *length) {
  if (fault_fails(FAULT_recvfrom, FAULT_CALLER)) return -1;
  return FAULT_NEXT(recvfrom)(number, buffer, size, flags, address, length);
}

ssize_t sendto(int number, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG address,
               socklen_t length) {
  if (fault_fails(FAULT_sendto, FAULT_CALLER)) return -1;
  return FAULT_NEXT(sendto)(number, buffer, size, flags, address, length);
}

/* The first byte of several buffers. */
static struct iovec first_byte(const struct iovec *vectors, int count) {
  while (count > 1 && vectors->iov_len == 0) vectors++, count--;
  return (struct iovec){vectors->iov_base, shortened(FAULT_SHORT, vectors->iov_len)};
}

ssize_t sendmsg(int number, const struct msghdr *message, int flags) {
  enum fault_outcome outcome = meet_on_socket(FAULT_sendmsg, FAULT_CALLER, number);
  if (outcome == FAULT_FAIL) return -1;
  if (outcome == FAULT_NONE) return FAULT_NEXT(sendmsg)(number, message, flags);
  struct iovec first = first_byte(message->msg_iov, (int)message->msg_iovlen);
  return FAULT_NEXT(sendmsg)(number, &(struct msghdr){.msg_iov = &first, .msg_iovlen = 1}, flags);
}

ssize_t writev(int number, const struct iovec *vectors, int count) {
  enum fault_outcome outcome = fault_meet(FAULT_writev, FAULT_CALLER);
  if (outcome == FAULT_FAIL) return -1;
  if (outcome == FAULT_NONE) return FAULT_NEXT(writev)(number, vectors, count);
  struct iovec first = first_byte(vectors, count);
  return FAULT_NEXT(writev)(number, &first, 1);
}

ssize_t preadv2(int number, const struct iovec *vectors, int count, off_t offset, int flags) {
  enum fault_outcome outcome = fault_meet(FAULT_preadv2, FAULT_CALLER);
  if (outcome == FAULT_FAIL) return -1;
  if (outcome == FAULT_NONE) return FAULT_NEXT(preadv2)(number, vectors, count, offset, flags);
  struct iovec first = first_byte(vectors, count);
  return FAULT_NEXT(preadv2)(number, &first, 1, offset, flags);
}

ssize_t pwritev2(int number, const struct iovec *vectors, int count, off_t offset, int flags) {
  enum fault_outcome outcome = fault_meet(FAULT_pwritev2, FAULT_CALLER);
  if (outcome == FAULT_FAIL) return -1;
  if (outcome == FAULT_NONE) return FAULT_NEXT(pwritev2)(number, vectors, count, offset, flags);
  struct iovec first = first_byte(vectors, count);
  return FAULT_NEXT(pwritev2)(number, &first, 1, offset, flags);
}

/* What this system has, where the build has not found it out by trying, as LuaRocks and
 * dh-lua do not. Meson does, and defines XPIO_CONFIGURED.
 *
 * In doubt a function is not there. xpio does without each of them: with more system
 * calls, a moment in which others can inherit a descriptor, or fewer names of errors. */
#ifndef XPIO_UNIX_FEATURES_H
#define XPIO_UNIX_FEATURES_H

#ifndef XPIO_CONFIGURED

#include <limits.h> /* of glibc, it defines __GLIBC_PREREQ */

#ifdef __linux__
#define XPIO_HAVE_EPOLL
#endif

/* Everywhere since 2015 at the latest; on Linux in every C library that has C11. */
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#define XPIO_HAVE_ACCEPT4
#define XPIO_HAVE_PIPE2
#endif

#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 32)
#define XPIO_HAVE_STRERRORNAME_NP
#endif
#endif

#endif

#endif

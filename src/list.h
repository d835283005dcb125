/* A circular doubly linked list whose head is a link like every other: an
 * element leaves it without knowing which list it is in. */
#ifndef XPIO_LIST_H
#define XPIO_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct xpio_link {
  struct xpio_link *next, *previous;
};

/* The structure of the given type whose member is this link. */
#define XPIO_CONTAINER(link, type, member) ((type *)xpio_before(link, offsetof(type, member)))

static inline void *xpio_before(void *member, size_t offset) {
  return (char *)member - offset;
}

static inline void xpio_list_init(struct xpio_link *head) {
  head->next = head->previous = head;
}

static inline bool xpio_list_empty(const struct xpio_link *head) {
  return head->next == head;
}

static inline void xpio_list_prepend(struct xpio_link *head, struct xpio_link *link) {
  link->next = head->next;
  link->previous = head;
  head->next->previous = link;
  head->next = link;
}

static inline void xpio_list_append(struct xpio_link *head, struct xpio_link *link) {
  link->next = head;
  link->previous = head->previous;
  head->previous->next = link;
  head->previous = link;
}

/* A removed link is a list of its own, so that removing it again is harmless. */
static inline void xpio_list_remove(struct xpio_link *link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
  xpio_list_init(link);
}

#endif

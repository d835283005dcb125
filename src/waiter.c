#include "waiter.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <uv.h>

#include "loop.h"
#include "state.h"

/* The memory of waiters, which events refer to whatever Lua has freed. */
struct xpio_block {
  struct xpio_block *next;
  size_t count, room;
  struct xpio_waiter waiters[];
};

void xpio_tqueue_init(struct xpio_tqueue *queue, struct xpio_state *state) {
  queue->state = state;
  xpio_list_init(&queue->ready);
  xpio_list_init(&queue->idle);
}

void xpio_tqueue_free(struct xpio_tqueue *queue) {
  while (queue->waiters != NULL) {
    struct xpio_block *block = queue->waiters;
    queue->waiters = block->next;
    free(block);
  }
  xpio_free_object(queue);
}

void xpio_waiter_init(struct xpio_waiter *waiter, struct xpio_tqueue *queue) {
  xpio_list_init(&waiter->link);
  waiter->queue = queue;
  waiter->blocked = NULL;
  waiter->slot = 0;
  waiter->state = XPIO_WAITER_IDLE;
  waiter->served = false;
}

/* One more waiter, null when there is no memory: each time for twice as many. */
static struct xpio_waiter *allocate_waiter(struct xpio_tqueue *queue) {
  enum { LEAST = 1, MOST = 256 };
  struct xpio_block *block = queue->waiters;
  if (block == NULL || block->count == block->room) {
    size_t room = block == NULL ? LEAST : block->room < MOST ? 2 * block->room : MOST;
    block = malloc(sizeof *block + room * sizeof *block->waiters);
    if (block == NULL) return NULL;
    *block = (struct xpio_block){.next = queue->waiters, .room = room};
    queue->waiters = block;
  }
  struct xpio_waiter *waiter = &block->waiters[block->count++];
  xpio_waiter_init(waiter, queue);
  return waiter;
}

/* The difference that a waiter makes to the tasks that are scheduled, and to those that
 * are ready. After lua_close there is no loop. */
static void count_scheduled(struct xpio_tqueue *queue, int difference) {
  struct xpio_loop *loop = queue->state->loop;
  queue->scheduled += (size_t)difference;
  if (loop != NULL) xpio_loop_count_scheduled(loop, difference);
}

static void count_ready(struct xpio_tqueue *queue, int difference) {
  struct xpio_loop *loop = queue->state->loop;
  queue->ready_count += (size_t)difference;
  if (loop != NULL) loop->ready += (size_t)difference;
}

static void make_ready(struct xpio_waiter *waiter) {
  waiter->state = XPIO_WAITER_READY;
  count_ready(waiter->queue, 1);
  xpio_list_remove(&waiter->link);
  xpio_list_append(&waiter->queue->ready, &waiter->link);
}

void xpio_waiter_start(struct xpio_waiter *waiter, struct xpio_event *event, bool again) {
  count_scheduled(waiter->queue, 1);
  if (event == NULL) {
    make_ready(waiter);
    return;
  }
  waiter->state = XPIO_WAITER_WAITING;
  waiter->served = !again && event->served;
  if (!again) event->served = false;
  xpio_list_remove(&waiter->link);
  xpio_list_append(&event->waiters, &waiter->link);
}

void xpio_waiter_stop(struct xpio_waiter *waiter) {
  if (waiter->state == XPIO_WAITER_READY) count_ready(waiter->queue, -1);
  if (waiter->state != XPIO_WAITER_IDLE) count_scheduled(waiter->queue, -1);
  waiter->state = XPIO_WAITER_IDLE;
  waiter->blocked = NULL;
  xpio_list_remove(&waiter->link);
}

void xpio_event_init(struct xpio_event *event) {
  xpio_list_init(&event->waiters);
  event->served = event->woken = false;
}

static void wake_those(struct xpio_event *event, bool served) {
  struct xpio_link *next;
  for (struct xpio_link *link = event->waiters.next; link != &event->waiters; link = next) {
    struct xpio_waiter *waiter = XPIO_CONTAINER(link, struct xpio_waiter, link);
    next = link->next;
    if (waiter->served != served) continue;
    make_ready(waiter);
    event->woken = true;
  }
}

void xpio_wake(struct xpio_event *event) {
  wake_those(event, false);
  wake_those(event, true);
}

/* Sets a field of the task to the value at this index. Raw: what a metatable of
 * the task does is none of our business. */
static void set_field(lua_State *L, int task, int field_upvalue, int value) {
  lua_pushvalue(L, lua_upvalueindex(field_upvalue));
  lua_pushvalue(L, value);
  lua_rawset(L, task);
}

static void clear_field(lua_State *L, int task, int field_upvalue) {
  lua_pushvalue(L, lua_upvalueindex(field_upvalue));
  lua_pushnil(L);
  lua_rawset(L, task);
}

static void clear_fields(lua_State *L, int task) {
  clear_field(L, task, XPIO_UPVALUE_DEQUEUE_FIELD);
  clear_field(L, task, XPIO_UPVALUE_DEQUEUEDATA_FIELD);
}

/* Sets an element of a slot of the array at this index to the value on top. */
static void set_element(lua_State *L, int slots, lua_Integer slot, int element) {
  lua_rawseti(L, slots, slot + element);
}

/* Makes a waiter idle and lets go of what the slots at this index hold for it; pushes
 * the task. Nothing here can fail, so a task is never half dequeued: the elements are
 * there already, and stay, for they do not become nil. */
static void release(lua_State *L, struct xpio_waiter *waiter, int slots) {
  xpio_waiter_stop(waiter);
  xpio_list_prepend(&waiter->queue->idle, &waiter->link); /* the next is hot in the cache */
  lua_rawgeti(L, slots, waiter->slot + XPIO_SLOT_TASK);
  clear_fields(L, lua_gettop(L));
  lua_pushboolean(L, 0);
  set_element(L, slots, waiter->slot, XPIO_SLOT_TASK);
  lua_pushboolean(L, 0);
  set_element(L, slots, waiter->slot, XPIO_SLOT_OBJECT);
}

/* Gives a queue, whose user value is at this index, one waiter more; it is that of the
 * box on top, which is popped. What is at the end of the user value is overwritten the
 * next time when there is no memory for the rest. */
static void add_waiter(lua_State *L, struct xpio_tqueue *queue, int slots) {
  struct xpio_box *box = lua_touserdata(L, -1);
  lua_Integer slot = queue->slots + 1;
  lua_pushvalue(L, slots);
  lua_setiuservalue(L, -2, XPIO_WAITER_SLOTS);
  lua_pushboolean(L, 0);
  set_element(L, slots, slot, XPIO_SLOT_TASK);
  lua_pushboolean(L, 0);
  set_element(L, slots, slot, XPIO_SLOT_OBJECT);
  set_element(L, slots, slot, XPIO_SLOT_WAITER);
  struct xpio_waiter *waiter = allocate_waiter(queue);
  if (waiter == NULL) {
    xpio_raise_no_memory(L);
    return;
  }
  waiter->slot = slot;
  box->object = waiter;
  queue->slots += XPIO_SLOT_ELEMENTS;
  xpio_list_append(&queue->idle, &waiter->link);
}

/* Sees to it that the queue at this index has an idle waiter, unless it is closed.
 * Allocating the userdata runs finalizers, which may take one, or close the queue. */
static void reserve_waiter(lua_State *L, struct xpio_tqueue *queue, int index) {
  lua_getiuservalue(L, index, XPIO_TQUEUE_SLOTS);
  int slots = lua_gettop(L);
  while (!queue->closed && xpio_list_empty(&queue->idle)) {
    xpio_new_box(L, XPIO_TYPE_WAITER, XPIO_WAITER_USER_VALUES);
    add_waiter(L, queue, slots);
  }
  lua_pop(L, 1);
}

/* Whether the task is scheduled is looked at last: reading `_queue` and reserving
 * a waiter may run any Lua code. */
struct xpio_tqueue *xpio_prepare(lua_State *L, int task) {
  lua_pushvalue(L, lua_upvalueindex(XPIO_UPVALUE_QUEUE_FIELD));
  lua_gettable(L, task);
  struct xpio_tqueue *queue = xpio_test_type(L, task + 1, XPIO_TYPE_TQUEUE);
  if (queue == NULL) {
    lua_pushfstring(L, "task._queue: %s expected, got %s", xpio_type_name(XPIO_TYPE_TQUEUE),
                    luaL_typename(L, task + 1));
    return NULL;
  }
  if (xpio_list_empty(&queue->idle)) reserve_waiter(L, queue, task + 1);
  lua_pushvalue(L, lua_upvalueindex(XPIO_UPVALUE_DEQUEUE_FIELD));
  if (lua_rawget(L, task) == LUA_TNIL) return queue;
  lua_pushliteral(L, "the task is already scheduled");
  return NULL;
}

int xpio_schedule(lua_State *L, int task, struct xpio_tqueue *queue, xpio_arm *arm, void *object,
                  bool again) {
  if (queue->closed || queue->state->loop == NULL) {
    lua_settop(L, task);
    return UV_EBADF;
  }
  struct xpio_waiter *waiter = XPIO_CONTAINER(queue->idle.next, struct xpio_waiter, link);
  int queue_index = task + 1, slots = task + 3, waiter_index = task + 4;
  lua_getiuservalue(L, queue_index, XPIO_TQUEUE_SLOTS);
  lua_rawgeti(L, slots, waiter->slot + XPIO_SLOT_WAITER);
  set_field(L, task, XPIO_UPVALUE_DEQUEUEDATA_FIELD, waiter_index);
  set_field(L, task, XPIO_UPVALUE_DEQUEUE_FIELD, lua_upvalueindex(XPIO_UPVALUE_DEQUEUE));
  struct xpio_event *event = NULL;
  int error = arm(object, &event);
  if (error < 0) {
    clear_fields(L, task);
    lua_settop(L, task);
    return error;
  }
  lua_pushvalue(L, task);
  set_element(L, slots, waiter->slot, XPIO_SLOT_TASK);
  lua_pushvalue(L, 1);
  set_element(L, slots, waiter->slot, XPIO_SLOT_OBJECT);
  xpio_waiter_start(waiter, event, again);
  lua_copy(L, waiter_index, queue_index);
  lua_settop(L, queue_index);
  return 0;
}

void xpio_collect(lua_State *L, struct xpio_tqueue *queue, int slots) {
  release(L, XPIO_CONTAINER(queue->ready.next, struct xpio_waiter, link), slots);
}

static struct xpio_waiter *waiter_at(lua_State *L, int index) {
  return xpio_object(L, index, XPIO_TYPE_WAITER);
}

void xpio_dequeue_all(lua_State *L, int index, struct xpio_tqueue *queue) {
  queue->closed = true;
  lua_getiuservalue(L, index, XPIO_TQUEUE_SLOTS);
  int slots = lua_gettop(L);
  for (lua_Integer slot = 1; slot <= queue->slots; slot += XPIO_SLOT_ELEMENTS) {
    lua_rawgeti(L, slots, slot + XPIO_SLOT_WAITER);
    struct xpio_waiter *waiter = waiter_at(L, -1);
    if (waiter->state != XPIO_WAITER_IDLE) release(L, waiter, slots);
    lua_settop(L, slots);
  }
  lua_pop(L, 1);
}

void xpio_forget_waiters(lua_State *L, int index, const struct xpio_tqueue *queue) {
  lua_getiuservalue(L, index, XPIO_TQUEUE_SLOTS);
  for (lua_Integer slot = 1; slot <= queue->slots; slot += XPIO_SLOT_ELEMENTS) {
    lua_rawgeti(L, -1, slot + XPIO_SLOT_WAITER);
    struct xpio_box *box = lua_touserdata(L, -1);
    box->object = NULL;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Takes the task of the waiter at this index, which is not idle, out of its queue. */
static void dequeue_waiter(lua_State *L, int index) {
  lua_getiuservalue(L, index, XPIO_WAITER_SLOTS);
  release(L, waiter_at(L, index), lua_gettop(L));
  lua_pop(L, 2);
}

/* task:_dequeue() -> nothing
 * Takes the task out of its queue, be its event there or not. Raises an error
 * when the task is not scheduled or its fields are not those it was given.
 * Manual: Tasks. */
static int dequeue(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(XPIO_UPVALUE_DEQUEUEDATA_FIELD));
  lua_rawget(L, 1);
  const struct xpio_waiter *waiter = xpio_test_type(L, 2, XPIO_TYPE_WAITER);
  if (waiter == NULL || waiter->state == XPIO_WAITER_IDLE)
    return luaL_argerror(L, 1, "the task is not scheduled");
  lua_getiuservalue(L, 2, XPIO_WAITER_SLOTS);
  lua_rawgeti(L, 3, waiter->slot + XPIO_SLOT_TASK);
  if (!lua_rawequal(L, 1, 4)) return luaL_argerror(L, 1, "_dequeuedata is another task's");
  dequeue_waiter(L, 2);
  return 0;
}

void xpio_set_blocked(lua_State *L, int index) {
  const struct xpio_box *box = lua_touserdata(L, index);
  ((struct xpio_waiter *)box->object)->blocked = L;
}

/* The waiter may have been collected since and serve another task by now, or be gone with
 * its queue: it is this call's only while it bears the coroutine's address, for a
 * coroutine is blocked in one call at a time. */
static void unblock(lua_State *L, int index, const struct xpio_waiter *waiter) {
  if (waiter != NULL && waiter->blocked == L) dequeue_waiter(L, index);
}

void xpio_unblock(lua_State *L, int index) {
  unblock(L, index, waiter_at(L, index));
}

/* Called by Lua when the coroutine of a blocked call is closed; and by programs that
 * have a hook ask who is called. */
static int waiter_close(lua_State *L) {
  unblock(L, 1, xpio_test_type(L, 1, XPIO_TYPE_WAITER));
  return 0;
}

void xpio_waiter_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"__close", waiter_close}, {NULL, NULL}};
  xpio_new_metatable(L, XPIO_TYPE_WAITER, methods, NULL);
  lua_pushnil(L);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  xpio_push_upvalues(L);
  lua_pushcclosure(L, dequeue, XPIO_UPVALUES);
}

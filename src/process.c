#include "process.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>
#include <uv.h>

#include "blocking.h"
#include "result.h"
#include "state.h"

/* What is asked for also when the object is finalized; the ending and the status from then on. */
enum { USER_VALUE_PID = 1, USER_VALUE_ENDING, USER_VALUE_STATUS, USER_VALUES = USER_VALUE_STATUS };

/* Pushes a user value of the process object at index 1, and returns it. */
static lua_Integer push_value(lua_State *L, int user_value) {
  lua_getiuservalue(L, 1, user_value);
  return lua_tointeger(L, -1);
}

static void set_value(lua_State *L, int index, int user_value, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setiuservalue(L, index, user_value);
}

static void init(lua_State *L, struct xpio_process *process) {
  xpio_event_init(&process->ended);
  process->state = xpio_state(L);
  process->ending = XPIO_LOST;
}

struct xpio_process *xpio_process_new(lua_State *L) {
  struct xpio_process *process =
      xpio_new_object(L, XPIO_TYPE_PROCESS, sizeof *process, USER_VALUES);
  init(L, process);
  return process;
}

void xpio_process_spawned(lua_State *L, struct xpio_process *process, struct xpio_child *child) {
  process->child = child;
  process->ending = child->ending;
  set_value(L, lua_gettop(L), USER_VALUE_PID, child->pid);
}

static void on_ended(void *owner) {
  struct xpio_process *process = owner;
  process->ending = process->child->ending;
  process->status = process->child->status;
  xpio_wake(&process->ended);
}

/* Brings the object up to date with its child. */
static void refresh(struct xpio_process *process) {
  if (process->ending != XPIO_RUNNING) return;
  xpio_system_check_child(process->child);
  if (process->child->ending != XPIO_RUNNING) on_ended(process);
}

void xpio_process_close(struct xpio_process *process) {
  if (process->child == NULL) return;
  refresh(process);
  xpio_system_release_child(process->child);
  process->child = NULL;
  if (process->ending == XPIO_RUNNING) process->ending = XPIO_LOST;
  xpio_wake(&process->ended);
}

void xpio_process_free(struct xpio_process *process) {
  xpio_process_close(process);
  xpio_free_object(process);
}

static struct xpio_process *check_process(lua_State *L) {
  return xpio_check_type(L, 1, XPIO_TYPE_PROCESS);
}

/* What is known of the child of the process object at index 1, which has been brought up to
 * date. Pushes the status. */
static enum xpio_ending push_status(lua_State *L, const struct xpio_process *process) {
  if (process != xpio_state(L)->closed[XPIO_TYPE_PROCESS]) {
    lua_pushinteger(L, process->status);
    return process->ending;
  }
  enum xpio_ending ending = XPIO_LOST;
  if (lua_getiuservalue(L, 1, USER_VALUE_ENDING) != LUA_TNIL)
    ending = (enum xpio_ending)lua_tointeger(L, -1);
  lua_getiuservalue(L, 1, USER_VALUE_STATUS);
  return ending;
}

static int attempt_wait(lua_State *L, void *object, bool again) {
  struct xpio_process *process = object;
  (void)again;
  refresh(process);
  if (process->ending == XPIO_RUNNING) return XPIO_WOULD_WAIT;
  enum xpio_ending ending = push_status(L, process);
  if (ending == XPIO_LOST) return xpio_push_error(L, XPIO_ECHILD);
  lua_pushstring(L, ending == XPIO_EXITED ? "exit" : "signal");
  lua_insert(L, -2);
  return 2;
}

static int arm_wait(void *object, struct xpio_event **event) {
  struct xpio_process *process = object;
  *event = NULL;
  if (process->ending != XPIO_RUNNING) return 0;
  int error = xpio_system_watch_child(process->child, on_ended, process);
  if (error < 0) return error;
  if (process->child->ending == XPIO_RUNNING)
    *event = &process->ended;
  else
    on_ended(process);
  return 0;
}

/* process:wait() -> "exit", status | "signal", number | nil, message, code
 * Waits for the process to end; ECHILD when its status went to someone else or the
 * object is closed. Manual: Processes. */
static int process_wait(lua_State *L) {
  static const struct xpio_operation operation = {
      XPIO_TYPE_PROCESS, attempt_wait, arm_wait, xpio_push_error, 1, 1};
  return xpio_block(L, &operation);
}

/* process:try_wait() -> as wait | nil, "retry"
 * Manual: Processes. */
static int process_try_wait(lua_State *L) {
  return xpio_try(L, XPIO_TYPE_PROCESS, attempt_wait);
}

/* process:when_wait(task) -> true | nil, message, code
 * Schedules the task until the process has ended. Manual: Processes. */
static int process_when_wait(lua_State *L) {
  return xpio_when(L, XPIO_TYPE_PROCESS, arm_wait);
}

/* The number of the signal at this argument, "KILL" if it is left out. */
static int check_signal(lua_State *L, int argument) {
  if (lua_type(L, argument) == LUA_TNUMBER) {
    lua_Integer number = luaL_checkinteger(L, argument);
    luaL_argcheck(L, number >= 0 && number <= INT_MAX, argument, "not the number of a signal");
    return (int)number;
  }
  size_t length;
  const char *name = luaL_optlstring(L, argument, "KILL", &length);
  int number = strlen(name) == length ? xpio_system_signal_number(name) : -1;
  if (number < 0)
    luaL_argerror(L, argument, lua_pushfstring(L, "there is no signal named '%s'", name));
  return number;
}

/* process:kill([signal [, "group"]]) -> true | nil, message, code
 * signal: a number, or a name such as "TERM"; "KILL" if it is left out. "group"
 * sends it to the whole process group that the process leads. ESRCH when they are
 * gone. Manual: Processes. */
static int process_kill(lua_State *L) {
  static const char *const whom[] = {"process", "group", NULL};
  struct xpio_process *process = check_process(L);
  int signal = check_signal(L, 2);
  bool group = luaL_checkoption(L, 3, "process", whom) == 1;
  /* A group may outlive the process that leads it. */
  if (!group) refresh(process);
  if (process->child == NULL || (!group && process->ending != XPIO_RUNNING))
    return xpio_push_error(L, UV_ESRCH);
  int error = xpio_system_signal_child(process->child, signal, group);
  if (error == UV_ENOTSUP)
    return xpio_push_unsupported(L, group ? "kill: a process group" : "kill: this signal");
  return xpio_push_result(L, error);
}

/* process:pid() -> integer
 * The number that the process has, or had. Manual: Processes. */
static int process_pid(lua_State *L) {
  check_process(L);
  push_value(L, USER_VALUE_PID);
  return 1;
}

/* The body of __close, and of the __gc that a program may call. */
static int process_leave(lua_State *L) {
  xpio_process_close(check_process(L));
  return 0;
}

/* Called by the collector. */
static int process_finalize(lua_State *L) {
  struct xpio_process *process = xpio_take_object(L, XPIO_TYPE_PROCESS);
  if (process == NULL) return 0;
  xpio_process_close(process);
  set_value(L, 1, USER_VALUE_ENDING, process->ending);
  set_value(L, 1, USER_VALUE_STATUS, process->status);
  xpio_free_object(process);
  return 0;
}

/* tostring(process) -> "process 4711 (exit 0)" */
static int process_tostring(lua_State *L) {
  const struct xpio_process *process = check_process(L);
  LUAI_UACINT pid = push_value(L, USER_VALUE_PID);
  enum xpio_ending ending = push_status(L, process);
  LUAI_UACINT status = lua_tointeger(L, -1);
  switch (ending) {
  case XPIO_RUNNING: lua_pushfstring(L, "process %I (running)", pid); break;
  case XPIO_EXITED: lua_pushfstring(L, "process %I (exit %I)", pid, status); break;
  case XPIO_SIGNALED: lua_pushfstring(L, "process %I (signal %I)", pid, status); break;
  case XPIO_LOST:
    lua_pushfstring(L, process->child == NULL ? "process %I (closed)" : "process %I (status lost)",
                    pid);
    break;
  }
  return 1;
}

void xpio_process_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", process_wait},
      {"try_wait", process_try_wait},
      {"when_wait", process_when_wait},
      {"kill", process_kill},
      {"pid", process_pid},
      {"__gc", process_leave},
      {"__close", process_leave},
      {"__tostring", process_tostring},
      {NULL, NULL},
  };
  init(L, xpio_new_closed(L, XPIO_TYPE_PROCESS, sizeof(struct xpio_process)));
  xpio_new_metatable(L, XPIO_TYPE_PROCESS, methods, process_finalize);
  lua_pop(L, 1);
}

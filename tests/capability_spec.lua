--- The capabilities of the system that are found out with xpio itself: where they are
--- there, a fault of xpio must not make them seem to be missing, and skip its own test.
local capability = require "capability"

describe("Linux", function()
  for _, name in ipairs { "abort_connect", "child_signals", "cpu_clock", "datagram_errors", "descriptor_flags",
    "ended_children", "pipe_signal", "probe", "process_groups", "process_states", "pseudoterminals", "reset",
    "signals", "surviving_children", "unix_sockets", "write_notices" } do
    it("has " .. name, function()
      if not capability.descriptor_flags then return pending "this is no Linux" end
      if os.getenv "XPIO_RUN" then return pending "an emulator can do less" end
      assert.is_true(not not capability[name], capability.reason(name))
    end)
  end

  it("has no handles and no consoles of Windows", function()
    if not capability.descriptor_flags then return pending "this is no Linux" end
    assert.is_false(capability.handles)
    assert.is_false(capability.consoles)
  end)
end)

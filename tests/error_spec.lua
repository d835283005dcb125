--- The names and messages of errors: one table for all systems, of the words of the GNU C
--- library.
local errors = assert(package.loadlib(os.getenv "XPIO_ERRORS", "luaopen_errors"))()

--- Those of libuv that no call of xpio can meet, and which are not in the table: of name
--- lookup, of libuv itself, and of what only newer versions of it know.
local function is_foreign(name)
  return name:find "^EAI_" or ({ UNKNOWN = true, EOF = true, ECHARSET = true, EFTYPE = true, ENODATA = true,
    EUNATCH = true })[name]
end

describe("the table of errors", function()
  it("has a name and a message for every error that libuv knows", function()
    local count = 0
    for _, error in ipairs(errors) do
      if not is_foreign(error.libuv) then
        count = count + 1
        assert.equal(error.libuv, error.name)
        assert.is_string(error.message, error.libuv)
      end
    end
    assert.is_true(count >= 60)
  end)

  it("says what the GNU C library says", function()
    local count = 0
    for _, error in ipairs(errors) do
      if error.message and error.system then
        count = count + 1
        assert.equal(error.system, error.message)
      end
    end
    if count == 0 then return pending "this system does not have the GNU C library" end
    assert.is_true(count >= 60)
  end)
end)

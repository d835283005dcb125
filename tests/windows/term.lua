-- What busted uses of lua-term.
return { isatty = function() return false end }

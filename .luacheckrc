std = "lua54"
max_line_length = 100
exclude_files = {"build*/", "subprojects/*/"}
files["tests"] = {std = "lua54+busted", max_line_length = 120}
files["types"] = {ignore = {"212", "241"}} -- functions without bodies, of objects without a use
files["docs/man.lua"] = {globals = {"pandoc", "Link", "Pandoc", "Table"}}

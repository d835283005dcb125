std = "lua54"
max_line_length = 100
exclude_files = {"build*/", "subprojects/*/"}
files["tests"] = {std = "lua54+busted", max_line_length = 120}

--- A filter for pandoc: makes the reference manual a manual page.
---
---     pandoc -s -f gfm -t man --lua-filter=docs/man.lua docs/reference.md
local width = 70 -- of a table, by pandoc

--- Characters in the longest line and in the longest word of a table's cell.
local function extent(cell)
  local line, word = 0, 0
  for _, block in ipairs(cell.contents) do
    local text = pandoc.utils.stringify(block)
    line = math.max(line, utf8.len(text) or #text)
    for part in text:gmatch "%S+" do word = math.max(word, utf8.len(part) or #part) end
  end
  return line, word
end

--- Columns that take what they need, if there is room; the wider ones share what is left.
function Table(table)
  local lines, words, total = {}, {}, 0
  local function measure(rows)
    for _, row in ipairs(rows) do
      for i, cell in ipairs(row.cells) do
        local line, word = extent(cell)
        lines[i], words[i] = math.max(lines[i] or 1, line), math.max(words[i] or 1, word)
      end
    end
  end
  measure(table.head.rows)
  for _, body in ipairs(table.bodies) do measure(body.body) end
  local room = width - 3 * (#lines - 1)
  for i = 1, #lines do total = total + lines[i] end
  if total <= room then return nil end
  local least, spare = 0, 0
  for i = 1, #lines do
    words[i] = math.min(words[i], 24)
    least, spare = least + words[i], spare + lines[i] - words[i]
  end
  for i, colspec in ipairs(table.colspecs) do
    local share = words[i] + (room - least) * (lines[i] - words[i]) / spare
    table.colspecs[i] = { colspec[1], share / width }
  end
  return table
end

--- Sections are found by their names, and pages of the manual by theirs.
function Link(link)
  local target = link.target
  if target:match "^#" then return link.content end
  if not target:match "^https?:" then
    link.content:insert(pandoc.Str(" (docs/" .. target:gsub("#.*", "") .. ")"))
    return link.content
  end
end

--- No title, for the page has a name; no contents; all headings a level higher.
function Pandoc(document)
  local blocks = pandoc.List {
    pandoc.RawBlock("man", ".ad l\n.nh\n.if n .pl 9999v"), -- names of functions stay in one piece
    pandoc.Header(1, "NAME"),
    pandoc.Para "xpio - sockets, pipes and child processes for Lua",
    pandoc.Header(1, "SYNOPSIS"),
    pandoc.CodeBlock 'local xpio = require "xpio"',
    pandoc.Header(1, "DESCRIPTION"),
  }
  local sections = false
  for _, block in ipairs(document.blocks) do
    sections = sections or block.t == "Header" and block.level == 2
    if block.t == "Header" then
      block.level = block.level - 1
      if block.level == 1 then
        block.content = pandoc.Str(pandoc.utils.stringify(block.content):upper())
      end
    end
    if sections or block.t == "Para" then blocks:insert(block) end
  end
  document.blocks = blocks
  document.meta.title = "XPIO"
  document.meta.section = "3lua"
  document.meta.header = "Lua modules"
  return document
end

-- The bytes of an input, as choices.
local input = { bytes = "", position = 1 }

function input.open(bytes)
  input.bytes, input.position = bytes, 1
end

function input.is_over()
  return input.position > #input.bytes
end

-- A number from 1 to `most`; 1 when the bytes are over.
function input.choose(most)
  local byte = input.bytes:byte(input.position) or 0
  input.position = input.position + 1
  return byte % most + 1
end

-- True once in `of` choices, on average.
function input.rarely(of)
  return input.choose(of) == of
end

-- One of the elements, nil if there are none.
function input.pick(array)
  if #array == 0 then return end
  return array[input.choose(#array)]
end

return input

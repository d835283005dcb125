-- What the benchmark measures: a new row is one more entry.
--
-- way: tcp, udp or pipe. load: arguments of the load generator. size: of a read of the
-- server, in bytes. messages: in the measured time, and a tenth of that before. unit: of
-- the figures, if it is not a message. idle: connections that are held beside, whose
-- memory is measured. calls and instructions: whether these are counted, too, in runs of
-- their own with so many messages.
local KIB <const>, MIB <const> = 1024, 1024 * 1024

return {
  { name = "1 x 64 B", way = "tcp", load = { "-c", 1 }, messages = 40000 },
  {
    name = "50 x 64 B", way = "tcp", load = { "-c", 50 }, messages = 100000,
    calls = 20000, instructions = 10000,
  },
  { name = "1,000 x 64 B", way = "tcp", load = { "-c", 1000 }, messages = 100000 },
  {
    name = "50 x 16 KiB", way = "tcp", load = { "-c", 50, "-s", 16 * KIB }, size = 64 * KIB,
    messages = 30000,
  },
  {
    name = "10,000 idle, 50 x 64 B", way = "tcp", load = { "-c", 50 }, idle = 10000,
    messages = 100000,
  },
  {
    name = "connect, request, close", way = "tcp", load = { "-c", 50, "-r" }, messages = 20000,
    unit = "connection", calls = 4000,
  },
  {
    name = "bulk, 256 KiB", way = "tcp", load = { "-b", "-s", 256 * KIB }, size = 256 * KIB,
    messages = 4000, unit = "256 KiB",
  },
  {
    name = "bulk, 1 MiB", way = "tcp", load = { "-b", "-s", MIB }, size = MIB, messages = 1000,
    unit = "MiB",
  },
  { name = "UDP, 50 x 64 B", way = "udp", load = { "-c", 50 }, messages = 100000 },
  { name = "pipes, 64 B", way = "pipe", load = {}, messages = 40000 },
}

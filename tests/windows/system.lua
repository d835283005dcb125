-- What busted uses of lua-system.
return {
  gettime = os.time,
  monotime = os.clock, -- on Windows not of the processor: the time since the start
}

// An echo server on Node's net and dgram: arguments as of xpio.lua.
'use strict'

const way = process.argv[2]
const collectAt = Number(process.argv[4] || 0)
let accepted = 0

function announce(server) {
  process.stdout.write(`127.0.0.1:${server.address().port}\n`)
}

if (way === 'tcp') {
  const server = require('net').createServer((socket) => {
    socket.on('data', (data) => {
      if (!socket.write(data)) {
        socket.pause()
        socket.once('drain', () => socket.resume())
      }
    })
    socket.on('error', () => socket.destroy())
    if (++accepted === collectAt && global.gc) global.gc()
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => announce(server))
} else if (way === 'udp') {
  const socket = require('dgram').createSocket('udp4')
  socket.on('message', (data, sender) => socket.send(data, sender.port, sender.address))
  socket.bind(0, '127.0.0.1', () => announce(socket))
} else {
  process.stdin.on('data', (data) => process.stdout.write(data))
}

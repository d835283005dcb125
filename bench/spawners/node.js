// Children by Node's child_process. Arguments: COUNT AT_A_TIME MEBIBYTES.
"use strict";
const { spawn } = require("child_process");
const [count, most, mebibytes] = process.argv.slice(2).map(Number);

const held = [];
for (let i = 0; i < mebibytes; i++) held.push(Buffer.alloc(1 << 20, i + 1));

const began = process.hrtime.bigint();
const used = process.cpuUsage();
let started = 0;
let running = 0;

function finish() {
  const { user, system } = process.cpuUsage(used);
  console.log(Number(process.hrtime.bigint() - began) / 1e9, (user + system) / 1e6);
  return held;
}

function startSome() {
  while (running < most && started < count) {
    started++;
    running++;
    spawn("/bin/true", [], { stdio: "ignore" }).on("exit", (status) => {
      if (status !== 0) process.exit(1);
      running--;
      if (started < count) startSome();
      else if (running === 0) finish();
    });
  }
}

startSome();

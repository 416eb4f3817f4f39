import { RingConsumer } from "../../src/market/ring.ts";

/** Records what it gets from a ring until it has seen or lost the last event, and reports. */
declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<{ ring: SharedArrayBuffer; last: number; slow: boolean }>) => {
  const consumer = new RingConsumer(data.ring);
  self.postMessage("ready");
  let torn = 0;
  let disorder = 0;
  let last = -1;
  while (last < data.last) {
    const event = consumer.take();
    if (event === undefined) continue;
    const n = event.time;
    const [a, b, c, d, e] = event.values;
    const whole = a === n && b === n * 2 && c === n * 3 && d === n * 5 && e === n * 7 && event.symbol === n % 1000;
    if (!whole) torn++;
    if (n <= last) disorder++;
    last = n;
    if (data.slow && consumer.received % 100 === 0) Bun.sleepSync(1);
  }
  self.postMessage({ received: consumer.received, lost: consumer.lost, torn, disorder });
};

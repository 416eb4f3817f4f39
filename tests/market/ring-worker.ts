import { RingProducer } from "../../src/market/ring.ts";

/** Publishes numbered events into a ring, and dies in the middle of a slot when asked to. */
declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<{ ring: SharedArrayBuffer; from: number; events: number; die: boolean }>) => {
  const producer = new RingProducer(data.ring);
  for (let n = data.from; n < data.from + data.events; n++) {
    producer.publish({ kind: 1, symbol: n % 1000, time: n, values: [n, n * 2, n * 3, n * 5, n * 7] });
    // A pause now and then lets slow consumers keep up in parts, so that both ways of reading happen.
    if (n % 5000 === 0) Bun.sleepSync(1);
  }
  if (data.die) {
    // Claims a slot and never publishes it, as a producer that is killed there.
    const words = new BigInt64Array(data.ring);
    const head = Atomics.add(words, 8, 1n) + 1n;
    const slots = BigInt(new Uint32Array(data.ring, 0, 3)[2]!);
    Atomics.store(words, 32 + Number((head - 1n) % slots) * 8, 0n);
  }
  self.postMessage("done");
};

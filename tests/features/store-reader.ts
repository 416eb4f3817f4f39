import { FeatureReader } from "../../src/features/store.ts";

/** A worker that reads one owner's row over and over, and counts rows that are not of one piece. */
declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<{ buffer: SharedArrayBuffer; owner: number; stop: SharedArrayBuffer }>) => {
  const reader = new FeatureReader(data.buffer);
  const stop = new Int32Array(data.stop);
  let reads = 0;
  let torn = 0;
  let last = Number.NaN;
  Atomics.store(stop, 1, 1);
  while (Atomics.load(stop, 0) === 0) {
    const row = reader.read(data.owner);
    if (row === undefined) continue;
    reads += 1;
    if (!row.every((value) => value === row[0])) torn += 1;
    if (row[0] !== last) Atomics.add(stop, 2, 1);
    last = row[0]!;
  }
  self.postMessage({ reads, torn });
};

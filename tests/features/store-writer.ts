import { FeatureStore } from "../../src/features/store.ts";

/**
 * Run as `bun store-writer.ts <path> <what>`: writes rows to a mapped store and ends without closing it.
 * `crash` dies by a signal, `torn` leaves one row half written as a death within `put` would.
 */
const [path, what] = process.argv.slice(2) as [string, string];
const store = FeatureStore.open(path, 8, 4);
for (let owner = 1; owner <= 5; owner++) store.put(owner, Float32Array.of(owner, owner * 2, Number.NaN));
store.release(4);
store.release(2);
if (what === "torn") {
  // The sequence of slot 2, the owner 3: odd.
  new Int32Array(store.buffer)[(64 + 2 * 32 + 16) / 4]! += 1;
}
process.kill(process.pid, "SIGKILL");

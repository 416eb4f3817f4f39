/**
 * Ten million calls through the door to C: every address stays where it was, and memory does not grow.
 * Run: `bun bench/indicators/soak.ts [calls]`
 */
import { lengthOf, planIndicators } from "../../src/indicators/plan.ts";
import { BAR, CLOSE } from "../../src/market/panel.ts";
import { addressOf, availableKernels } from "../../src/native.ts";
import { ALL_KINDS } from "../../tests/indicators/series.ts";

const calls = Number(process.argv[2] ?? 1e7);
const plan = planIndicators(ALL_KINDS.slice(0, 7));
const doubles = (length: number) => new Float64Array(new SharedArrayBuffer(length * 8));
const arrays = [
  doubles(BAR).fill(100),
  doubles(lengthOf(plan.stateRows, 1)),
  doubles(lengthOf(plan.outputRows, 1)),
] as const;
const [bars, state, out] = arrays;
const kernels = availableKernels();
const kernel = kernels.at(-1)!;
if (kernels.length === 1) console.log("no native kernel: this soaks the portable one");

const before = arrays.map(addressOf).join();
const warm = Math.floor(calls / 10);
let rss = 0;
const start = Bun.nanoseconds();
for (let i = 0; i < calls; i++) {
  bars[CLOSE + (i & 7)] = 100 + (i % 97) / 8;
  kernel.step(plan, bars, 0, BAR, 1, state, out);
  if (i === warm) rss = process.memoryUsage.rss();
  // Reads what C wrote: a stale value would show an array that has moved.
  if (state[0] !== i + 1) throw new Error(`call ${i}: ${state[0]} bars seen`);
}
const grown = (process.memoryUsage.rss() - rss) / 2 ** 20;
const each = (Bun.nanoseconds() - start) / calls;
if (arrays.map(addressOf).join() !== before) throw new Error("an array has moved");
console.log(`${calls} calls of ${kernel.name}, ${each.toFixed(0)} ns each; addresses unchanged;`);
console.log(`resident memory ${grown.toFixed(1)} MB above that after ${warm} calls`);
if (grown > 16) throw new Error("memory grows");

/**
 * Opening a folder of bars, hashing it and stepping through it: what a backtest pays before its first decision.
 * Run: bun bench/market/recorded-market.ts DIR
 */
import { openRecordedMarket } from "../../src/market/recorded-market.ts";

const dir = process.argv[2];
if (dir === undefined) throw new Error("usage: bun bench/market/recorded-market.ts DIR");

const begun = performance.now();
const market = openRecordedMarket({ dir, assumedFundingRate: 0.0001 });
const loaded = performance.now();
const hash = market.dataHash;
const hashed = performance.now();
let steps = 0;
while (market.step() !== undefined) steps++;
const stepped = performance.now();

if (steps !== market.steps) throw new Error(`${steps} steps instead of ${market.steps}`);
const rate = (milliseconds: number) =>
  `${milliseconds.toFixed(0)} ms, ${(market.bars / milliseconds / 1000).toFixed(2)} M bars/s`;
console.log(`${market.instruments.length} symbols, ${market.bars} bars, ${steps} steps, ${hash.slice(0, 16)}…`);
console.log(`load  ${rate(loaded - begun)}`);
console.log(`hash  ${rate(hashed - loaded)}`);
console.log(`step  ${rate(stepped - hashed)}`);
console.log(`rss   ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);

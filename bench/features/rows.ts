/**
 * Time per feature row of a live market of 200 symbols at each 5m close, over two days: all rows with the incremental
 * cache and without, and the rows a candidate each hour would need. Rows are compared bit for bit before anything is
 * timed; rounds are interleaved; the figures are medians. And the store: a row put and read.
 * Run: `bun bench/features/rows.ts`
 */
import { FEATURE_COUNT } from "../../src/features/rows.ts";
import { FeatureReader, FeatureStore } from "../../src/features/store.ts";
import { FeatureMarket } from "../../tests/features/feature-market.ts";
import { wander } from "../../tests/structure/bars.ts";

const SYMBOLS = 200;
/** All timeframes are warm from here on. */
const WARM = 620;
const ROUNDS = 9;
const BARS_PER_ROUND = 48;

const walks = Array.from({ length: 25 }, (_, i) => wander(WARM + ROUNDS * BARS_PER_ROUND, i + 1));
const series = Array.from({ length: SYMBOLS }, (_, i) => walks[i % walks.length]!);

const markets = {
  incremental: new FeatureMarket(series),
  "from scratch": new FeatureMarket(series, { incremental: false }),
};
for (const market of Object.values(markets)) for (let bar = 0; bar < WARM; bar++) market.advance();
const [a, b] = Object.values(markets).map((market) => market.row());
for (const [cell, value] of a!.entries()) {
  if (!Object.is(value, b![cell])) throw new Error(`cell ${cell}: ${value} incremental, ${b![cell]} from scratch`);
}

const spent: Record<keyof typeof markets, number[]> = { incremental: [], "from scratch": [] };
const single: number[] = [];
let sum = 0;
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, market] of Object.entries(markets) as [keyof typeof markets, FeatureMarket][]) {
    let time = 0;
    for (let bar = 0; bar < BARS_PER_ROUND; bar++) {
      market.advance();
      if (name === "from scratch" && bar % 12 === 7) {
        // The first row at a close also pays for the market's return.
        const start = Bun.nanoseconds();
        sum += market.engine.features(17)[5]!;
        single.push(Bun.nanoseconds() - start);
      }
      const start = Bun.nanoseconds();
      for (let symbol = 0; symbol < SYMBOLS; symbol++) sum += market.engine.features(symbol)[0]!;
      time += Bun.nanoseconds() - start;
    }
    spent[name].push(time / BARS_PER_ROUND / SYMBOLS);
  }
}

const store = FeatureStore.inMemory();
const row = new Float32Array(FEATURE_COUNT);
const puts: number[] = [];
const reads: number[] = [];
for (let owner = 0; owner < store.capacity; owner++) store.put(owner, row);
for (let round = 0; round < ROUNDS; round++) {
  let start = Bun.nanoseconds();
  for (let i = 0; i < 100_000; i++) store.put((i * 7919) % store.capacity, row);
  puts.push((Bun.nanoseconds() - start) / 100_000);
  start = Bun.nanoseconds();
  for (let i = 0; i < 100_000; i++) sum += store.read((i * 7919) % store.capacity)![3]!;
  reads.push((Bun.nanoseconds() - start) / 100_000);
}
const reader = new FeatureReader(store.buffer);
const start = Bun.nanoseconds();
for (let i = 0; i < 200; i++) sum += reader.read((i * 7919) % store.capacity)!.length;
const search = (Bun.nanoseconds() - start) / 200;
if (Number.isNaN(sum)) throw new Error("a value is missing in a market that is warm");

const median = (values: readonly number[]) => values.toSorted((x, y) => x - y)[values.length >> 1]!;
const us = (nanoseconds: number) => `${(nanoseconds / 1000).toFixed(2)} µs`;
const [kept, scratch] = [median(spent.incremental), median(spent["from scratch"])];
const gain = median(spent["from scratch"].map((time, round) => time / spent.incremental[round]!));
console.log(`a row of ${FEATURE_COUNT} features, incremental        ${us(kept)}`);
console.log(`the same, from scratch              ${us(scratch)}, ${gain.toFixed(1)} times as long`);
console.log(`first row at a close, from scratch  ${us(median(single))}`);
console.log(`all ${SYMBOLS} symbols at a close          ${us(kept * SYMBOLS)}`);
console.log(`store: put ${us(median(puts))}, read ${us(median(reads))}, found by another thread ${us(search)}`);

import postgres from "postgres";
import { type KlineColumns, storeKlines } from "../../src/store/klines.ts";
import { openStore } from "../../src/store/store.ts";

/**
 * Bars through the project's writer against a bare COPY of the same rows, in turns, on the server of DATABASE_URL:
 * `bun bench/store/klines.ts [ROUNDS]`. It makes a database of its own there and removes it.
 */
const rounds = Number(process.argv[2] ?? 5);
const ROWS = 50_000;
const MINUTE = 60_000;
const address = process.env.DATABASE_URL;
if (address === undefined) throw new Error("DATABASE_URL names the server, see tools/timescaledb.sh");

/** Bars of one round; every tenth has another volume when they are to be `corrected`. */
function bars(symbol: string, round: number, corrected: boolean): KlineColumns {
  const column = (of: (i: number) => number) => Float64Array.from({ length: ROWS }, (_, i) => of(i));
  const price = column((i) => 100 + (i % 977) / 10);
  return {
    symbol,
    timeframe: MINUTE,
    openTime: column((i) => (round * ROWS + i) * MINUTE),
    open: price,
    high: column((i) => price[i]! + 1),
    low: column((i) => price[i]! - 1),
    close: price,
    volume: column((i) => i + (corrected && i % 10 === 0 ? 1 : 0)),
  };
}

function textOf({ symbol, timeframe, ...c }: KlineColumns): string {
  let text = "";
  for (let i = 0; i < ROWS; i++) {
    text += `${symbol}\t${timeframe}\t${c.openTime[i]}\t${c.open[i]}\t${c.high[i]}\t${c.low[i]}\t${c.close[i]}\t${c.volume[i]}\t0\n`;
  }
  return text;
}

const name = `penstock_bench_${process.pid}`;
const administrator = postgres(address, { max: 1, onnotice: () => {} });
await administrator.unsafe(`CREATE DATABASE ${name}`);
const url = new URL(address);
url.pathname = name;
const store = await openStore({ databaseUrl: url.toString(), dataDir: "." });
const seconds = { copy: [] as number[], append: [] as number[], corrections: [] as number[] };

async function timed(what: keyof typeof seconds, work: () => Promise<unknown>): Promise<void> {
  const begun = performance.now();
  await work();
  seconds[what].push((performance.now() - begun) / 1000);
}

for (let round = 0; round < rounds; round++) {
  const text = textOf(bars("COPY", round, false));
  await timed("copy", async () => {
    const stream = await store.sql`COPY klines (symbol, timeframe, open_time, open, high, low, close, volume, seen_at)
      FROM STDIN`.writable();
    await new Promise<void>((resolve, reject) => {
      stream.once("error", reject);
      stream.end(text, () => resolve());
    });
  });
  const [given, corrected] = [bars("STORED", round, false), bars("STORED", round, true)];
  await timed("append", () => storeKlines(store.sql, given, 0));
  await timed("corrections", () => storeKlines(store.sql, corrected, 1));
}
await store.close();
await administrator.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
await administrator.end();

const rate = (what: keyof typeof seconds) => ROWS / seconds[what].sort((a, b) => a - b)[rounds >> 1]!;
const share = (what: keyof typeof seconds) => `${((100 * rate(what)) / rate("copy")).toFixed(0)} %`;
const shown = (what: keyof typeof seconds) => `${Math.round(rate(what)).toLocaleString("en")} rows/s`;
process.stdout.write(
  `bare COPY ${shown("copy")}; append ${shown("append")}, ${share("append")} (target 80 %); ` +
    `a tenth corrected ${shown("corrections")}, ${share("corrections")} (target 25 %)\n`,
);

import postgres from "postgres";
import { analysisPanel } from "../../src/analysis/analysis-panel.ts";
import { type Instrument, ticksOf } from "../../src/core/instrument.ts";
import type { BarStep } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { readFeatureRows, readSeries } from "../../src/store/history.ts";
import { type KlineColumns, storeKlines } from "../../src/store/klines.ts";
import { FEATURES } from "../../src/store/schema.ts";
import { openStore } from "../../src/store/store.ts";

/**
 * What learning and a start read back from the server of DATABASE_URL: feature rows into typed arrays, and the bars of
 * 200 symbols into the panel. `bun bench/store/history.ts [ROUNDS] [ROWS]`; it makes a database of its own there.
 */
const rounds = Number(process.argv[2] ?? 5);
const ROWS = Number(process.argv[3] ?? 300_000);
const address = process.env.DATABASE_URL;
if (address === undefined) throw new Error("DATABASE_URL names the server, see tools/timescaledb.sh");

const SYMBOLS = 200;
const TIMEFRAME = 300_000;
/** What the longest window needs: 100 bars of an hour, and some more. */
const BARS = 1250;

const name = `penstock_bench_${process.pid}`;
const administrator = postgres(address, { max: 1, onnotice: () => {} });
await administrator.unsafe(`CREATE DATABASE ${name}`);
const url = new URL(address);
url.pathname = name;
const store = await openStore({ databaseUrl: url.toString(), dataDir: "." });
try {
  const columns = Array.from({ length: FEATURES }, (_, i) => `f${i + 1}`);
  const value = (i: number) => `((n * ${i + 7}) % 1000 / 500.0 - 1)::real`;
  await store.sql.unsafe(
    `INSERT INTO feature_rows (run, seq, symbol, position, time, label_time, label, ${columns.join(", ")})
     SELECT 1, n, 'S' || n % 200, n, n * 60000::bigint, n * 60000::bigint + 3600000, (n % 5 - 2)::real,
            ${columns.map((_, i) => value(i)).join(", ")}
     FROM generate_series(1, ${ROWS}) AS n`,
  );
  const sample = await readFeatureRows(store.sql, { to: 4_000_000 });
  const row = sample.features.subarray(0, FEATURES);
  const expected = Float32Array.from({ length: FEATURES }, (_, i) => ((i + 7) % 1000) / 500 - 1);
  if (row.join() !== expected.join()) throw new Error(`row 1 is ${row}, expected ${expected}`);

  const market = generateMarket({ seed: 1, symbols: 48, start: 0, timeframe: TIMEFRAME });
  const names = Array.from({ length: SYMBOLS }, (_, i) => `S${String(i).padStart(3, "0")}USDT`);
  const closes: number[][] = names.map(() => []);
  for (let step = 0; step < BARS; step++) {
    const { close } = market.step()!;
    for (let symbol = 0; symbol < SYMBOLS; symbol++) closes[symbol]!.push(close[symbol % 48]! / 100);
  }
  for (const [symbol, close] of closes.entries()) {
    const openTime = close.map((_, i) => i * TIMEFRAME);
    const bars = {
      symbol: names[symbol]!,
      timeframe: TIMEFRAME,
      openTime,
      open: close,
      high: close,
      low: close,
      close,
    };
    await storeKlines(store.sql, { ...bars, volume: close }, 0);
  }
  await store.sql.unsafe("ANALYZE");

  const seconds = { features: [] as number[], bars: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    let begun = performance.now();
    const { rows } = await readFeatureRows(store.sql);
    seconds.features.push((performance.now() - begun) / 1000);
    if (rows !== ROWS) throw new Error(`${rows} rows`);

    begun = performance.now();
    const series = await readSeries(store.sql, TIMEFRAME, 0, names);
    fillPanel(series, names, market.instruments[0]!);
    seconds.bars.push((performance.now() - begun) / 1000);
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  const rate = Math.round(ROWS / median(seconds.features)).toLocaleString("en");
  process.stdout.write(
    `feature rows: ${rate} rows/s (target 300,000); ` +
      `${SYMBOLS} symbols, ${SYMBOLS * BARS} bars into the panel: ${median(seconds.bars).toFixed(2)} s (target 2)\n`,
  );
} finally {
  await store.close();
  await administrator.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
  await administrator.end();
}

function fillPanel(series: Map<string, KlineColumns>, names: readonly string[], rules: Instrument): void {
  const instruments = names.map((symbol) => ({ ...rules, symbol }));
  const panel = analysisPanel(instruments.length, 0, BARS * TIMEFRAME);
  const feed = new PanelFeed(panel, instruments, TIMEFRAME);
  const all = names.map((symbol) => series.get(symbol)!);
  const column = () => new Float64Array(instruments.length);
  const step: BarStep = {
    openTime: 0,
    status: new Uint8Array(instruments.length).fill(1),
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column(),
    listed: instruments.map((_, index) => index),
    delisted: [],
    funding: [],
  };
  for (let bar = 0; bar < BARS; bar++) {
    step.openTime = bar * TIMEFRAME;
    for (const [index, columns] of all.entries()) {
      const one = instruments[index]!;
      step.open[index] = ticksOf(one, columns.open[bar]!);
      step.high[index] = ticksOf(one, columns.high[bar]!);
      step.low[index] = ticksOf(one, columns.low[bar]!);
      step.close[index] = ticksOf(one, columns.close[bar]!);
      step.volume[index] = columns.volume[bar]!;
    }
    feed.step(step);
    step.listed.length = 0;
  }
  if (panel.published(panel.timeframe("5m")) !== BARS - 1) throw new Error("the panel lacks bars");
}

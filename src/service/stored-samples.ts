import type { Sql } from "postgres";
import { asOf, type Published } from "../learning/as-of.ts";
import { type FundingSettlements, netReturn, type TradingCosts } from "../learning/labels.ts";
import { type HistoryRange, readFeatureRows, readPositions } from "../store/history.ts";
import { FEATURES } from "../store/schema.ts";
import { PROBE_SETUP } from "../strategies/probe.ts";
import { type LabelledSample, placeOf } from "./history.ts";

export interface StoredSamplesOptions {
  /** Timeframe of the stored bars that positions must agree with, ms. */
  readonly timeframe: number;
  readonly costs: TradingCosts;
  /** Of every settlement of symbols whose funding the store does not know, as a fraction. */
  readonly fundingRate: number;
  /** When the outcome was known. */
  readonly range: HistoryRange;
}

/**
 * What runs have recorded of virtual positions that have ended: each with the features that were known when it was
 * entered, and what it would have brought after all costs. Positions of another market than the store's bars, such as a
 * generated one, are left out: their entry must lie within the stored bar. Of several runs over the same market the
 * first one counts.
 */
export async function storedSamples(sql: Sql, options: StoredSamplesOptions): Promise<LabelledSample[]> {
  const { range, costs, fundingRate } = options;
  const rows = await featuresByPosition(sql, range);
  if (rows.size === 0) return [];
  const agreeing = await positionsOfMarket(sql, options.timeframe);
  const funding = await fundingBySymbol(sql);
  const samples = new Map<string, LabelledSample>();
  for (const position of await readPositions(sql, true, range)) {
    const key = keyOf(position.run, position.position);
    if (!agreeing.has(key)) continue;
    const { symbol, entryTime, exitTime, entryPrice: entry, exitPrice: exit, confidence, setup } = position;
    const row = asOf(rows.get(key) ?? [], entryTime);
    if (row === undefined) continue;
    const direction = position.direction === 1 ? 1 : -1;
    const paid = funding.get(symbol) ?? assumedSettlements(entryTime, exitTime, fundingRate);
    const sample: LabelledSample = {
      symbol,
      direction,
      time: row.time,
      labelTime: exitTime,
      features: row.features,
      net: netReturn({ direction, entry, exit, entryTime, exitTime }, costs, paid),
      lagged: undefined,
      confidence,
      setup,
      probe: setup === PROBE_SETUP,
    };
    const place = placeOf(sample);
    if (!samples.has(place)) samples.set(place, sample);
  }
  return [...samples.values()];
}

interface KnownRow {
  readonly time: number;
  readonly features: Float32Array;
}

async function featuresByPosition(sql: Sql, range: HistoryRange): Promise<Map<string, Published<KnownRow>[]>> {
  const { rows, run, position, time, features } = await readFeatureRows(sql, range);
  const byPosition = new Map<string, Published<KnownRow>[]>();
  for (let i = 0; i < rows; i++) {
    const key = keyOf(run[i]!, position[i]!);
    const row = { time: time[i]!, features: features.slice(i * FEATURES, (i + 1) * FEATURES) };
    byPosition.set(key, [...(byPosition.get(key) ?? []), { availableAt: row.time, value: row }]);
  }
  for (const own of byPosition.values()) own.sort((a, b) => a.availableAt - b.availableAt);
  return byPosition;
}

/** Virtual positions whose entry lies within the stored bar of its time, to half a tick. */
async function positionsOfMarket(sql: Sql, timeframe: number): Promise<Set<string>> {
  const found = await sql<{ run: number; position: number }[]>`
    SELECT p.run, p.position FROM positions AS p
    JOIN instruments AS i ON i.run = p.run AND i.symbol = p.symbol
    JOIN klines AS k ON k.symbol = p.symbol AND k.timeframe = ${timeframe}
      AND k.open_time = p.entry_time - p.entry_time % ${timeframe}::bigint
    WHERE p.virtual AND p.entry_price * i.tick_units / power(10, i.price_decimals)
      BETWEEN k.low - 0.5 * i.tick_units / power(10, i.price_decimals)
      AND k.high + 0.5 * i.tick_units / power(10, i.price_decimals)`;
  return new Set(found.map(({ run, position }) => keyOf(run, position)));
}

async function fundingBySymbol(sql: Sql): Promise<Map<string, FundingSettlements>> {
  const bySymbol = new Map<string, { time: number[]; rate: number[] }>();
  const rows = await sql<{ symbol: string; time: number; rate: number }[]>`
    SELECT symbol, time, rate FROM funding_rates ORDER BY symbol, time`;
  for (const { symbol, time, rate } of rows) {
    let own = bySymbol.get(symbol);
    if (own === undefined) {
      own = { time: [], rate: [] };
      bySymbol.set(symbol, own);
    }
    own.time.push(time);
    own.rate.push(rate / 1e8);
  }
  return bySymbol;
}

const FUNDING_INTERVAL = 8 * 3_600_000;

function assumedSettlements(from: number, to: number, rate: number): FundingSettlements {
  const time: number[] = [];
  for (let at = (Math.floor(from / FUNDING_INTERVAL) + 1) * FUNDING_INTERVAL; at <= to; at += FUNDING_INTERVAL) {
    time.push(at);
  }
  return { time, rate: time.map(() => rate) };
}

function keyOf(run: number, position: number): string {
  return `${run}:${position}`;
}

import type { Settings } from "../config/settings.ts";
import type { Exchange, Venue } from "../exchange/exchange.ts";
import type { DataReference } from "../journal/format.ts";
import type { BarSource } from "../market/bar-source.ts";
import type { LoadProgress } from "../market/recorded-market.ts";
import { type MarketChoice, openMarket, recordedData } from "./backtest.ts";
import type { BinanceChoice } from "./binance-market.ts";
import { GENERATED_START, generatedSource } from "./generated.ts";

/** What a live run trades on: recorded bars, a market generated from a seed, or the real one. */
export type LiveMarket =
  | ({ readonly kind: "recorded" } & MarketChoice)
  /** The market as it goes on; with TRADING_ENABLED=true its real orders too. */
  | ({ readonly kind: "binance" } & BinanceChoice)
  | {
      readonly kind: "generated";
      readonly seed: number;
      readonly symbols: number;
      /** Market time at which the run ends; the market itself has no end. */
      readonly to?: number | undefined;
    };

/** A market that is simulated from bars, which are in files or come from a seed. */
export type SimulatedMarket = Exclude<LiveMarket, { readonly kind: "binance" }>;

/** Files that are read between two collections of garbage. */
const FILES_AT_ONCE = 32;

export function openSource(settings: Settings, market: SimulatedMarket): BarSource {
  if (market.kind === "generated") return generatedSource(market.seed, market.symbols);
  // What was read of the files is garbage, and the collector does not see by itself how much.
  const collect = ({ files, filesTotal }: LoadProgress) => {
    if (files % FILES_AT_ONCE === 0 || files === filesTotal) Bun.gc(true);
  };
  return openMarket(settings, { ...market, once: true }, collect);
}

/** The same market, open once more, with some of its symbols where it can be had with some. */
export function reopenSource(settings: Settings, market: SimulatedMarket, symbols: readonly string[]): BarSource {
  return openSource(settings, market.kind === "recorded" ? { ...market, symbols } : market);
}

/** Market time at which trading begins, ms; undefined for as soon as the source's history is enough. */
export function tradingStart(market: SimulatedMarket): number | undefined {
  return market.kind === "recorded" ? market.from : GENERATED_START;
}

/** Market time at which a run ends by itself, ms; Infinity where the market's own end is its end. */
export function tradingEnd(market: LiveMarket): number {
  return (market.kind === "generated" ? market.to : undefined) ?? Number.POSITIVE_INFINITY;
}

/** For the journal: where the same bars can be had again. */
export function dataReference(source: BarSource, market: SimulatedMarket): DataReference {
  if (market.kind === "recorded") return recordedData(source as ReturnType<typeof openMarket>, market);
  return {
    kind: "generated",
    seed: market.seed,
    dataHash: source.dataHash,
    timeframe: source.timeframe,
    start: GENERATED_START,
    symbols: source.instruments.map((instrument) => instrument.symbol),
  };
}

/** How real the money is: public data with simulated fills is paper. */
export function venueOf(market: LiveMarket, exchange: Exchange): Venue {
  return market.kind === "binance" && exchange.venue === "simulated" ? "paper" : exchange.venue;
}

/** For people. */
export function describeMarket(market: LiveMarket): string {
  if (market.kind === "binance") return "Binance USDⓈ-M futures";
  return market.kind === "recorded" ? `recorded bars of ${market.dir}` : `generated market, seed ${market.seed}`;
}

import type { AnalysisOptions } from "../analysis/engine.ts";
import { LiveAnalysis } from "../analysis/live-analysis.ts";
import { type AnalysisPool, divideSymbols } from "../analysis/pool.ts";
import type { Settings } from "../config/settings.ts";
import type { BarSource } from "../market/bar-source.ts";
import type { Panel } from "../market/panel.ts";
import { PanelFeed } from "../market/panel-feed.ts";
import { analysisOptions, newPanel, newPool, warmUpSteps } from "./assembly.ts";
import { type LiveMarket, openSource, tradingStart } from "./live-market.ts";
import { openRealVenue, type RealVenue } from "./real-venue.ts";
import { TradingRight } from "./trading-right.ts";

type OnNotice = (level: "info" | "warning" | "alarm", text: string) => void;

/** The analysis of a cycle takes one worker some milliseconds. */
const LIVE_WORKERS = 1;

/** What a live run trades on. */
export interface Venue {
  readonly source: BarSource;
  /** Market time at which trading begins, ms; undefined for as soon as the source's history is enough. */
  readonly from: number | undefined;
  /** Undefined for a simulated market. */
  readonly real: RealVenue | undefined;
  /** Undefined where nobody else could trade for the same account. */
  readonly right: TradingRight | undefined;
}

/**
 * Opens the market. Where real orders are sent, the right to send them comes before anything else, because the book of
 * whoever had it goes on being written.
 * @param owned closes what was opened
 * @throws InputError where the market cannot be had, or settings and account do not fit
 */
export async function openVenue(
  settings: Settings,
  market: LiveMarket,
  signal: AbortSignal,
  onNotice: OnNotice,
  owned: AsyncDisposableStack,
): Promise<Venue> {
  if (market.kind !== "binance") {
    return { source: openSource(settings, market), from: tradingStart(market), real: undefined, right: undefined };
  }
  const right = settings.TRADING_ENABLED ? await TradingRight.wait(settings, signal, onNotice) : undefined;
  owned.defer(() => right?.close());
  const real = await openRealVenue(settings, market, onNotice, right?.keeper, signal);
  owned.defer(() => real.close());
  return { source: real.market.source, from: real.market.from, real, right };
}

/** Who analyses the cycles of a live run, and the bars that he looks at. */
export interface Analyst {
  readonly options: AnalysisOptions;
  readonly panel: Panel;
  readonly feed: PanelFeed;
  readonly analysis: LiveAnalysis;
}

/** @param pool the workers to use; one of its own when undefined */
export function newAnalyst(
  settings: Settings,
  source: BarSource,
  pool: AnalysisPool | undefined,
  onNotice: OnNotice,
  owned: AsyncDisposableStack,
): Analyst {
  const options = analysisOptions(settings, source);
  const panel = newPanel(source);
  const workers = pool ?? newPool(settings, LIVE_WORKERS, onNotice);
  owned.defer(() => workers.close());
  const ranges = divideSymbols(source.instruments.length, settings.BATCH_SIZE, workers.workers);
  const analysis = new LiveAnalysis(workers, panel, {
    analysis: options,
    timeframe: source.timeframe,
    ranges,
    onNotice,
  });
  return { options, panel, feed: new PanelFeed(panel, source.instruments, source.timeframe), analysis };
}

/** Bars between two signs that the warm-up comes on. */
const WARM_UP_STEPS = 256;
/** And between two collections of garbage. */
const COLLECT_STEPS = 4 * WARM_UP_STEPS;

/** Takes the history before the trading through the analysis. @param onShare told how much of it is done */
export async function warmUp(
  { source, from }: Venue,
  { feed, analysis }: Analyst,
  signal: AbortSignal,
  onShare?: (share: number) => void,
): Promise<void> {
  const steps = warmUpSteps(source, from);
  for (let done = 1; done <= steps; done++) {
    const step = source.step();
    if (step === undefined) break;
    feed.step(step);
    if (done % WARM_UP_STEPS !== 0 && done !== steps) continue;
    // Who stops now gets no trading, and need not wait for what would lead to it.
    if (signal.aborted) break;
    await analysis.advance(step.openTime + source.timeframe);
    // Bars that were let go of: the collector does not see by itself how much they are.
    if (done % COLLECT_STEPS === 0) Bun.gc(true);
    onShare?.(done / steps);
  }
  // What loading has left behind would stay for as long as a quiet run makes no garbage of its own.
  Bun.gc(true);
}

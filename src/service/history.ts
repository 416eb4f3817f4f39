import { availableParallelism } from "node:os";
import { AnalysisAhead } from "../analysis/analysis-ahead.ts";
import { type AnalysisPool, divideSymbols } from "../analysis/pool.ts";
import type { Settings } from "../config/settings.ts";
import type { Candidate } from "../core/candidate.ts";
import type { Effect } from "../core/effects.ts";
import { createState, type State } from "../core/state.ts";
import { step } from "../core/step.ts";
import type { VirtualTrade } from "../core/virtual-book.ts";
import { marketHistory } from "../features/market-returns.ts";
import { createDataset, type Dataset, type Sample } from "../learning/dataset.ts";
import { mirrored } from "../learning/judge.ts";
import { type FundingSettlements, netReturn, type TradingCosts } from "../learning/labels.ts";
import { ABSENT, type BarStep, barEvent } from "../market/bar-source.ts";
import { barsOf, loadRecordedMarket, type RecordedMarket } from "../market/recorded-market.ts";
import { analysisOptions, coreConfig, newPool, tradingCosts, warmUpSteps } from "./assembly.ts";
import type { MarketChoice } from "./backtest.ts";

/** What history teaches. */
export interface History {
  /** What ict proposed, and the probes in both directions: for models of `hybrid` and of `self_learning`. */
  readonly ict: Dataset;
  readonly probes: Dataset;
  /** How many of the samples runs have left behind. */
  readonly recorded: number;
  /** Of the bars. */
  readonly dataHash: string;
  readonly source: RecordedMarket;
}

/**
 * Labels recorded bars: they go through the same analysis and the same core as trading, which follows every candidate
 * as a virtual position to its end. No order is sent (no position is allowed), and no confidence is too low to be
 * followed, or models would only see what was liked already.
 *
 * @param recorded samples that runs have left behind; they stand in for those of the replay, because their features are
 * what was known then
 * @throws InputError for whatever is wrong with the data
 */
export async function labelHistory(
  settings: Settings,
  choice: MarketChoice,
  onProgress: (phase: string, share: number) => void = () => {},
  recorded: readonly LabelledSample[] = [],
): Promise<History> {
  const pool = newPool(settings, availableParallelism(), () => {});
  try {
    return await label(settings, choice, pool, onProgress, recorded);
  } finally {
    pool.close();
  }
}

async function label(
  settings: Settings,
  choice: MarketChoice,
  pool: AnalysisPool,
  onProgress: (phase: string, share: number) => void,
  recorded: readonly LabelledSample[],
): Promise<History> {
  const source = await loadRecordedMarket(
    { ...choice, assumedFundingRate: settings.SIMULATED_FUNDING_RATE },
    (path, timeframe) => pool.parse(path, timeframe),
  );
  const { instruments, start, timeframe, steps } = source;
  const symbols = instruments.map(({ symbol }) => symbol);
  const warmUp = warmUpSteps(source, choice.from);
  const market = marketHistory(barsOf(source.share(0, symbols.length)));
  const options = { ...analysisOptions({ ...settings, STRATEGY_MODE: "self_learning" }, source), market };
  const ranges = divideSymbols(symbols.length, settings.BATCH_SIZE, pool.workers);
  for (const [index, range] of ranges.entries()) {
    const bars = source.share(range.first, range.symbols);
    pool.open(range, { kind: "recorded", bars }, { ...options, instruments: bars.instruments }, index % pool.workers);
  }
  const first = start + (warmUp + 1) * timeframe;
  const ahead = new AnalysisAhead(pool, ranges, { first, last: start + steps * timeframe, timeframe, symbols });

  const config = coreConfig(settings, instruments, choice.from ?? start);
  const recorder = new LabelRecorder(
    createState({ ...config, minConfidence: 0, maxPositions: 0 }),
    tradingCosts(settings, []),
  );
  for (let index = 0; ; index++) {
    const each = source.step();
    if (each === undefined) break;
    recorder.settle(each);
    if (index < warmUp) continue;
    recorder.bars(each, timeframe);
    const close = each.openTime + timeframe;
    if (!ahead.has(close)) await ahead.ready(close);
    recorder.analysed(ahead.analyse(close, []));
    if (index % 256 === 0) onProgress("labelling", index / steps);
  }
  const samples = merged(recorder.samples(symbols), recorded);
  return {
    ict: createDataset(samples.filter(({ probe }) => !probe)),
    probes: createDataset(samples.filter(({ probe }) => probe)),
    recorded: recorded.length,
    dataHash: source.dataHash,
    source,
  };
}

export type LabelledSample = Sample & { readonly setup: string; readonly probe: boolean };

/** What tells a sample from another of the same market. */
export function placeOf({ symbol, direction, time, setup }: LabelledSample): string {
  return `${symbol}:${direction}:${time}:${setup}`;
}

/** What an entry one bar later would have brought is known of the replay alone. */
function merged(replayed: readonly LabelledSample[], recorded: readonly LabelledSample[]): LabelledSample[] {
  if (recorded.length === 0) return [...replayed];
  const samples = new Map(replayed.map((sample) => [placeOf(sample), sample]));
  for (const sample of recorded) {
    const place = placeOf(sample);
    samples.set(place, { ...sample, lagged: samples.get(place)?.lagged });
  }
  return [...samples.values()];
}

/** A signal, and from its entry on the virtual position it has become. */
interface Followed {
  readonly candidate: Candidate;
  readonly time: number;
  /** Open of the bar after the entry's: what an entry one bar late would have paid. 0 until then. */
  lateEntry: number;
}

/** Feeds the core with bars and candidates and keeps how the virtual positions end. */
class LabelRecorder {
  readonly #state: State;
  readonly #costs: TradingCosts;
  readonly #effects: Effect[] = [];
  /** The last signal of each symbol, side and setup, and the position that lives there. */
  readonly #signals = new Map<string, Followed>();
  readonly #open = new Map<string, Followed>();
  readonly #funding: { time: number[]; rate: number[] }[];
  readonly #ended: { readonly followed: Followed; readonly trade: VirtualTrade }[] = [];

  constructor(state: State, costs: TradingCosts) {
    this.#state = state;
    this.#costs = costs;
    this.#funding = state.symbols.map(() => ({ time: [], rate: [] }));
  }

  /** Takes down the funding of a step. */
  settle({ funding }: BarStep): void {
    for (const { time, symbol, rate } of funding) {
      const own = this.#funding[symbol]!;
      own.time.push(time);
      own.rate.push(rate / 1e8);
    }
  }

  bars(each: BarStep, timeframe: number): void {
    const { openTime, status } = each;
    for (const symbol of each.delisted) this.#give({ kind: "listing", time: openTime, symbol, listed: false });
    for (let symbol = 0; symbol < status.length; symbol++) {
      if (status[symbol] === ABSENT || this.#state.symbols[symbol]!.listed) continue;
      this.#give({ kind: "listing", time: openTime, symbol, listed: true });
    }
    for (const followed of this.#open.values()) {
      const { symbol } = followed.candidate;
      if (followed.lateEntry === 0 && status[symbol] !== ABSENT) followed.lateEntry = each.open[symbol]!;
    }
    for (let symbol = 0; symbol < status.length; symbol++) {
      if (status[symbol] !== ABSENT) this.#give(barEvent(each, symbol, openTime + timeframe));
    }
  }

  analysed(event: Parameters<typeof step>[1] & { kind: "analysis" }): void {
    const candidates = event.candidates.flatMap((candidate) =>
      candidate.strategy === "probe" ? [candidate, mirrored(candidate)] : [candidate],
    );
    this.#give({ ...event, candidates });
  }

  #give(event: Parameters<typeof step>[1]): void {
    const effects = this.#effects;
    effects.length = 0;
    step(this.#state, event, effects);
    for (const effect of effects) {
      if (effect.kind !== "record") continue;
      const { record } = effect;
      if (record.kind === "signal") {
        const { candidate, time } = record;
        this.#signals.set(keyOf(candidate), { candidate, time, lateEntry: 0 });
      } else if (record.kind === "virtual-opened") {
        const signal = this.#signals.get(keyOf(record));
        if (signal !== undefined) this.#open.set(keyOf(record), { ...signal });
      } else if (record.kind === "virtual-closed") {
        const { trade } = record;
        const followed = this.#open.get(keyOf(trade));
        this.#open.delete(keyOf(trade));
        // Where an entry had to wait for trading, a later signal may have taken its place: of that one nothing is known.
        if (followed?.time === trade.signalTime) this.#ended.push({ followed, trade });
      }
    }
  }

  samples(symbols: readonly string[]): LabelledSample[] {
    return this.#ended.flatMap(({ followed: { candidate, lateEntry }, trade }): LabelledSample[] => {
      const { features } = candidate;
      if (features === undefined) return [];
      const funding: FundingSettlements = this.#funding[trade.symbol]!;
      return [
        {
          symbol: symbols[trade.symbol]!,
          direction: trade.direction,
          time: trade.signalTime,
          labelTime: trade.exitTime,
          features,
          net: netReturn(trade, this.#costs, funding),
          lagged: lateEntry > 0 ? netReturn({ ...trade, entry: lateEntry }, this.#costs, funding) : 0,
          confidence: candidate.confidence,
          setup: candidate.setup,
          probe: candidate.strategy === "probe",
        },
      ];
    });
  }
}

function keyOf({ symbol, direction, setup }: Pick<Candidate, "symbol" | "direction" | "setup">): string {
  return `${symbol}:${direction}:${setup}`;
}

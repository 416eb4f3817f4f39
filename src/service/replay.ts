import { recordedSettings } from "../config/load.ts";
import type { Effect } from "../core/effects.ts";
import type { BarEvent, Event } from "../core/events.ts";
import type { State } from "../core/state.ts";
import { step } from "../core/step.ts";
import { InputError } from "../input-error.ts";
import type { JournalHeader } from "../journal/format.ts";
import { type BarsOf, type ReplayResult, replay } from "../journal/replay.ts";
import { ABSENT, barEvent } from "../market/bar-source.ts";
import { openRecordedMarket, type RecordedMarket } from "../market/recorded-market.ts";
import { timeframeName } from "../market/timeframe.ts";
import { Collector } from "../report/collector.ts";
import { newState } from "./assembly.ts";
import { journalChain } from "./live-book.ts";

export interface Replayed {
  readonly result: ReplayResult;
  /** The file that `result` is about: the one that was asked for, or the one of its chain in which a difference showed. */
  readonly journal: string;
  /** The journals with whose book the run went on, oldest first: they were replayed and compared before it. */
  readonly before: readonly string[];
  readonly header: JournalHeader;
  /** Hash over the trades that the replay made. */
  readonly tradesHash: string;
  readonly virtualTradesHash: string;
  readonly trades: number;
}

/** Inputs of a run that lie elsewhere now. */
export interface MovedInputs {
  readonly dir?: string | undefined;
  readonly fundingFile?: string | undefined;
  readonly rulesFile?: string | undefined;
  readonly bracketsFile?: string | undefined;
}

/**
 * Feeds a journal to the core of this build again and compares what it does. Never writes to the journal. A run that went
 * on with the book of earlier ones begins where they end, so their journals come first, and are compared as well.
 * @param moved where the run's inputs are now; where the journal says, when absent.
 * @param watch given the core before the run's first event; what it returns is told of every step of the run.
 * @throws InputError for a journal that is damaged, or missing in the chain, or when the bars are not the run's.
 */
export function replayJournal(
  path: string,
  moved: MovedInputs = {},
  watch?: (
    header: JournalHeader,
    state: State,
  ) => { stepped(event: Event, effects: readonly Effect[], state: State): void },
): Replayed {
  const chain = journalChain(path);
  const before = chain.slice(0, -1);
  const { header } = chain.at(-1)!;
  const state = stateOf(chain[0]!.header);
  const collector = new Collector(header.instruments, tradeFromOf(header), state.config.balance);
  const described = { header, before: before.map((journal) => journal.path) };
  for (const journal of before) {
    const result = replay(journal, (event, effects) => step(state, event, effects));
    if (result.identical) continue;
    return { result, journal: journal.path, ...described, tradesHash: "", virtualTradesHash: "", trades: 0 };
  }
  const watcher = watch?.(header, state);
  const barsOf = header.bars === "referenced" ? recordedBars(path, header, moved) : undefined;
  const result = replay(
    chain.at(-1)!,
    (event, effects) => {
      step(state, event, effects);
      for (const effect of effects) if (effect.kind === "record") collector.add(effect.record);
      watcher?.stepped(event, effects, state);
    },
    barsOf,
  );
  if (result.identical && result.end !== undefined && result.end.tradesHash !== collector.tradesHash) {
    throw new Error(
      `the effects are identical and the trades are not: ${result.end.tradesHash}, ${collector.tradesHash}`,
    );
  }
  return {
    result,
    journal: path,
    ...described,
    tradesHash: collector.tradesHash,
    virtualTradesHash: collector.virtual.hash,
    trades: collector.trades.length,
  };
}

/** The core before the first event of a book. */
function stateOf(header: JournalHeader): State {
  return newState(recordedSettings(header.settings), header.instruments, tradeFromOf(header));
}

function tradeFromOf({ data }: JournalHeader): number {
  return data.kind === "recorded" ? (data.from ?? 0) : data.start;
}

/** The bars that a journal refers to, step by step, after their hash was found to be the run's. */
function recordedBars(path: string, header: JournalHeader, moved: MovedInputs): BarsOf {
  const { data, settings } = header;
  if (data.kind !== "recorded") throw new InputError(`${path} refers to generated bars, which it should hold itself`);
  const source = openRecordedMarket({
    dir: moved.dir ?? data.dir,
    symbols: data.symbols,
    timeframe: timeframeName(data.timeframe),
    from: data.from ?? undefined,
    to: data.to ?? undefined,
    fundingFile: moved.fundingFile ?? data.fundingFile,
    rulesFile: moved.rulesFile ?? data.rulesFile,
    bracketsFile: moved.bracketsFile ?? data.bracketsFile,
    assumedFundingRate: Number(settings.SIMULATED_FUNDING_RATE),
  });
  if (source.dataHash !== data.dataHash) {
    throw new InputError(
      `the bars in ${moved.dir ?? data.dir} are not those of the run: data hash ${source.dataHash}, the journal has ${data.dataHash}`,
    );
  }
  return (closeTime) => barsAt(source, closeTime);
}

function* barsAt(source: RecordedMarket, closeTime: number): Generator<BarEvent> {
  for (;;) {
    const step = source.step();
    if (step === undefined || step.openTime + source.timeframe > closeTime) return;
    if (step.openTime + source.timeframe < closeTime) continue;
    for (let symbol = 0; symbol < source.instruments.length; symbol++) {
      if (step.status[symbol] !== ABSENT) yield barEvent(step, symbol, closeTime);
    }
    return;
  }
}

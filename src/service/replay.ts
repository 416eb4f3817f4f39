import { recordedSettings } from "../config/load.ts";
import type { Effect } from "../core/effects.ts";
import type { BarEvent, Event } from "../core/events.ts";
import type { State } from "../core/state.ts";
import { step } from "../core/step.ts";
import { InputError } from "../input-error.ts";
import type { JournalHeader } from "../journal/format.ts";
import { readJournal } from "../journal/reader.ts";
import { type BarsOf, type ReplayResult, replay } from "../journal/replay.ts";
import { ABSENT, barEvent } from "../market/bar-source.ts";
import { openRecordedMarket, type RecordedMarket } from "../market/recorded-market.ts";
import { timeframeName } from "../market/timeframe.ts";
import { Collector } from "../report/collector.ts";
import { newState } from "./assembly.ts";

export interface Replayed {
  readonly result: ReplayResult;
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
 * Feeds a journal to the core of this build again and compares what it does. Never writes to the journal.
 * @param moved where the run's inputs are now; where the journal says, when absent.
 * @param watch given the core before its first event; what it returns is told of every step.
 * @throws InputError for a damaged journal, or when the bars are not the ones the run was made on.
 */
export function replayJournal(
  path: string,
  moved: MovedInputs = {},
  watch?: (
    header: JournalHeader,
    state: State,
  ) => { stepped(event: Event, effects: readonly Effect[], state: State): void },
): Replayed {
  const journal = readJournal(path);
  const { header } = journal;
  const { data } = header;
  const settings = recordedSettings(header.settings);
  const tradeFrom = data.kind === "recorded" ? (data.from ?? 0) : data.start;
  const state = newState(settings, header.instruments, tradeFrom);
  const collector = new Collector(header.instruments, tradeFrom, state.config.balance);
  const watcher = watch?.(header, state);
  const barsOf = header.bars === "referenced" ? recordedBars(path, header, moved) : undefined;
  const result = replay(
    journal,
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
    header,
    tradesHash: collector.tradesHash,
    virtualTradesHash: collector.virtual.hash,
    trades: collector.trades.length,
  };
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

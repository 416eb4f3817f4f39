import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { Settings } from "../../src/config/settings.ts";
import type { Candidate, Regime } from "../../src/core/candidate.ts";
import type { AnalysisEvent, Event } from "../../src/core/events.ts";
import type { State } from "../../src/core/state.ts";
import { LiveBook } from "../../src/exchange/binance/book.ts";
import { Recovery } from "../../src/exchange/binance/recovered.ts";
import type { JournalHeader } from "../../src/journal/format.ts";
import { JournalWriter } from "../../src/journal/writer.ts";
import { Random } from "../../src/market/random.ts";
import { Collector } from "../../src/report/collector.ts";
import { newExchange, newState, warmUpSteps } from "../../src/service/assembly.ts";
import { Checkpoints, checkpointPath } from "../../src/service/checkpoint.ts";
import { GENERATED_START, generatedSource } from "../../src/service/generated.ts";
import { Trader } from "../../src/service/trader.ts";

const MINUTE = 60_000;
const SYMBOLS = 3;
export const ACCOUNT = "account";
export const ADDRESS = "https://exchange.invalid";

export interface Chain {
  readonly settings: Settings;
  /** Oldest first: each goes on with the book of the one before it. */
  readonly journals: readonly string[];
  /** The book at the end, as it was traded. */
  readonly book: LiveBook;
  readonly fills: number;
}

/**
 * One book that several processes trade, one after the other, on a generated market, each with a journal of its own and
 * a checkpoint beside it. Every second one ends cleanly, the others are killed.
 * @param minutes market time of each
 */
export function tradeChain(folder: string, seed: number, processes: number, minutes: number): Chain {
  const { settings } = loadSettings({ DATA_DIR: folder, MIN_CONFIDENCE: "0.2" }, []);
  const source = generatedSource(seed, SYMBOLS);
  for (let skipped = warmUpSteps(source, GENERATED_START); skipped > 0; skipped--) source.step();
  const { instruments } = source;
  const exchange = newExchange(settings, source, []);
  const state = newState(settings, instruments, GENERATED_START);
  const book = new LiveBook(state, new Recovery(instruments, false));
  const random = new Random(seed, 1);
  const journals: string[] = [];
  let fills = 0;
  for (let process = 0; process < processes; process++) {
    const path = join(folder, "journal", `2026-01-0${process + 1}-run.journal`);
    const epoch = 1000 + process;
    const journal = new JournalWriter(path, headerOf(settings, instruments, journals.at(-1) ?? null, epoch), "intent");
    const timers = new Map(book.timers);
    book.begins(epoch);
    const checkpoints = new Checkpoints(book, journal, false, (_, text) => {
      throw new Error(text);
    });
    const count = { stepped: (event: Event) => void (event.kind === "fill" && fills++) };
    const collector = new Collector(instruments, GENERATED_START, state.config.balance);
    const trader = new Trader({
      state,
      exchange,
      journal,
      timers,
      watchers: [book, count],
      onRecord: (record) => collector.add(record),
      onNotice: () => {},
    });
    const until = GENERATED_START + (process + 1) * minutes * MINUTE;
    const value = `${1 + process / 10}`;
    const [time, dies] = [state.now, process % 2 === 0];
    trader.admit({ kind: "setting", time, symbol: -1, name: "TRAIL_FROM_R", value, actor: "operator" });
    // Its orders bear the epoch of a lease.
    trader.admit({ kind: "hold", time, symbol: -1, hold: "lease", on: false, epoch: 7 + process });
    let half = until - (minutes / 2) * MINUTE;
    for (;;) {
      const { awaited } = trader;
      // One that dies does so while it waits for an analysis: bars were the last that it heard of.
      if (dies && awaited !== undefined && awaited.cycle >= until) break;
      if (awaited !== undefined) trader.admit(analysisOf(state, awaited.cycle, random));
      else if (trader.take(until) === undefined) break;
      if (state.now < half || trader.awaited === undefined) continue;
      half = Number.POSITIVE_INFINITY;
      checkpoints.now();
      copyFileSync(checkpointPath(path), halfway(path));
    }
    if (!dies) journal.end({ tradesHash: collector.tradesHash, trades: collector.trades.length });
    checkpoints.now();
    journal.close();
    journals.push(path);
  }
  return { settings, journals, book, fills };
}

/** Where the checkpoint is kept that was made when half of a journal was written. */
export function halfway(journal: string): string {
  return `${checkpointPath(journal)}.half`;
}

/** Long or short on any symbol, with a stop and a target that are soon reached. */
function analysisOf(state: State, cycle: number, random: Random): AnalysisEvent {
  const candidates = state.symbols.flatMap(({ mark }, symbol): Candidate[] => {
    if (mark === 0 || !random.chance(0.3)) return [];
    const direction = random.chance(0.5) ? 1 : -1;
    const distance = Math.max(3, Math.round(mark * random.between(0.002, 0.01)));
    return [
      {
        symbol,
        strategy: "script",
        setup: random.chance(0.5) ? "one" : "other",
        direction,
        entry: mark,
        stop: mark - direction * distance,
        target: mark + 2 * direction * distance,
        confidence: random.between(0.3, 1),
        scores: { some: random.between(-1, 1) },
        reasons: ["because"],
      },
    ];
  });
  const regimes: Regime[] = state.symbols.map(() => (random.chance(0.9) ? "trending" : "choppy"));
  return { kind: "analysis", time: cycle, symbol: -1, cycle, regimes, candidates };
}

function headerOf(
  settings: Settings,
  instruments: JournalHeader["instruments"],
  continues: string | null,
  epoch: number,
): JournalHeader {
  return {
    build: "0.1.0",
    command: "run",
    mode: "live",
    kernel: "none",
    epoch,
    created: epoch,
    settings,
    settingsHash: "",
    instruments,
    data: {
      kind: "live",
      address: ADDRESS,
      account: ACCOUNT,
      dataHash: "",
      timeframe: MINUTE,
      start: GENERATED_START,
      symbols: instruments.map(({ symbol }) => symbol),
      continues,
    },
    bars: "stored",
    effects: "orders",
  };
}

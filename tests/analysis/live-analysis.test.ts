import { describe, expect, test } from "bun:test";
import { analysisPanel } from "../../src/analysis/analysis-panel.ts";
import { LiveAnalysis } from "../../src/analysis/live-analysis.ts";
import { type AnalysisPool, divideSymbols } from "../../src/analysis/pool.ts";
import type { AnalysisEvent } from "../../src/core/events.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { barsOf } from "../../src/market/recorded-market.ts";
import { analysedByOne, BARS, closeOf, LATE, OPTIONS, poolOf, withFault } from "./analysis-fixture.ts";
import type { Fault } from "./fault.ts";

const EXPECTED = analysedByOne();

const SYMBOLS = OPTIONS.instruments.length;
/** Steps that only warm up, and steps that are analysed one by one. */
const FROM = 4400;
const TO = 4800;

interface Run {
  readonly events: AnalysisEvent[];
  readonly notices: string[];
}

/** Warms up, then goes on cycle by cycle as a live run does. */
async function follow(
  pool: AnalysisPool,
  notices: string[] = [],
  { batch = 8, room = BARS.steps * BARS.timeframe }: { batch?: number; room?: number } = {},
): Promise<Run> {
  try {
    const source = barsOf(BARS);
    const panel = analysisPanel(SYMBOLS, BARS.start, room);
    const feed = new PanelFeed(panel, source.instruments, source.timeframe);
    const analysis = new LiveAnalysis(pool, panel, {
      analysis: OPTIONS,
      timeframe: BARS.timeframe,
      ranges: divideSymbols(SYMBOLS, batch, pool.workers),
      onNotice: (_, text) => notices.push(text),
    });
    const events: AnalysisEvent[] = [];
    for (let step = 0; step < TO; step++) {
      feed.step(source.step()!);
      if (feed.isFull) analysis.follow(feed.grow());
      if (step === FROM - 1) await analysis.advance(closeOf(step));
      if (step >= FROM) events.push(await analysis.analyse(closeOf(step), []));
    }
    return { events, notices };
  } finally {
    pool.close();
  }
}

/** The event without a range's symbols, as when they are late. */
function without({ first, symbols }: { first: number; symbols: number }, event: AnalysisEvent): AnalysisEvent {
  const absent = (symbol: number) => symbol >= first && symbol < first + symbols;
  return {
    ...event,
    regimes: event.regimes.map((regime, symbol) => (absent(symbol) ? "unknown" : regime)),
    candidates: event.candidates.filter(({ symbol }) => !absent(symbol)),
  };
}

describe("the analysis of bars as they come is that of one engine", () => {
  test("one worker, three ranges", async () => {
    expect((await follow(poolOf())).events).toStrictEqual(EXPECTED.slice(FROM, TO));
  });

  test("two workers", async () => {
    expect((await follow(poolOf({ workers: 2 }))).events).toStrictEqual(EXPECTED.slice(FROM, TO));
  });

  test("a panel that grows on the way", async () => {
    const { events } = await follow(poolOf(), [], { room: 1000 * BARS.timeframe });
    expect(events).toStrictEqual(EXPECTED.slice(FROM, TO));
  });
});

describe("the symbols of a range that failed are absent from that cycle, and back at the next", () => {
  const range = { first: 8, symbols: 8 };
  for (const kind of ["exit", "throw", "hang", "poison"] as const satisfies readonly Fault["kind"][]) {
    test(kind, async () => {
      await withFault({ kind, first: 8, cycle: closeOf(LATE), once: true }, async (program) => {
        const pool = poolOf({ program, timeout: kind === "hang" ? 1500 : 20_000 });
        const { events, notices } = await follow(pool);
        const wanted = EXPECTED.slice(FROM, TO);
        wanted[LATE - FROM] = without(range, wanted[LATE - FROM]!);
        expect(events).toStrictEqual(wanted);
        expect(notices).toHaveLength(1);
        expect(notices[0]).toMatch(/^the analysis of \w+ to \w+ failed: .+; they are absent from this cycle$/);
      });
    });
  }

  test("one that fails for good rests ever longer and does not disturb the others", async () => {
    await withFault({ kind: "exit", first: 8, cycle: closeOf(LATE), once: false }, async (program) => {
      const { events, notices } = await follow(poolOf({ program }));
      const wanted = EXPECTED.slice(FROM, TO).map((event, index) =>
        index + FROM < LATE ? event : without(range, event),
      );
      expect(events).toStrictEqual(wanted);
      expect(notices.length).toBeGreaterThan(4);
      expect(notices.length).toBeLessThan(12);
      expect(notices.at(-1)).toContain("and from the next");
    });
  });
});

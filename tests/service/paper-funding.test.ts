import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { Candidate } from "../../src/core/candidate.ts";
import { checkBook } from "../../src/core/check-book.ts";
import type { AnalysisEvent, Event, FundingEvent } from "../../src/core/events.ts";
import type { State } from "../../src/core/state.ts";
import { Door } from "../../src/exchange/simulated/server/door.ts";
import { listen } from "../../src/exchange/simulated/server/listen.ts";
import { Pace } from "../../src/exchange/simulated/server/pace.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { openJournal } from "../../src/service/assembly.ts";
import { openRealVenue } from "../../src/service/real-venue.ts";
import { openVenue } from "../../src/service/simulated-venue.ts";
import { Trader } from "../../src/service/trader.ts";

const FUNDING = Date.UTC(2026, 0, 5, 8);
/** Four minutes before it: time for a decision and its fill. */
const START = FUNDING - 4 * 60_000;
const SPEED = 120;

test("positions of a paper run pay and receive the funding that the exchange settled", async () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-paper-"));
  const venue = openVenue(loadSettings({}, []).settings, {
    market: { kind: "generated", seed: 4, symbols: 4, from: START },
    without: [],
    lockstep: false,
    apiKey: "key",
    secret: "secret",
  });
  const port = listen(new Door(venue), 0);
  // The market goes slowly until the run is open, however long that takes.
  const pace = new Pace(venue, 1);
  const host = `127.0.0.1:${port.port}`;
  const { settings } = loadSettings(
    {
      DATA_DIR: folder,
      ENABLE_STORE: "false",
      EXCHANGE: "binance",
      BINANCE_REST_URL: `http://${host}`,
      BINANCE_WS_URL: `ws://${host}`,
      BINANCE_WS_API_URL: `ws://${host}/ws-fapi/v1`,
      // A bar and a rate may come as late as a busy machine likes.
      CYCLE_INTERVAL: "3600",
      MIN_CONFIDENCE: "0.2",
    },
    [],
  );
  const real = await openRealVenue(settings, { symbols: undefined }, () => {});
  try {
    const { state, market } = real;
    const { source, from, instruments } = market;
    while (source.next < from - source.timeframe) source.step();
    const journal = openJournal(settings, {
      ...{ command: "run", kernel: "none", settingsHash: "", bars: "stored", mode: "paper" },
      ...{ instruments, data: real.reference },
    });
    const held = new Map<number, number>();
    const funded: FundingEvent[] = [];
    const trader = new Trader({
      ...{ state, exchange: real.exchange, journal, onRecord: () => {}, onNotice: () => {} },
      watchers: [
        {
          stepped: (event: Event) => {
            if (event.kind === "funding") funded.push(event);
            if (event.kind !== "funding" && event.time < FUNDING) {
              for (const { symbol, direction, holding } of state.positions.values()) {
                held.set(symbol, direction * holding.lots);
              }
            }
          },
        },
      ],
    });
    await real.begin();
    pace.speed = SPEED;
    while (state.now < FUNDING + 60_000) {
      const request = trader.awaited;
      if (request !== undefined) trader.admit(entries(state, request.cycle));
      else if (trader.take(real.due()) === undefined) await real.idle(trader.nextTimer, 50);
    }
    journal.close();

    expect(held.size).toBeGreaterThan(1);
    expect(funded.map(({ symbol }) => symbol)).toEqual([...held.keys()].sort((a, b) => a - b));
    for (const { time, symbol, rate, mark, amount } of funded) {
      expect(time).toBe(FUNDING);
      const settled = venue.feed.symbols[symbol]!.fundings.find((one) => one.time === FUNDING)!;
      expect(rate).toBe(settled.rate);
      expect(mark).toBeGreaterThan(0);
      const paid = BigInt(held.get(symbol)!) * BigInt(mark) * BigInt(instruments[symbol]!.unitValue) * BigInt(rate);
      // Rates are in 1e-8; what a division leaves is at most one unit.
      expect(Math.abs(amount + Number(paid) / 1e8)).toBeLessThanOrEqual(1);
    }
    expect(new Set(funded.map(({ amount }) => Math.sign(amount))).has(0)).toBe(false);
    const sum = funded.reduce((total, { amount }) => total + BigInt(amount), 0n);
    expect(state.ledger.balances.funding).toBe(-sum);
    expect(checkBook(state)).toEqual([]);
    const journaled = [...readJournal(journal.path).records()].flatMap(({ record }) =>
      record.kind === "event" && record.event.kind === "funding" ? [record.event] : [],
    );
    expect(journaled).toEqual(funded);
  } finally {
    real.close();
    pace.stop();
    await port.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Long and short in turn, with stops that a few minutes do not reach. */
function entries(state: State, cycle: number): AnalysisEvent {
  const candidates = state.symbols.flatMap(({ mark }, symbol): Candidate[] => {
    const direction = symbol % 2 === 0 ? 1 : -1;
    const away = Math.floor(mark / 40);
    return mark === 0 || cycle > FUNDING - 60_000
      ? []
      : [
          {
            ...{ symbol, strategy: "drawn", setup: "drawn", confidence: 1, scores: {}, reasons: [] },
            ...{ direction, entry: mark, stop: mark - direction * away, target: mark + direction * away },
          },
        ];
  });
  return { kind: "analysis", time: cycle, symbol: -1, cycle, regimes: state.symbols.map(() => "trending"), candidates };
}

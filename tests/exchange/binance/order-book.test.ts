import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { MarketDecoder } from "../../../src/exchange/binance/market-decoder.ts";
import type { DepthMessage } from "../../../src/exchange/binance/market-message.ts";
import { type BookSnapshot, OrderBook } from "../../../src/exchange/binance/order-book.ts";
import { bookSnapshot } from "../../../src/exchange/binance/reports.ts";
import { testRecorded } from "../../recorded.ts";

/** Levels of a side by price, as the exchange would have them. */
type Levels = Map<number, number>;

interface World {
  readonly changes: readonly DepthMessage[];
  /** The whole book after each change; the first is before all of them. */
  readonly states: readonly BookSnapshot[];
}

function flat(levels: Levels, direction: 1 | -1): number[] {
  return [...levels].sort(([a], [b]) => (a - b) * direction).flat();
}

/** A book that changes at random; numbers have holes, because they are shared with other symbols. */
const world: fc.Arbitrary<World> = fc
  .array(
    fc.record({
      hole: fc.integer({ min: 1, max: 5 }),
      width: fc.integer({ min: 0, max: 9 }),
      bids: fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 3 })), { maxLength: 4 }),
      asks: fc.array(fc.tuple(fc.integer({ min: 21, max: 40 }), fc.integer({ min: 0, max: 3 })), { maxLength: 4 }),
    }),
    { minLength: 6, maxLength: 40 },
  )
  .map((steps) => {
    const bids: Levels = new Map();
    const asks: Levels = new Map();
    const changes: DepthMessage[] = [];
    const states: BookSnapshot[] = [{ lastUpdate: 100, bids: [], asks: [] }];
    let last = 100;
    for (const step of steps) {
      for (const [side, levels] of [
        [bids, step.bids],
        [asks, step.asks],
      ] as const) {
        for (const [price, quantity] of levels) {
          if (quantity === 0) side.delete(price);
          else side.set(price, quantity);
        }
      }
      const first = last + step.hole;
      const change = {
        first,
        last: first + step.width,
        previous: last,
        bids: step.bids.flat(),
        asks: step.asks.flat(),
      };
      changes.push({ kind: "depth", symbol: 0, eventTime: 0, time: 0, ...change });
      last = change.last;
      states.push({ lastUpdate: last, bids: flat(bids, -1), asks: flat(asks, 1) });
    }
    return { changes, states };
  });

function levelsOf(book: OrderBook): BookSnapshot {
  const side = ({ prices, quantities }: OrderBook["bids"]) => prices.flatMap((price, i) => [price, quantities[i]!]);
  return { lastUpdate: book.lastUpdate, bids: side(book.bids), asks: side(book.asks) };
}

describe("a book made of a snapshot and changes is the exchange's", () => {
  test("whenever the snapshot comes and from whenever it is, with changes lost, repeated and connections overlapping", () => {
    fc.assert(
      fc.property(
        world,
        fc.array(fc.record({ lost: fc.boolean(), again: fc.nat(5), answerIn: fc.nat(4), behind: fc.nat(3) }), {
          minLength: 40,
          maxLength: 40,
        }),
        ({ changes, states }, plan) => {
          let pending = -1;
          const book = new OrderBook(() => {
            expect(pending).toBe(-1);
            pending = 0;
          });
          let previous = 0;
          for (const [i, change] of changes.entries()) {
            const { lost, again, answerIn, behind } = plan[i]!;
            if (i % 7 !== 3 || !lost) book.change(change);
            // An overlapping connection repeats some of the latest.
            for (let back = again; back > 0; back--) if (i >= back) book.change(changes[i - back]!);
            if (pending >= 0) pending += 1;
            if (pending > answerIn) {
              pending = -1;
              book.snapshot(states[Math.max(0, i + 1 - behind)]!);
            }
            if (book.state === "live") {
              // Never another book than one the exchange had, and never back in time once it is anchored.
              const at = states.findIndex((state) => state.lastUpdate === book.lastUpdate);
              expect(levelsOf(book)).toEqual(states[at]!);
              previous = at;
            }
          }
          expect(previous).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("without losses one snapshot is enough, and the book is the exchange's to the end", () => {
    fc.assert(
      fc.property(world, fc.nat(5), fc.nat(5), ({ changes, states }, delay, behind) => {
        let asked = 0;
        const book = new OrderBook(() => {
          asked += 1;
        });
        for (const [i, change] of changes.entries()) {
          book.change(change);
          if (i === delay) book.snapshot(states[Math.max(0, i + 1 - behind)]!);
        }
        expect(book.state).toBe("live");
        expect(book.breaks).toBe(0);
        expect(asked).toBe(1);
        expect(levelsOf(book)).toEqual(states.at(-1)!);
      }),
    );
  });
});

testRecorded(
  "the recorded websocket replays without a break; with any one change dropped the book is asked for anew",
  "payloads/recorded/hftbacktest-2024-08-08/btcusdt_20240808.ws.gz",
  (file) => {
    const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
    const decoder = new MarketDecoder(["BTCUSDT"]);
    const events: (
      | DepthMessage
      | { kind: "snapshot"; snapshot: BookSnapshot }
      | { kind: "quote"; update: number; bid: number; ask: number; bidQuantity: number; askQuantity: number }
    )[] = [];
    for (const line of lines) {
      const text = line.slice(line.indexOf(" ") + 1);
      if (text.startsWith('{"lastUpdateId"'))
        events.push({ kind: "snapshot", snapshot: bookSnapshot(JSON.parse(text)) });
      else
        expect(
          decoder.decode(
            text,
            (message) => (message.kind === "depth" || message.kind === "quote") && events.push(message),
          ),
        ).toBe(true);
    }

    let asked = 0;
    const whole = new OrderBook(() => {
      asked += 1;
    });
    const quotes = new Map(events.flatMap((event) => (event.kind === "quote" ? [[event.update, event] as const] : [])));
    let compared = 0;
    for (const event of events) {
      if (event.kind === "snapshot") whole.snapshot(event.snapshot);
      if (event.kind !== "depth") continue;
      whole.change(event);
      // The best bid and ask that the exchange sent for the same change are an independent witness.
      const quote = whole.state === "live" ? quotes.get(whole.lastUpdate) : undefined;
      if (quote === undefined) continue;
      compared += 1;
      const { bids, asks } = whole;
      expect([bids.prices[0], bids.quantities[0], asks.prices[0], asks.quantities[0]]).toEqual([
        quote.bid,
        quote.bidQuantity,
        quote.ask,
        quote.askQuantity,
      ]);
    }
    expect({ asked, breaks: whole.breaks, state: whole.state }).toEqual({ asked: 1, breaks: 0, state: "live" });
    expect(compared).toBeGreaterThan(500);

    const depths = events.filter((event) => event.kind === "depth");
    for (const dropped of [depths[100]!, depths[3000]!, depths.at(-500)!]) {
      let again = 0;
      const book = new OrderBook(() => {
        again += 1;
      });
      const reference = new OrderBook(() => {});
      for (const event of events) {
        if (event.kind === "snapshot") {
          book.snapshot(event.snapshot);
          reference.snapshot(event.snapshot);
        }
        if (event.kind !== "depth") continue;
        reference.change(event);
        if (event !== dropped) book.change(event);
        // The answer comes some changes later, as it would.
        if (again === 2 && book.state === "waiting" && reference.lastUpdate > dropped.last + 100_000)
          book.snapshot(levelsOf(reference));
      }
      expect({ again, breaks: book.breaks, state: book.state }).toEqual({ again: 2, breaks: 1, state: "live" });
      expect(levelsOf(book)).toEqual(levelsOf(reference));
    }
  },
);

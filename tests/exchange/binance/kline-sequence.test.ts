import { expect, test } from "bun:test";
import fc from "fast-check";
import { KlineSequence } from "../../../src/exchange/binance/kline-sequence.ts";
import type { Kline } from "../../../src/exchange/binance/market-message.ts";

const MINUTE = 60_000;
const bar = (openTime: number): Kline => ({
  openTime,
  open: 1,
  high: 1,
  low: 1,
  close: openTime,
  volume: 0,
  quoteVolume: 0,
  trades: 0,
  takerBuyBase: 0,
  takerBuyQuote: 0,
});

function sequence(): { sequence: KlineSequence; seen: number[] } {
  const seen: number[] = [];
  return { seen, sequence: new KlineSequence(MINUTE, (kline) => seen.push(kline.openTime / MINUTE)) };
}

test("bars that come twice are dropped, a bar behind a hole waits for what fills it", () => {
  const { sequence: one, seen } = sequence();
  for (const minute of [5, 5, 6, 9, 6, 8]) one.take(bar(minute * MINUTE));
  expect(seen).toEqual([5, 6]);
  expect(one.missing(9.5 * MINUTE)).toEqual({ from: 7 * MINUTE, to: 8 * MINUTE });
  one.fill([bar(7 * MINUTE)]);
  expect(seen).toEqual([5, 6, 7, 8, 9]);
  expect(one.repeated).toBe(2);
});

test("a bar that does not come is asked for some seconds after its end", () => {
  const { sequence: one } = sequence();
  expect(one.missing(100 * MINUTE)).toBeUndefined();
  one.startAt(10 * MINUTE);
  expect(one.missing(11 * MINUTE + 4_999)).toBeUndefined();
  expect(one.missing(11 * MINUTE + 5_000)).toEqual({ from: 10 * MINUTE, to: 10 * MINUTE });
  expect(one.missing(14 * MINUTE + 5_000)).toEqual({ from: 10 * MINUTE, to: 13 * MINUTE });
});

test("a bar that the exchange does not have is passed over only when it has a later one", () => {
  const { sequence: one, seen } = sequence();
  one.startAt(10 * MINUTE);
  one.fill([]);
  expect(one.next).toBe(10 * MINUTE);
  one.fill([bar(11 * MINUTE), bar(13 * MINUTE)]);
  expect(seen).toEqual([11, 13]);
  expect(one.absent).toBe(2);
});

test("a bar that exists nowhere holds nobody up while later ones keep coming", () => {
  const { sequence: one, seen } = sequence();
  one.startAt(10 * MINUTE);
  for (let minute = 11; minute < 20; minute++) {
    one.take(bar(minute * MINUTE));
    const missing = one.missing((minute + 1) * MINUTE + 5_000);
    if (missing === undefined) continue;
    const rows: Kline[] = [];
    for (let t = missing.from; t <= missing.to; t += MINUTE) if (t !== 10 * MINUTE) rows.push(bar(t));
    one.fill(rows);
  }
  expect(seen).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19]);
  expect(one.absent).toBe(1);
});

test("whatever is lost, late, repeated or out of order: every bar that exists exactly once and in order", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          exists: fc.integer({ min: 0, max: 9 }),
          byStream: fc.boolean(),
          late: fc.nat(3),
          twice: fc.boolean(),
        }),
        { minLength: 1, maxLength: 40 },
      ),
      fc.nat(3),
      (plan, pauses) => {
        const { sequence: one, seen } = sequence();
        one.startAt(0);
        const exists = plan.map((step, i) => step.exists > 0 || i === plan.length - 1);
        const arriving = plan.flatMap(({ byStream, late, twice }, i) =>
          exists[i] && byStream ? [{ i, at: i + 1 + late }, ...(twice ? [{ i, at: i + 2 + late }] : [])] : [],
        );
        for (let now = 1; now <= plan.length + 6; now++) {
          for (const { i } of arriving.filter(({ at }) => at === now)) one.take(bar(i * MINUTE));
          const missing = one.missing(now * MINUTE + 10_000);
          if (missing === undefined || now % (pauses + 1) !== 0) continue;
          const rows: Kline[] = [];
          for (let t = missing.from; t <= missing.to; t += MINUTE) {
            if (t / MINUTE < now && exists[t / MINUTE]) rows.push(bar(t));
          }
          one.fill(rows);
        }
        const wanted = exists.flatMap((yes, i) => (yes ? [i] : []));
        // The last questions may not have been asked yet; what is there is a beginning of what is wanted.
        expect(seen).toEqual(wanted.slice(0, seen.length));
        if (pauses === 0) expect(seen).toEqual(wanted);
      },
    ),
    { numRuns: 500 },
  );
});

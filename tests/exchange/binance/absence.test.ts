import { expect, test } from "bun:test";
import fc from "fast-check";
import { ORDER_WINDOW, QUERY_LAG } from "../../../src/exchange/binance/absence.ts";
import type { Gateway, OrderReport, Outcome, Placement } from "../../../src/exchange/binance/gateway.ts";
import { DESK_TIMES, OrderDesk } from "../../../src/exchange/binance/order-desk.ts";
import { newRecord } from "../../../src/exchange/binance/order-record.ts";
import { Schedule } from "../../../src/exchange/binance/schedule.ts";
import { instrument } from "../../core/core-fixture.ts";
import { order } from "../bars.ts";

const COIN = instrument("ACOINUSDT");
const ENTRY = order(1, { purpose: "entry", type: "market", lots: 10, leverage: 5 });
const START = 1_000_000;
const MOST_ERROR = 700;
/** Longest way of a question, there or back, ms. */
const SLOW = 5000;

/** One order whose answer nobody gets, at an exchange whose clock is the truth. */
interface Fate {
  /** Our clock less the exchange's, and how far it may be off as far as we know, ms. */
  readonly skew: number;
  readonly error: number;
  /** How long the request waits for its turn before it is signed, ms. */
  readonly waits: number;
  /** Share of the time in which the exchange may take the order; undefined: it never arrives. */
  readonly taken: number | undefined;
  /** How long its queries deny it, ms. */
  readonly lag: number;
  /** Until it is told that nobody knows. */
  readonly answer: number;
  /** Ways of the questions, there and back, in turn. */
  readonly ways: readonly (readonly [there: number, back: number])[];
}

const share = fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }));
const way = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: SLOW }));

const fates: fc.Arbitrary<Fate> = fc.integer({ min: -MOST_ERROR, max: MOST_ERROR }).chain((skew) =>
  fc.record({
    skew: fc.constant(skew),
    error: fc.integer({ min: Math.abs(skew), max: MOST_ERROR }),
    waits: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 15_000 })),
    taken: fc.option(share, { nil: undefined }),
    lag: share.map((part) => Math.floor(part * QUERY_LAG)),
    answer: fc.integer({ min: 1, max: 5000 }),
    ways: fc.array(fc.tuple(way, way), { minLength: 1, maxLength: 5 }),
  }),
);

/** What the desk told of the order, and when by the exchange's clock it told the last of it. */
async function toldOf(fate: Fate, restored: boolean): Promise<{ told: string[]; at: number }> {
  const { skew, error, taken, lag, answer, ways } = fate;
  const waits = restored ? 0 : fate.waits;
  const agenda = new Schedule();
  const schedule = new Schedule();
  let now = START;
  let questions = 0;
  const told: string[] = [];
  let at = 0;
  // The request is signed by our clock; by the exchange's it may be taken up to that time and the window.
  const signed = START + waits;
  const takenUntil = signed + skew + ORDER_WINDOW;
  const takenAt = taken === undefined ? Number.POSITIVE_INFINITY : signed + Math.floor(taken * (takenUntil - signed));
  const after = <T>(time: number, value: () => T) =>
    new Promise<T>((resolve) => agenda.at(now + time, () => resolve(value())));
  const report = (): OrderReport => ({
    symbol: COIN.symbol,
    clientId: record?.clientId ?? "",
    orderId: "7",
    status: "NEW",
    side: "BUY",
    positionSide: "BOTH",
    type: "MARKET",
    originalType: "MARKET",
    quantity: "1",
    executed: "0",
    price: "0",
    reduceOnly: false,
    closePosition: false,
    updateTime: now,
  });
  const done = () => Promise.resolve({ kind: "done", value: null } as const);
  const gateway = {
    setMarginType: done,
    setLeverage: done,
    placeOrder: () =>
      after<Placement<OrderReport>>(waits + answer, () => ({
        kind: "unknown",
        reason: "no answer in time",
        takenUntil,
      })),
    queryOrder: async (): Promise<Outcome<OrderReport>> => {
      const [there, back] = ways[questions++ % ways.length]!;
      const isThere = await after(there, () => now >= takenAt + lag);
      return after(back, () =>
        isThere
          ? { kind: "done", value: report() }
          : { kind: "refused", code: -2013, message: "Order does not exist.", consequence: "not-found" },
      );
    },
  } as unknown as Gateway;
  const desk = new OrderDesk({
    gateway,
    instruments: [COIN],
    hedge: false,
    named: (number) => `psk1-${number.toString(36)}`,
    clock: () => now + skew,
    clockError: () => error,
    marketTime: () => now,
    schedule,
    times: DESK_TIMES,
    tell: (_record, _time, news) => {
      told.push(news.kind === "answer" ? news.answer : "fill");
      at = now;
    },
    notice: () => {},
    held: () => 0,
    readTrades: () => {},
    doubt: () => {},
    stopSeen: () => {},
    bar: () => {},
  });
  const record = restored ? newRecord(ENTRY, "p-1") : undefined;
  if (record === undefined) {
    desk.submit(ENTRY);
    // Somebody wants to know before it has left, as who reads the trades of a symbol does.
    agenda.at(START + waits / 2, () => desk.ask([...desk.open][0]!));
  } else {
    desk.restore(record);
    desk.ask(record);
  }
  for (let turn = 0; turn < 1000 && !told.includes("accepted") && !told.includes("rejected"); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    const next = Math.min(agenda.next, schedule.next - skew);
    if (next > now) now = next === Number.POSITIVE_INFINITY ? now : next;
    agenda.run(now);
    schedule.run(now + skew);
  }
  return { told, at };
}

for (const restored of [false, true]) {
  const whose = restored ? "of an earlier process" : "of this process";
  test(`an order ${whose} counts as absent only when it is, however late it is taken, seen and answered`, async () => {
    await fc.assert(
      fc.asyncProperty(fates, async (fate) => {
        const { told, at } = await toldOf(fate, restored);
        expect(told.at(-1)).toBe(fate.taken === undefined ? "rejected" : "accepted");
        if (fate.taken !== undefined) return;
        // And soon: the question that proves it is asked when it can be, or after one that was under way then.
        const slowest = Math.max(...fate.ways.map(([there, back]) => there + back));
        const waits = restored ? 0 : fate.waits;
        const proof = Math.max(ORDER_WINDOW + QUERY_LAG + 4 * fate.error, fate.answer + DESK_TIMES.firstAsk);
        expect(at - START).toBeLessThanOrEqual(waits + proof + DESK_TIMES.longestAsk + 2 * slowest);
      }),
      { numRuns: 150 },
    );
  });
}

test("while the exchange's clock was never measured, absence is no proof", async () => {
  const fate = { skew: 0, error: Number.POSITIVE_INFINITY, waits: 0, taken: undefined, lag: 0, answer: 10 };
  const { told } = await toldOf({ ...fate, ways: [[5, 5]] }, false);
  expect(told).toEqual(["unknown"]);
});

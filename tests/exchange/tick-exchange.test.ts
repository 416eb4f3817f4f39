import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { USDT } from "../../src/core/instrument.ts";
import type { VenueEvent } from "../../src/exchange/exchange.ts";
import type { SimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import { OrderBook } from "../../src/exchange/simulated/order-book.ts";
import { createTickExchange } from "../../src/exchange/simulated/tick-exchange.ts";
import { openRecordedTicks } from "../../src/market/recorded-ticks.ts";
import type { Level, Tick, TickSource } from "../../src/market/tick-source.ts";
import { testRecorded } from "../recorded.ts";
import {
  barsOf,
  buy,
  type Change,
  limit,
  linesOf,
  order,
  PLAIN,
  type Row,
  sell,
  stop,
  stopLimit,
  trailing,
} from "./bars.ts";

const RECORDING = "payloads/recorded/hftbacktest-2024-08-08/btcusdt_20240808.ws.gz";

const book = (time: number, bids: Level[], asks: Level[], snapshot = false): Tick => {
  return { kind: "book", time, symbol: 0, snapshot, bids, asks };
};
const trade = (time: number, price: number, lots: number, taker: 1 | -1): Tick => {
  return { kind: "trade", time, symbol: 0, price, lots, taker };
};

/** 20 lots bid at 999, 30 at 998; 10 offered at 1001, 40 at 1002; the last trade was at 1000. */
const BEGIN: readonly Tick[] = [
  book(
    1,
    [
      [999, 20],
      [998, 30],
    ],
    [
      [1001, 10],
      [1002, 40],
    ],
    true,
  ),
  trade(2, 1000, 1, 1),
];

function ticksOf(ticks: readonly Tick[]): TickSource {
  const row: Row = [1000, 1000, 1000, 1000];
  let next = 0;
  return { ...barsOf([[row, row]]), tick: () => ticks[next++] };
}

interface Situation {
  readonly why: string;
  /** Sent right after the first trade: ids 1, 2 … */
  readonly first: readonly Change[];
  readonly ticks: readonly Tick[];
  readonly lines: readonly string[];
  readonly balance?: number;
}

function drain(exchange: SimulatedExchange, until: number): VenueEvent[] {
  const events: VenueEvent[] = [];
  for (let event = exchange.next(until); event !== undefined; event = exchange.next(until)) events.push(event);
  return events;
}

test("every trade is told, after what it filled, so that virtual positions are hit by trades and not by bars", () => {
  const later = [trade(5, 998, 30, -1), trade(6, 1001, 2, 1), trade(102, 1003, 1, 1), trade(103, 1002, 1, 1)];
  const exchange = createTickExchange(ticksOf([...BEGIN, ...later]), PLAIN);
  drain(exchange, 2);
  exchange.send({ kind: "submit", order: order(1, buy(5, limit(999))) }, 2);
  const told = (until: number) =>
    drain(exchange, until).filter((event) => event.kind === "tick" || event.kind === "fill");
  expect(told(101)).toMatchObject([{ kind: "fill", time: 5, lots: 5, price: 999 }]);
  expect(told(300)).toMatchObject([
    { kind: "tick", time: 102, symbol: 0, first: 1000, high: 1001, low: 998, last: 1001 },
    { kind: "tick", time: 202, symbol: 0, first: 1003, high: 1003, low: 1002, last: 1002 },
  ]);
});

test("ticks are the trades of 100 ms each: none is left out or told twice, none is told late, no extreme is lost", () => {
  const gaps = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 60, max: 140 }), fc.constant(40_000));
  const trades = fc.array(fc.record({ gap: gaps, price: fc.integer({ min: 900, max: 1100 }) }), {
    minLength: 1,
    maxLength: 60,
  });
  const polls = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(trades, polls, (moves, steps) => {
      let time = 2;
      const list = [...BEGIN];
      for (const { gap, price } of moves) {
        time += gap;
        list.push(trade(time, price, 1, 1));
      }
      const told = (pause: () => number) => {
        const exchange = createTickExchange(ticksOf(list), PLAIN);
        const events: VenueEvent[] = [];
        for (let until = 0; !exchange.ended; until += pause()) events.push(...drain(exchange, until));
        return events;
      };
      const events = told(() => 1e9);
      // However the caller asks for them.
      let poll = 0;
      expect(told(() => steps[poll++ % steps.length]!)).toEqual(events);

      const played = list.flatMap((tick) => (tick.kind === "trade" ? [tick] : []));
      let from = 0;
      let minute = 60_000;
      for (const event of events) {
        if (event.kind === "bar") minute = event.time + 60_000;
        if (event.kind !== "tick") continue;
        const first = played[from]!;
        const end = first.time + 100 < minute ? first.time + 100 : minute;
        expect(event.time).toBe(end);
        let to = from;
        while (to < played.length && played[to]!.time < end) to++;
        const prices = played.slice(from, to).map(({ price }) => price);
        const { high, low } = event;
        expect([event.first, event.last]).toEqual([prices[0]!, prices.at(-1)!]);
        expect([high, low]).toEqual([Math.max(...prices), Math.min(...prices)]);
        from = to;
      }
      expect(played.slice(from).every(({ time: later }) => later >= minute - 60_000)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

const SITUATIONS: readonly Situation[] = [
  {
    why: "a taker walks the book, level by level",
    first: [buy(30)],
    ticks: [],
    lines: ["0 #1 10@1001 part", "0 #1 20@1002"],
  },
  {
    why: "what was taken is gone for the next order, until the book says otherwise",
    first: [buy(5), buy(10)],
    ticks: [],
    lines: ["0 #1 5@1001", "0 #2 5@1001 part", "0 #2 5@1002"],
  },
  {
    why: "a market order for more than the book holds ends with what there was",
    first: [sell(60)],
    ticks: [],
    lines: ["0 #1 20@999 part", "0 #1 30@998 part", "0 #1 expired"],
  },
  {
    why: "a limit that crosses takes up to its price and waits with the rest",
    first: [buy(15, limit(1001))],
    ticks: [trade(5, 1001, 3, -1), trade(6, 1001, 9, -1)],
    lines: ["0 #1 10@1001 part", "0 #1 3@1001 maker part", "0 #1 2@1001 maker"],
  },
  {
    why: "20 lots stand before us: trades at our price use them up first",
    first: [buy(5, limit(999))],
    ticks: [trade(5, 999, 12, -1), trade(6, 999, 8, -1), trade(7, 999, 2, -1), trade(8, 999, 9, -1)],
    lines: ["0 #1 2@999 maker part", "0 #1 3@999 maker"],
  },
  {
    why: "the trade that ends the queue reaches us with what is left of it",
    first: [buy(5, limit(999))],
    ticks: [trade(5, 999, 24, -1)],
    lines: ["0 #1 4@999 maker part"],
  },
  {
    why: "buyers at our price take nothing from our queue",
    first: [buy(5, limit(999))],
    ticks: [trade(5, 999, 100, 1)],
    lines: [],
  },
  {
    why: "a level that shrinks below our place moves us forward; what is added stands behind us",
    first: [buy(5, limit(999))],
    ticks: [book(4, [[999, 3]], []), book(5, [[999, 50]], []), trade(6, 999, 4, -1)],
    lines: ["0 #1 1@999 maker part"],
  },
  {
    why: "a trade beyond our price fills all of it at our price",
    first: [buy(5, limit(999))],
    ticks: [trade(5, 998, 1, -1)],
    lines: ["0 #1 5@999 maker"],
  },
  {
    why: "two orders at one price share a trade by age",
    first: [buy(5, limit(999)), buy(5, limit(999))],
    ticks: [trade(5, 999, 27, -1)],
    lines: ["0 #1 5@999 maker", "0 #2 2@999 maker part"],
  },
  {
    why: "ioc takes what is there, fok all or nothing, post-only nothing",
    first: [
      buy(15, limit(1001, { timeInForce: "ioc" })),
      buy(50, limit(1002, { timeInForce: "fok" })),
      buy(40, limit(1002, { timeInForce: "fok" })),
      sell(1, limit(999, { timeInForce: "post-only" })),
    ],
    ticks: [],
    lines: ["0 #1 10@1001 part", "0 #1 expired", "0 #2 expired -5021", "0 #3 40@1002", "0 #4 rejected -5022"],
  },
  {
    why: "a stop triggers on a trade and takes from the book as it is then",
    first: [buy(10), sell(10, stop(995))],
    ticks: [
      book(
        4,
        [
          [999, 0],
          [998, 0],
          [994, 4],
          [993, 90],
        ],
        [],
      ),
      trade(5, 995, 1, -1),
    ],
    lines: ["0 #1 10@1001", "0 #2 triggered", "0 #2 4@994 part", "0 #2 6@993"],
  },
  {
    why: "a stop-limit waits in the queue at its price when the book has passed it",
    first: [buy(10), sell(10, stopLimit(995, 995))],
    ticks: [
      book(
        4,
        [
          [999, 0],
          [998, 0],
          [994, 4],
        ],
        [[995, 7]],
      ),
      trade(5, 994, 1, -1),
      trade(6, 995, 9, 1),
    ],
    lines: ["0 #1 10@1001", "0 #2 triggered", "0 #2 2@995 maker part"],
  },
  {
    why: "a trailing stop follows every trade: 1 % below 1020, rounded down",
    first: [buy(10), sell(10, trailing(100))],
    ticks: [trade(4, 1020, 1, 1), trade(5, 1010, 1, -1), trade(6, 1009, 1, -1)],
    lines: ["0 #1 10@1001", "0 #2 triggered", "0 #2 10@999"],
  },
  {
    why: "liquidated at the first trade that takes the maintenance margin: 901 / 0.975 = 924.0",
    first: [buy(10)],
    ticks: [
      book(
        3,
        [
          [999, 0],
          [998, 0],
          [923, 99],
        ],
        [],
      ),
      trade(4, 925, 1, -1),
      trade(5, 924, 1, -1),
    ],
    lines: ["0 #1 10@1001", "0 liquidation 10@923"],
  },
];

describe("tick situations", () => {
  for (const { why, first, ticks, lines } of SITUATIONS) {
    test(why, () => {
      const exchange = createTickExchange(ticksOf([...BEGIN, ...ticks]), PLAIN);
      const events = drain(exchange, 2);
      first.forEach((change, index) => {
        exchange.send({ kind: "submit", order: order(1 + index, change) }, 2);
      });
      events.push(...drain(exchange, 1000));
      expect(linesOf(events)).toEqual([...lines]);
    });
  }
});

testRecorded("the recorded book never crosses once it is known, and bars come from the trades", RECORDING, (file) => {
  const source = openRecordedTicks({ file });
  expect(source.instruments[0]).toMatchObject({ symbol: "BTCUSDT", priceDecimals: 1, quantityDecimals: 3 });
  expect(source.steps).toBe(6);
  const kept = new OrderBook();
  let known = false;
  let crossed = 0;
  let trades = 0;
  let time = 0;
  let last = 0;
  for (let tick = source.tick(); tick !== undefined; tick = source.tick()) {
    if (tick.time < time) throw new Error(`tick at ${tick.time} after ${time}`);
    time = tick.time;
    if (tick.kind === "trade") {
      trades++;
      last = tick.price;
      continue;
    }
    known ||= tick.snapshot;
    kept.apply(tick);
    if (known && kept.bestBid >= kept.bestAsk) crossed++;
    if (known && last > 0 && Math.abs(kept.bestBid / last - 1) > 0.002) throw new Error(`book away from ${last}`);
  }
  expect(trades).toBeGreaterThan(20_000);
  expect(crossed).toBe(0);
  let lots = 0;
  for (let step = source.step(); step !== undefined; step = source.step()) {
    expect(step.low[0]).toBeLessThanOrEqual(step.close[0]!);
    expect(step.high[0]).toBeGreaterThanOrEqual(step.open[0]!);
    lots += step.volume[0]!;
  }
  expect(lots).toBeGreaterThan(100);
});

testRecorded("on recorded ticks the place in the queue decides, books stay exact, runs repeat", RECORDING, (file) => {
  const run = (lots: number): { lines: string[]; exchange: SimulatedExchange; first: number } => {
    const exchange = createTickExchange(openRecordedTicks({ file }), { ...PLAIN, balance: 1_000_000 * USDT });
    const events: VenueEvent[] = [];
    let id = 0;
    let first = 0;
    for (;;) {
      const event = exchange.next(Number.POSITIVE_INFINITY);
      if (event === undefined) break;
      events.push(event);
      if (event.kind === "fill" && first === 0) first = event.time;
      // Each minute a bid a dollar below the close, an offer a dollar above, and a taker.
      if (event.kind !== "bar") continue;
      for (const side of [1, -1] as const) {
        const change = limit(event.close - side * 10, { side, lots, leverage: 10 });
        exchange.send({ kind: "submit", order: order(++id, change) }, event.time);
      }
      exchange.send({ kind: "submit", order: order(++id, { side: 1, lots, leverage: 10 }) }, event.time);
    }
    let wallet = BigInt(1_000_000 * USDT);
    let held = 0;
    let cost = 0n;
    const unit = BigInt(exchange.instruments[0]!.unitValue);
    for (const event of events) {
      if (event.kind !== "fill") continue;
      const side = event.order % 3 === 2 ? -1 : 1;
      const value = BigInt(event.lots) * BigInt(event.price) * unit;
      wallet -= BigInt(event.fee);
      if (held * side >= 0) cost += value;
      else {
        const part = (cost * BigInt(event.lots)) / BigInt(Math.abs(held));
        wallet += held > 0 ? value - part : part - value;
        cost -= part;
      }
      held += side * event.lots;
    }
    expect(exchange.wallet).toBe(wallet);
    expect(exchange.positions[0]!.lots).toBe(held);
    return { lines: linesOf(events), exchange, first };
  };
  const { lines } = run(10);
  expect(lines.filter((line) => line.includes("maker")).length).toBeGreaterThan(1);
  expect(run(10).lines).toEqual(lines);
});

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ORDER_TYPES, type OrderRequest, TIMES_IN_FORCE } from "../../src/core/effects.ts";
import { compareEvents } from "../../src/core/events.ts";
import { USDT } from "../../src/core/instrument.ts";
import type { Exchange, VenueEvent } from "../../src/exchange/exchange.ts";
import { createSimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import { barsOf, type Funding, MINUTE, order, PLAIN, type Row } from "../exchange/bars.ts";

/** A market that any implementation is asked to show, as far as it can. */
interface World {
  readonly rows: readonly (readonly Row[])[];
  readonly funding: readonly Funding[];
  readonly costs: { readonly spreadBps: number; readonly slippageBps: number; readonly volumeShare: number };
}

interface Implementation {
  readonly name: string;
  readonly balance: number;
  create(world: World): Exchange & { readonly wallet: bigint };
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  {
    name: "simulated",
    balance: PLAIN.balance,
    create: ({ rows, funding, costs }) => createSimulatedExchange(barsOf(rows, funding), { ...PLAIN, ...costs }),
  },
];

const SYMBOLS = 2;
const BARS = 12;

/** Bars that jump, stand still, thin out, go missing and come back. */
const world: fc.Arbitrary<World> = fc
  .record({
    moves: fc.array(
      fc.array(
        fc.record({
          gap: fc.integer({ min: -60, max: 60 }),
          up: fc.integer({ min: 0, max: 120 }),
          down: fc.integer({ min: 0, max: 120 }),
          close: fc.double({ min: 0, max: 1, noNaN: true }),
          volume: fc.constantFrom(0, 3, 20, 1000, 1000),
          kind: fc.constantFrom(...new Array<"real">(14).fill("real"), "flat", "gone"),
        }),
        { minLength: BARS, maxLength: BARS },
      ),
      { minLength: SYMBOLS, maxLength: SYMBOLS },
    ),
    funding: fc.array(
      fc.record({
        time: fc.integer({ min: 0, max: BARS * 4 - 1 }).map((quarter) => (quarter * MINUTE) / 4),
        rate: fc.integer({ min: -100_000, max: 100_000 }),
        symbol: fc.integer({ min: 0, max: SYMBOLS - 1 }),
      }),
      { maxLength: 8 },
    ),
    costs: fc.record({
      spreadBps: fc.constantFrom(0, 2.5),
      slippageBps: fc.constantFrom(0, 7),
      volumeShare: fc.constantFrom(0.05, 0.5, 1),
    }),
  })
  .map(({ moves, funding, costs }) => ({
    funding,
    costs,
    rows: moves.map((symbol) => {
      let last = 1000;
      let listed = false;
      return symbol.map(({ gap, up, down, close, volume, kind }): Row => {
        if (kind === "gone" || (kind === "flat" && !listed)) {
          listed = false;
          return "gone";
        }
        if (kind === "flat") return "flat";
        listed = true;
        const open = Math.max(200, last + gap);
        const low = open - down;
        const high = open + up;
        last = Math.round(low + (high - low) * close);
        return [open, high, low, last, volume];
      });
    }),
  }));

/** A trader with little sense: prices are distances from the last close, mostly on the side that waits. */
const wish = fc.record({
  wait: fc.integer({ min: 0, max: 2 }),
  /** Whether sides and prices are picked so that the order has a chance of being accepted. */
  sensible: fc.constantFrom(true, true, true, false),
  symbol: fc.integer({ min: 0, max: SYMBOLS - 1 }),
  side: fc.constantFrom(1 as const, -1 as const),
  type: fc.constantFrom(...ORDER_TYPES),
  lots: fc.integer({ min: 1, max: 60 }),
  distance: fc.integer({ min: -80, max: 80 }),
  timeInForce: fc.constantFrom(...TIMES_IN_FORCE),
  scope: fc.constantFrom("open", "open", "reduce", "all"),
  leverage: fc.constantFrom(0, 1, 5, 5, 20, 20, 20, 20, 20, 50),
  cancels: fc.option(fc.integer({ min: 1, max: 5 }), { freq: 2 }),
});
type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;
const wishes = fc.array(wish, { minLength: 10, maxLength: 40 });

interface Run {
  readonly events: readonly VenueEvent[];
  readonly orders: ReadonlyMap<number, OrderRequest>;
  readonly exchange: Exchange & { readonly wallet: bigint };
}

function run(implementation: Implementation, market: World, plan: readonly Wish[]): Run {
  const exchange = implementation.create(market);
  const events: VenueEvent[] = [];
  const orders = new Map<number, OrderRequest>();
  const last = new Array<number>(SYMBOLS).fill(1000);
  const held = new Array<number>(SYMBOLS).fill(0);
  let next = 0;
  let waited = 0;
  while (!exchange.ended) {
    const event = exchange.next(Number.POSITIVE_INFINITY);
    if (event === undefined) continue;
    events.push(event);
    if (event.kind === "bar") last[event.symbol] = event.close;
    if (event.kind === "fill") held[event.symbol] = held[event.symbol]! + event.lots * orders.get(event.order)!.side;
    if (event.kind === "liquidation") held[event.symbol] = 0;
    if (event.kind === "answer") continue;
    waited++;
    for (let wanted = plan[next]; wanted !== undefined && wanted.wait <= waited; wanted = plan[next]) {
      next++;
      waited = 0;
      const conditional = wanted.type === "stop-market" || wanted.type === "take-profit-market";
      const holds = Math.sign(held[wanted.symbol]!);
      const side = wanted.sensible && wanted.scope !== "open" && holds !== 0 ? (holds > 0 ? -1 : 1) : wanted.side;
      const waits = wanted.type === "stop-market" ? side : -side;
      const distance = wanted.sensible ? Math.abs(wanted.distance) * waits : wanted.distance;
      const price = last[wanted.symbol]! + distance;
      const everything = wanted.scope === "all" && conditional;
      const request = order(next, {
        symbol: wanted.symbol,
        side,
        type: wanted.type,
        lots: everything ? 0 : wanted.lots,
        price: wanted.type === "limit" ? price : 0,
        trigger: conditional ? price : 0,
        timeInForce: wanted.timeInForce,
        reduceOnly: wanted.scope === "reduce",
        closePosition: everything,
        leverage: wanted.leverage,
      });
      orders.set(next, request);
      exchange.send({ kind: "submit", order: request }, event.time);
      if (wanted.cancels !== null) {
        exchange.send({ kind: "cancel", order: Math.max(1, next - wanted.cancels), symbol: wanted.symbol }, event.time);
      }
    }
  }
  return { events, orders, exchange };
}

/** Events that reply to a request become known when it is sent; they have a time but no place among the others. */
function isReply(event: VenueEvent): boolean {
  return event.kind === "answer" && event.answer !== "triggered" && event.answer !== "expired";
}

/** The end of a delisted symbol's position and orders belongs to the listing event that follows it. */
function withoutSettlements(events: readonly VenueEvent[]): VenueEvent[] {
  const kept: VenueEvent[] = [];
  for (const event of events) {
    if (event.kind === "listing" && !event.listed) {
      for (;;) {
        const before = kept.at(-1);
        const belongs = before?.time === event.time && before.symbol === event.symbol;
        if (!belongs || (before.kind !== "answer" && before.kind !== "liquidation")) break;
        kept.pop();
      }
    }
    kept.push(event);
  }
  return kept;
}

/** Long and short positions rebuilt from nothing but the events. */
class Books {
  wallet: bigint;
  readonly lots = new Array<number>(SYMBOLS).fill(0);
  readonly #cost = new Array<bigint>(SYMBOLS).fill(0n);
  readonly #unit: (symbol: number) => bigint;

  constructor(balance: number, unit: (symbol: number) => bigint) {
    this.wallet = BigInt(balance);
    this.#unit = unit;
  }

  trade(symbol: number, signed: number, price: number, fee: number): void {
    const held = this.lots[symbol]!;
    const value = BigInt(Math.abs(signed)) * BigInt(price) * this.#unit(symbol);
    if (held * signed >= 0) {
      this.#cost[symbol] = this.#cost[symbol]! + value;
    } else {
      expect(Math.abs(signed)).toBeLessThanOrEqual(Math.abs(held));
      const cost = (this.#cost[symbol]! * BigInt(Math.abs(signed))) / BigInt(Math.abs(held));
      this.#cost[symbol] = this.#cost[symbol]! - cost;
      this.wallet += held > 0 ? value - cost : cost - value;
    }
    this.lots[symbol] = held + signed;
    this.wallet -= BigInt(fee);
  }
}

for (const implementation of IMPLEMENTATIONS) {
  describe(`exchange ${implementation.name}`, () => {
    const property = (name: string, check: (result: Run, market: World, plan: readonly Wish[]) => void): void =>
      test(name, () => {
        fc.assert(
          fc.property(world, wishes, (market, plan) => check(run(implementation, market, plan), market, plan)),
          { numRuns: 150 },
        );
      });

    property("time never goes back, and events of one moment follow the total order", ({ events }) => {
      let time = Number.NEGATIVE_INFINITY;
      for (const event of events) {
        expect(event.time).toBeGreaterThanOrEqual(time);
        time = event.time;
      }
      let before: VenueEvent | undefined;
      for (const event of withoutSettlements(events.filter((event) => !isReply(event)))) {
        // What is decided on a closed bar must reach the next open, so that open comes after the bar.
        const opens = before?.kind === "bar" && event.kind !== "bar";
        if (before !== undefined && !opens) expect(compareEvents(before, event)).toBeLessThanOrEqual(0);
        before = event;
      }
    });

    property("each order is answered, ends once, and does nothing after its end or before it is accepted", (result) => {
      const state = new Map<number, "accepted" | "ended">();
      for (const event of result.events) {
        if (event.kind !== "answer" && event.kind !== "fill") continue;
        if (event.kind === "answer" && event.answer === "cancel-rejected") continue;
        const known = state.get(event.order);
        const first = event.kind === "answer" && (event.answer === "accepted" || event.answer === "rejected");
        expect(known).toBe(first ? undefined : "accepted");
        const ends = event.kind === "fill" ? event.done : event.answer !== "accepted" && event.answer !== "triggered";
        state.set(event.order, ends ? "ended" : "accepted");
      }
      expect(state.size).toBe(result.orders.size);
    });

    property("fills stay within the order, `done` says when it is full, trade ids are unique", ({ events, orders }) => {
      const filled = new Map<number, number>();
      const trades = new Set<string>();
      for (const event of events) {
        if (event.kind !== "fill") continue;
        const request = orders.get(event.order)!;
        const total = (filled.get(event.order) ?? 0) + event.lots;
        filled.set(event.order, total);
        expect(event.lots).toBeGreaterThan(0);
        expect(event.symbol).toBe(request.symbol);
        expect(trades.has(event.trade)).toBe(false);
        trades.add(event.trade);
        if (request.closePosition) continue;
        expect(total).toBeLessThanOrEqual(request.lots);
        expect(event.done).toBe(total === request.lots);
        if (request.type === "limit") {
          expect((request.price - event.price) * request.side).toBeGreaterThanOrEqual(0);
        }
      }
    });

    property("the wallet is start + realised − fees + funding; reducing orders never open", (result) => {
      const { events, orders, exchange } = result;
      const books = new Books(implementation.balance, (symbol) => BigInt(exchange.instruments[symbol]!.unitValue));
      for (const event of events) {
        if (event.kind === "funding") {
          expect(books.lots[event.symbol]).not.toBe(0);
          books.wallet += BigInt(event.amount);
        } else if (event.kind === "liquidation") {
          const held = books.lots[event.symbol]!;
          books.trade(event.symbol, held > 0 ? -event.lots : event.lots, event.price, event.fee);
        } else if (event.kind === "fill") {
          const { side, reduceOnly, closePosition } = orders.get(event.order)!;
          if (reduceOnly || closePosition) expect(books.lots[event.symbol]! * side).toBeLessThan(0);
          books.trade(event.symbol, side * event.lots, event.price, event.fee);
        } else if (event.kind === "listing" && !event.listed) {
          expect(books.lots[event.symbol]).toBe(0);
        }
      }
      expect(exchange.wallet).toBe(books.wallet);
    });

    property("the same requests give the same events", ({ events }, market, plan) => {
      expect(run(implementation, market, plan).events).toEqual(events);
    });

    test("starts with its wallet and gives no event before its time", () => {
      const market = { rows: [[[1000, 1000, 1000, 1000]]], funding: [], costs: PLAIN } satisfies World;
      const exchange = implementation.create(market);
      expect(exchange.wallet).toBe(BigInt(implementation.balance));
      expect(exchange.instruments.map(({ symbol }) => symbol)).toEqual(["S0USDT"]);
      expect(exchange.next(-1)).toBeUndefined();
      expect(implementation.balance).toBeGreaterThan(100 * USDT);
    });
  });
}

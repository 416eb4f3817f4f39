import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ORDER_TYPES, type OrderRequest, TIMES_IN_FORCE, WORKING_TYPES } from "../../src/core/effects.ts";
import { compareEvents, type Leg } from "../../src/core/events.ts";
import { USDT } from "../../src/core/instrument.ts";
import type { Exchange, VenueEvent } from "../../src/exchange/exchange.ts";
import { MARGIN_MODES, POSITION_MODES } from "../../src/exchange/simulated/account.ts";
import { createSimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import { isLimit, onlyReduces } from "../../src/exchange/simulated/orders.ts";
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
  readonly hedge: boolean;
  create(world: World): Exchange & { readonly wallet: bigint };
}

/** The modes of an account change what happens, and none of what is promised. */
const IMPLEMENTATIONS: readonly Implementation[] = POSITION_MODES.flatMap((positionMode) =>
  MARGIN_MODES.map((marginMode) => ({
    name: `simulated, ${positionMode}, ${marginMode}`,
    balance: marginMode === "cross" ? 300 * USDT : PLAIN.balance,
    hedge: positionMode === "hedge",
    create: ({ rows, funding, costs }) =>
      createSimulatedExchange(barsOf(rows, funding), {
        ...PLAIN,
        ...costs,
        positionMode,
        marginMode,
        balance: marginMode === "cross" ? 300 * USDT : PLAIN.balance,
        autoDeleveraging: { seed: 1, chance: 0.02 },
      }),
  })),
);

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
  leg: fc.constantFrom("long" as const, "short" as const),
  callback: fc.constantFrom(10, 100, 500, 2000),
  workingType: fc.constantFrom(...WORKING_TYPES),
  amends: fc.option(fc.record({ back: fc.integer({ min: 0, max: 5 }), lots: fc.integer({ min: 1, max: 60 }) }), {
    freq: 2,
  }),
});
type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;
const wishes = fc.array(wish, { minLength: 10, maxLength: 40 });

interface Run {
  readonly events: readonly VenueEvent[];
  readonly orders: ReadonlyMap<number, OrderRequest>;
  /** Sizes that amendments asked for. */
  readonly sizes: ReadonlyMap<number, readonly number[]>;
  readonly exchange: Exchange & { readonly wallet: bigint };
}

function run(implementation: Implementation, market: World, plan: readonly Wish[]): Run {
  const exchange = implementation.create(market);
  const events: VenueEvent[] = [];
  const orders = new Map<number, OrderRequest>();
  const sizes = new Map<number, number[]>();
  const last = new Array<number>(SYMBOLS).fill(1000);
  const held = new Array<number>(SYMBOLS * 2).fill(0);
  const placeOf = (symbol: number, leg: Leg): number => symbol * 2 + (leg === "short" ? 1 : 0);
  let next = 0;
  let waited = 0;
  while (!exchange.ended) {
    const event = exchange.next(Number.POSITIVE_INFINITY);
    if (event === undefined) continue;
    events.push(event);
    if (event.kind === "bar") last[event.symbol] = event.close;
    if (event.kind === "fill") {
      const { leg, side } = orders.get(event.order)!;
      held[placeOf(event.symbol, leg)]! += event.lots * side;
    }
    if (event.kind === "liquidation") held[placeOf(event.symbol, event.leg)] = 0;
    if (event.kind === "answer") continue;
    waited++;
    for (let wanted = plan[next]; wanted !== undefined && wanted.wait <= waited; wanted = plan[next]) {
      next++;
      waited = 0;
      const conditional = wanted.type !== "market" && wanted.type !== "limit";
      const priced = wanted.type.endsWith("limit");
      const leg: Leg = implementation.hedge ? wanted.leg : "both";
      const holds = Math.sign(held[placeOf(wanted.symbol, leg)]!);
      const opens = leg === "both" ? wanted.side : leg === "long" ? 1 : -1;
      const closes = holds !== 0 ? (holds > 0 ? -1 : 1) : wanted.side;
      const side = !wanted.sensible ? wanted.side : wanted.scope === "open" ? opens : closes;
      const waits = wanted.type.startsWith("stop") ? side : -side;
      const distance = wanted.sensible ? Math.abs(wanted.distance) * waits : wanted.distance;
      const price = last[wanted.symbol]! + distance;
      const everything = wanted.scope === "all" && wanted.type.endsWith("market") && conditional;
      const request = order(next, {
        symbol: wanted.symbol,
        leg,
        side,
        type: wanted.type,
        lots: everything ? 0 : wanted.lots,
        price: priced ? price : 0,
        trigger: conditional ? price : 0,
        timeInForce: wanted.timeInForce,
        reduceOnly: wanted.scope === "reduce" && !implementation.hedge,
        closePosition: everything,
        leverage: wanted.leverage,
        ...(wanted.type === "trailing-stop" ? { callback: wanted.callback } : {}),
        workingType: wanted.workingType,
      });
      orders.set(next, request);
      exchange.send({ kind: "submit", order: request }, event.time);
      if (wanted.cancels !== null) {
        exchange.send({ kind: "cancel", order: Math.max(1, next - wanted.cancels), symbol: wanted.symbol }, event.time);
      }
      if (wanted.amends !== null) {
        const { back, lots } = wanted.amends;
        const amend = { order: Math.max(1, next - back), symbol: wanted.symbol, lots, price };
        sizes.set(amend.order, [...(sizes.get(amend.order) ?? []), lots]);
        exchange.send({ kind: "amend", ...amend }, event.time);
      }
    }
  }
  return { events, orders, sizes, exchange };
}

/** Answers about a request to cancel or amend, which leave the order what it was. */
const REPLIES: ReadonlySet<string> = new Set(["cancel-rejected", "amended", "amend-rejected"]);

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

/** Positions by symbol and leg, rebuilt from nothing but the events. */
class Books {
  wallet: bigint;
  readonly lots = new Array<number>(SYMBOLS * 2).fill(0);
  readonly #cost = new Array<bigint>(SYMBOLS * 2).fill(0n);
  readonly #unit: (symbol: number) => bigint;

  constructor(balance: number, unit: (symbol: number) => bigint) {
    this.wallet = BigInt(balance);
    this.#unit = unit;
  }

  place(symbol: number, leg: Leg): number {
    return symbol * 2 + (leg === "short" ? 1 : 0);
  }

  trade(place: number, signed: number, price: number, fee: number): void {
    const held = this.lots[place]!;
    const value = BigInt(Math.abs(signed)) * BigInt(price) * this.#unit(place >> 1);
    if (held * signed >= 0) {
      this.#cost[place]! += value;
    } else {
      expect(Math.abs(signed)).toBeLessThanOrEqual(Math.abs(held));
      const cost = (this.#cost[place]! * BigInt(Math.abs(signed))) / BigInt(Math.abs(held));
      this.#cost[place]! -= cost;
      this.wallet += held > 0 ? value - cost : cost - value;
    }
    this.lots[place] = held + signed;
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
        if (event.kind === "answer" && REPLIES.has(event.answer)) continue;
        const known = state.get(event.order);
        const first = event.kind === "answer" && (event.answer === "accepted" || event.answer === "rejected");
        expect(known).toBe(first ? undefined : "accepted");
        const ends = event.kind === "fill" ? event.done : event.answer !== "accepted" && event.answer !== "triggered";
        state.set(event.order, ends ? "ended" : "accepted");
      }
      expect(state.size).toBe(result.orders.size);
    });

    property(
      "fills stay within the order, `done` says when it is full, trade ids are unique",
      ({ events, orders, sizes }) => {
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
          const amended = sizes.get(event.order) ?? [];
          expect(total).toBeLessThanOrEqual(Math.max(request.lots, ...amended));
          if (amended.length > 0) continue;
          expect(event.done).toBe(total === request.lots);
          if (isLimit(request.type)) {
            expect((request.price - event.price) * request.side).toBeGreaterThanOrEqual(0);
          }
        }
      },
    );

    property("the wallet is start + realised − fees + funding; reducing orders never open", (result) => {
      const { events, orders, exchange } = result;
      const books = new Books(implementation.balance, (symbol) => BigInt(exchange.instruments[symbol]!.unitValue));
      for (const event of events) {
        if (event.kind === "funding") {
          expect(books.lots[event.symbol * 2] !== 0 || books.lots[event.symbol * 2 + 1] !== 0).toBe(true);
          books.wallet += BigInt(event.amount);
        } else if (event.kind === "liquidation") {
          const place = books.place(event.symbol, event.leg);
          const held = books.lots[place]!;
          if (event.cause !== "delisted") expect(event.lots).toBe(Math.abs(held));
          books.trade(place, held > 0 ? -event.lots : event.lots, event.price, event.fee);
        } else if (event.kind === "fill") {
          const request = orders.get(event.order)!;
          const { side } = request;
          const place = books.place(event.symbol, request.leg);
          if (onlyReduces(request)) expect(books.lots[place]! * side).toBeLessThan(0);
          books.trade(place, side * event.lots, event.price, event.fee);
          // A leg of hedge mode never stands on the other side.
          if (request.leg === "long") expect(books.lots[place]).toBeGreaterThanOrEqual(0);
          if (request.leg === "short") expect(books.lots[place]).toBeLessThanOrEqual(0);
        } else if (event.kind === "listing" && !event.listed) {
          expect(books.lots.slice(event.symbol * 2, event.symbol * 2 + 2)).toEqual([0, 0]);
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

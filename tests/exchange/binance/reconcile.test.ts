import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { AlgoReport, OrderReport } from "../../../src/exchange/binance/gateway.ts";
import {
  type Action,
  type OurBook,
  type OurOrder,
  type Policy,
  reconcile,
  type VenueBook,
} from "../../../src/exchange/binance/reconcile.ts";

const SYMBOLS = ["AAAUSDT", "BBBUSDT"];

const POLICY: Policy = {
  foreign: "ignore",
  isOurs: (clientId) => clientId.startsWith("psk"),
  isUnderWay: (clientId) => clientId === "psk1_1",
};

function regular(symbol: string, clientId: string, executedLots: number): VenueBook["orders"][number] {
  const report: OrderReport = {
    symbol,
    clientId,
    orderId: `${clientId}/id`,
    status: "NEW",
    side: "BUY",
    positionSide: "BOTH",
    type: "LIMIT",
    originalType: "LIMIT",
    quantity: "1",
    executed: "0",
    price: "1",
    reduceOnly: false,
    closePosition: false,
    updateTime: 0,
  };
  return { ...report, executedLots };
}

function algo(symbol: string, clientId: string, status: AlgoReport["status"] = "NEW"): AlgoReport {
  return {
    symbol,
    clientId,
    algoId: `${clientId}/algo`,
    status,
    side: "SELL",
    positionSide: "BOTH",
    type: "STOP_MARKET",
    quantity: "1",
    triggerPrice: "1",
    reduceOnly: true,
    closePosition: false,
    actualOrderId: "",
    reason: "",
    updateTime: 0,
  };
}

const symbol = fc.constantFrom(...SYMBOLS);
const legs = fc
  .array(fc.tuple(symbol, fc.constantFrom("BOTH", "LONG", "SHORT"), fc.integer({ min: -9, max: 9 })), { maxLength: 4 })
  .map(
    (rows) => new Map(rows.filter(([, , lots]) => lots !== 0).map(([name, side, lots]) => [`${name}:${side}`, lots])),
  );
const ids = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 6 });

const books = fc.record({ ours: legs, theirs: legs, ourOrders: ids, theirOrders: ids, strangers: ids });

/** Both services by the id: even ones are conditional. */
function build(drawn: {
  ours: Map<string, number>;
  theirs: Map<string, number>;
  ourOrders: number[];
  theirOrders: number[];
  strangers: number[];
}) {
  const place = (id: number) => SYMBOLS[id % 2 === 0 ? (id / 2) % 2 : ((id - 1) / 2) % 2]!;
  const orders = drawn.ourOrders.map((id): OurOrder => {
    return {
      symbol: place(id),
      clientId: `psk1-${id}`,
      service: id % 2 === 0 ? "algo" : "regular",
      executed: 0,
      bornOrderId: "",
    };
  });
  const named = [
    ...drawn.theirOrders.map((id) => [id, `psk1-${id}`] as const),
    ...drawn.strangers.map((id) => [id, `web-${id}`] as const),
  ];
  const venue: VenueBook = {
    legs: drawn.theirs,
    orders: named.filter(([id]) => id % 2 === 1).map(([id, clientId]) => regular(place(id), clientId, 0)),
    algoOrders: named.filter(([id]) => id % 2 === 0).map(([id, clientId]) => algo(place(id), clientId)),
  };
  const ours: OurBook = { legs: drawn.ours, orders, restless: new Set(), explained: new Set() };
  return { ours, venue };
}

/** A venue that does what is asked, and a book that learns what it is told. */
function perform(ours: OurBook, venue: VenueBook, actions: readonly Action[]): { ours: OurBook; venue: VenueBook } {
  const held = new Map(ours.legs);
  const explained = new Set(ours.explained);
  let { orders } = ours;
  let open = venue;
  for (const action of actions) {
    if (action.kind === "ask") orders = orders.filter(({ clientId }) => clientId !== action.clientId);
    else if (action.kind === "sweep") {
      open = {
        ...open,
        orders: open.orders.filter(({ clientId }) => clientId !== action.clientId),
        algoOrders: open.algoOrders.filter(({ clientId }) => clientId !== action.clientId),
      };
    } else if (action.kind === "trades") for (const one of action.differences) explained.add(one);
    else if (action.kind === "shrink") {
      const left = held.get(action.leg)! - action.lots;
      if (left === 0) held.delete(action.leg);
      else held.set(action.leg, left);
    }
  }
  return { ours: { legs: held, orders, restless: ours.restless, explained }, venue: open };
}

describe("two books", () => {
  test("come together in at most three passes, whatever they are", () => {
    fc.assert(
      fc.property(books, (drawn) => {
        let { ours, venue } = build(drawn);
        let passes = 1;
        let result = reconcile(ours, venue, POLICY);
        while (!result.agreed) {
          ({ ours, venue } = perform(ours, venue, result.actions));
          result = reconcile(ours, venue, POLICY);
          passes++;
        }
        expect(passes).toBeLessThanOrEqual(3 + 1);
        // Nothing of ours is left that is not there, and never the other side of it.
        for (const [leg, lots] of ours.legs) {
          const there = venue.legs.get(leg) ?? 0;
          expect(Math.sign(there)).toBe(Math.sign(lots));
          expect(Math.abs(lots)).toBeLessThanOrEqual(Math.abs(there));
        }
      }),
    );
  });

  test("that are the same need nothing; a book never grows by reconciling", () => {
    fc.assert(
      fc.property(books, (drawn) => {
        const { ours, venue } = build({ ...drawn, theirs: drawn.ours, theirOrders: drawn.ourOrders, strangers: [] });
        expect(reconcile(ours, venue, POLICY)).toEqual({ actions: [], agreed: true, restless: [] });
        const other = build(drawn);
        for (const action of reconcile(other.ours, other.venue, POLICY).actions) {
          if (action.kind === "shrink")
            expect(Math.sign(action.lots)).toBe(Math.sign(other.ours.legs.get(action.leg)!));
        }
      }),
    );
  });

  test("say nothing about a symbol that does not stand still", () => {
    fc.assert(
      fc.property(books, (drawn) => {
        const { ours, venue } = build({ ...drawn, strangers: [] });
        const result = reconcile({ ...ours, restless: new Set(SYMBOLS) }, venue, POLICY);
        expect(result.actions).toEqual([]);
      }),
    );
  });
});

describe("what is not ours", () => {
  const empty: OurBook = { legs: new Map(), orders: [], restless: new Set(), explained: new Set() };

  test("is left alone and named, or closed where the setting says so", () => {
    const venue: VenueBook = {
      legs: new Map([["AAAUSDT:LONG", 7]]),
      orders: [regular("BBBUSDT", "web-1", 0)],
      algoOrders: [],
    };
    const read = new Set(["AAAUSDT:LONG 0 7"]);
    const ignored = reconcile({ ...empty, explained: read }, venue, POLICY);
    expect(ignored.agreed).toBe(true);
    expect(ignored.actions).toEqual([
      { kind: "foreign", symbol: "BBBUSDT", what: "order web-1" },
      { kind: "foreign", symbol: "AAAUSDT", what: "7 lots" },
    ]);
    const flattened = reconcile({ ...empty, explained: read }, venue, { ...POLICY, foreign: "flatten" });
    expect(flattened.actions.map(({ kind }) => kind)).toEqual([
      "foreign",
      "cancel-foreign",
      "foreign",
      "flatten-foreign",
    ]);
  });

  test("is adopted where nothing of ours and no order of anybody is beside it", () => {
    const legs = new Map([["AAAUSDT:BOTH", 7]]);
    const venue: VenueBook = { legs, orders: [], algoOrders: [] };
    const adopting = { ...POLICY, foreign: "adopt" } as const;
    const adopted = (ours: Partial<OurBook>, there: Partial<VenueBook> = {}) => {
      const explained = new Set(["AAAUSDT:BOTH 0 7", "AAAUSDT:BOTH 2 7", "AAAUSDT:LONG 0 7", "AAAUSDT:SHORT 0 -7"]);
      const { actions } = reconcile({ ...empty, explained, ...ours }, { ...venue, ...there }, adopting);
      return actions.filter(({ kind }) => kind === "adopt-foreign");
    };
    expect(adopted({})).toEqual([{ kind: "adopt-foreign", leg: "AAAUSDT:BOTH", lots: 7 }]);
    // What is somebody else's does not keep our own books apart.
    expect(reconcile({ ...empty, explained: new Set(["AAAUSDT:BOTH 0 7"]) }, venue, adopting).agreed).toBe(true);
    // Before the trades were read it may be ours.
    expect(adopted({ explained: new Set() })).toEqual([]);
    expect(adopted({ legs: new Map([["AAAUSDT:BOTH", 2]]) })).toEqual([]);
    const order = { symbol: "AAAUSDT", clientId: "psk1-9", service: "regular", executed: 0, bornOrderId: "" } as const;
    expect(adopted({ orders: [order] }, { orders: [regular("AAAUSDT", "psk1-9", 0)] })).toEqual([]);
    expect(adopted({ restless: new Set(["AAAUSDT"]) })).toEqual([]);
    expect(adopted({}, { orders: [regular("AAAUSDT", "web-1", 0)] })).toEqual([]);
    expect(adopted({}, { algoOrders: [algo("AAAUSDT", "web-1")] })).toEqual([]);
    expect(adopted({}, { orders: [regular("BBBUSDT", "web-1", 0)] })).toHaveLength(1);
    // Both legs of a symbol at once: a book has one position per symbol.
    const both = new Map([
      ["AAAUSDT:LONG", 7],
      ["AAAUSDT:SHORT", -7],
    ]);
    expect(adopted({}, { legs: both })).toEqual([]);
  });

  test("a stop of ours that hangs bars its symbol and does not keep the books apart; a probe is not swept", () => {
    const venue: VenueBook = {
      legs: new Map(),
      orders: [],
      algoOrders: [algo("AAAUSDT", "psk1-5", "TRIGGERING"), algo("AAAUSDT", "psk1_1")],
    };
    const { agreed, actions } = reconcile(empty, venue, POLICY);
    expect(agreed).toBe(true);
    expect(actions).toEqual([{ kind: "foreign", symbol: "AAAUSDT", what: "order psk1-5 is stuck while triggering" }]);
  });

  test("trades are read for each new difference before lots are given up", () => {
    const held: OurBook = { ...empty, legs: new Map([["AAAUSDT:BOTH", 5]]) };
    const flat: VenueBook = { legs: new Map(), orders: [], algoOrders: [] };
    const first = reconcile(held, flat, POLICY);
    expect(first.actions).toEqual([{ kind: "trades", symbol: "AAAUSDT", differences: ["AAAUSDT:BOTH 5 0"] }]);
    const explained = new Set(["AAAUSDT:BOTH 5 0"]);
    expect(reconcile({ ...held, explained }, flat, POLICY).actions).toEqual([
      { kind: "shrink", leg: "AAAUSDT:BOTH", lots: 5 },
    ]);
    const partly = { ...flat, legs: new Map([["AAAUSDT:BOTH", 2]]) };
    expect(reconcile({ ...held, explained }, partly, POLICY).actions).toMatchObject([{ kind: "trades" }]);
  });
});

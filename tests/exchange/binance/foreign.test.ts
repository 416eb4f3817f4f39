import { describe, expect, test } from "bun:test";
import { BinanceExchange } from "../../../src/exchange/binance/exchange.ts";
import type {
  Gateway,
  Outcome,
  PositionReport,
  SymbolConfig,
  TradeReport,
  UserEvent,
} from "../../../src/exchange/binance/gateway.ts";
import type { ForeignPolicy } from "../../../src/exchange/binance/reconcile.ts";
import type { Recovered } from "../../../src/exchange/binance/recovered.ts";
import { userEvent } from "../../../src/exchange/binance/user-events.ts";
import type { VenueEvent } from "../../../src/exchange/exchange.ts";
import { instrument } from "../../core/core-fixture.ts";
import { createWorld } from "../../simulation/world.ts";
import { ExchangeRun } from "./exchange-run.ts";

/** Seeds of worlds in which somebody else trades on the account, with faults and crashes. */
const SEEDS = [0, 3, 9, 46];

async function runs(policy: ForeignPolicy, closes: boolean, beside = false, hedge = false) {
  const totals = { opened: 0, adopted: 0, flattened: 0, crashes: 0 };
  for (const seed of SEEDS) {
    const outcome = await new ExchangeRun(createWorld(seed), undefined, { policy, closes, beside }, hedge).run();
    expect({ seed, violation: outcome.violation?.text }).toEqual({ seed, violation: undefined });
    expect(outcome.mostPasses).toBeLessThanOrEqual(3);
    totals.opened += outcome.foreign.opened;
    totals.adopted += outcome.foreign.adopted;
    totals.flattened += outcome.foreign.flattened;
    totals.crashes += outcome.crashes;
  }
  return totals;
}

describe("somebody else on the account, with faults and crashes: both books end the same", () => {
  test("adopt: their positions become ours, are protected, and are closed by our stops", async () => {
    const { opened, adopted, flattened, crashes } = await runs("adopt", false);
    expect(adopted).toBeGreaterThan(opened / 4);
    expect(crashes).toBeGreaterThan(10);
    expect(flattened).toBe(0);
  });

  test("adopt, and they close what is ours by then", async () => {
    expect((await runs("adopt", true)).adopted).toBeGreaterThan(0);
  });

  test("flatten: their positions are closed", async () => {
    const { flattened, adopted } = await runs("flatten", false);
    expect(flattened).toBeGreaterThan(2);
    expect(adopted).toBe(0);
  });
});

describe("the same on an account in hedge mode", () => {
  test("adopt, on either leg", async () => {
    expect((await runs("adopt", false, false, true)).adopted).toBeGreaterThan(4);
  });

  test("the other leg of a symbol that we hold is theirs, and left alone or closed", async () => {
    expect((await runs("ignore", true, true, true)).opened).toBeGreaterThan(1);
    expect((await runs("flatten", false, true, true)).flattened).toBeGreaterThan(1);
  });
});

/** An exchange client over a venue that says what it is told to say. */
class Desk {
  readonly events: VenueEvent[] = [];
  readonly notices: string[] = [];
  readonly placed: unknown[] = [];
  now = 1_000_000;
  positions: PositionReport[] = [];
  config: SymbolConfig[] = [{ symbol: "AAAUSDT", marginType: "ISOLATED", leverage: 5 }];
  openOrders: unknown[] = [];
  readonly exchange: BinanceExchange;

  trades: TradeReport[] = [];
  tell: (event: UserEvent) => void = () => {};
  /** Orders are never answered. */
  isSilent = false;
  /** What happens while the settings of the symbols are asked for. */
  meanwhile: () => void = () => {};

  constructor(policy: ForeignPolicy, price = 10_000, recovered?: Recovered) {
    const done = (value: unknown) => () => Promise.resolve({ kind: "done", value } as Outcome<unknown>);
    const answers: Record<string, unknown> = {
      listen: (listener: (event: UserEvent) => void) => {
        this.tell = listener;
      },
      onBreaker: () => {},
      positions: () => done(this.positions)(),
      symbolConfig: () => {
        this.meanwhile();
        return done(this.config)();
      },
      openOrders: () => done(this.openOrders)(),
      openAlgoOrders: done([]),
      userTrades: () => done(this.trades)(),
      // All of them are of a liquidation.
      queryOrder: done({ clientId: "autoclose-1", symbol: "AAAUSDT" }),
      balances: done([{ asset: "USDT", wallet: "100", available: "100" }]),
      placeOrder: (order: unknown) => {
        this.placed.push(order);
        if (this.isSilent) return new Promise(() => {});
        return Promise.resolve({ kind: "refused", code: -2022, message: "no", consequence: "reduce-only" });
      },
    };
    this.exchange = new BinanceExchange({
      gateway: new Proxy({} as Gateway, { get: (_, name) => answers[String(name)] }),
      instruments: [instrument("AAAUSDT"), instrument("BBBUSDT")],
      hedge: false,
      epoch: 1,
      clock: () => this.now,
      foreign: policy,
      adoptedStop: 0.02,
      wallet: () => 10_000_000_000n,
      notice: (level, text) => this.notices.push(`${level} ${text}`),
      trustsStops: true,
      ...(recovered && { recovered }),
    });
    this.exchange.lastPrice(0, price);
    this.exchange.lastPrice(1, price);
    this.exchange.begin();
  }

  /** Lets seconds pass, with the core taking everything at once. */
  async pass(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 4; step++) {
      this.now += 250;
      for (let event = this.exchange.next(this.now); event !== undefined; event = this.exchange.next(this.now)) {
        this.events.push(event);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get adoptions(): VenueEvent[] {
    return this.events.filter(({ kind }) => kind === "adoption");
  }

  /** Whether anything may be entered on the symbol, as told since the first time that something was said of it. */
  get standings(): string[] {
    return this.events.flatMap((event) => (event.kind === "standing" && event.symbol === 0 ? [event.entries] : []));
  }
}

function position(overrides: Partial<PositionReport> = {}): PositionReport {
  const price = { entryPrice: "1005.123456789", markPrice: "1000" };
  return {
    symbol: "AAAUSDT",
    positionSide: "BOTH",
    amount: "-0.250",
    isolated: true,
    updateTime: 1,
    ...price,
    ...overrides,
  };
}

describe("a position that is not ours", () => {
  test("is adopted with its exact cost once its symbol was barred, and told once", async () => {
    const desk = new Desk("adopt");
    desk.positions = [position()];
    await desk.pass(200);
    expect(desk.adoptions).toMatchObject([
      {
        symbol: 0,
        direction: -1,
        lots: 250,
        // 0.25 at 1005.123456789
        cost: 25_128_086_420,
        leverage: 5,
        mark: 10_000,
        stop: 10_200,
        disasterStop: 10_400,
      },
    ]);
    const kinds = desk.events.flatMap((event) =>
      (event.kind === "standing" && event.symbol === 0) || event.kind === "adoption" ? [event.kind] : [],
    );
    expect(kinds[0]).toBe("standing");
    expect(desk.standings).toEqual(["none", "all"]);
    expect(desk.exchange.held("AAAUSDT:BOTH")).toBe(-250);
  });

  test("has its stop measured from the mark that the exchange said with it, or else from the last price", async () => {
    const desk = new Desk("adopt");
    desk.positions = [position({ markPrice: "1030.04" }), position({ symbol: "BBBUSDT", markPrice: "0.00" })];
    desk.config.push({ ...desk.config[0]!, symbol: "BBBUSDT" });
    await desk.pass(200);
    expect(desk.adoptions).toMatchObject([
      { symbol: 0, mark: 10_300, stop: 10_506 },
      { symbol: 1, mark: 10_000, stop: 10_200 },
    ]);
  });

  test("that its owner has closed since it was looked at, while another was adopted, is not adopted", async () => {
    const desk = new Desk("adopt");
    desk.positions = [position(), position({ symbol: "BBBUSDT" })];
    desk.config.push({ ...desk.config[0]!, symbol: "BBBUSDT" });
    desk.meanwhile = () => {
      if (desk.positions.length === 1) return;
      desk.positions.pop();
      const o = { s: "BBBUSDT", c: "web_1", i: "77", S: "BUY", ps: "BOTH", o: "MARKET", ot: "MARKET", x: "TRADE" };
      const rest = { X: "FILLED", q: "0.250", p: "0", z: "0.250", l: "0.250", L: "1000", t: "9", m: false, R: false };
      desk.tell(userEvent({ e: "ORDER_TRADE_UPDATE", E: desk.now, T: desk.now, o: { ...o, ...rest } })!);
    };
    await desk.pass(200);
    expect(desk.adoptions).toMatchObject([{ symbol: 0 }]);
    expect(desk.exchange.held("BBBUSDT:BOTH")).toBe(0);
    expect(desk.notices.filter((text) => text.startsWith("alarm"))).toEqual([]);
  });

  const refusals: readonly [string, (desk: Desk) => void, string][] = [
    ["crossed margin", (desk) => Object.assign(desk, { positions: [position({ isolated: false })] }), "crossed"],
    ["a symbol that is set to crossed", (desk) => Object.assign(desk.config[0]!, { marginType: "CROSSED" }), "crossed"],
    ["a leverage nobody knows", (desk) => Object.assign(desk, { config: [] }), "leverage is not known"],
    ["a liquidation before its stop", (desk) => Object.assign(desk.config[0]!, { leverage: 45 }), "liquidated before"],
    ["no entry price", (desk) => Object.assign(desk, { positions: [position({ entryPrice: "0" })] }), "has cost"],
  ];
  test.each(refusals)("is refused for %s: said once, its symbol stays barred", async (_, change, reason) => {
    const desk = new Desk("adopt");
    desk.positions = [position()];
    change(desk);
    await desk.pass(200);
    expect(desk.adoptions).toEqual([]);
    expect(desk.notices.filter((text) => text.includes("not adopted"))).toHaveLength(1);
    expect(desk.notices.join()).toContain(reason);
    expect(desk.standings).toEqual(["none"]);
  });

  test("beside an order that is not ours, or without a price, is left alone", async () => {
    for (const policy of ["adopt", "ignore"] as const) {
      const desk = new Desk(policy, policy === "adopt" ? 10_000 : 0);
      desk.positions = [position()];
      const order = { symbol: "AAAUSDT", clientId: "web_1", orderId: "7", status: "NEW", executed: "0" };
      if (policy === "adopt") desk.openOrders = [order];
      await desk.pass(200);
      expect(desk.adoptions).toEqual([]);
      expect(new Set(desk.standings)).toEqual(new Set(["none"]));
    }
  });

  test("after a restart, what was liquidated before the adoption is none of it, what was after it is", async () => {
    for (const [time, lots] of [
      [850_000, [50]],
      [950_000, [6, 44]],
    ] as const) {
      const desk = new Desk("adopt", 10_000, {
        held: new Map([["AAAUSDT:BOTH", -250]]),
        trades: [],
        closings: [],
        orders: [],
        adopted: new Map([["AAAUSDT:BOTH", 900_000]]),
        prices: [10_000],
        since: 880_000,
        funding: new Map(),
        barred: [],
      });
      desk.positions = [position({ amount: "-0.200" })];
      const money = { commission: "0", commissionAsset: "USDT", realised: "0" };
      const trade = {
        tradeId: "1",
        orderId: "2",
        side: "BUY",
        positionSide: "BOTH",
        price: "1010",
        maker: false,
      } as const;
      desk.trades = [{ symbol: "AAAUSDT", quantity: "0.006", time, ...trade, ...money }];
      await desk.pass(30);
      const gone = desk.events.flatMap((event) => (event.kind === "liquidation" ? [event.lots] : []));
      expect(gone).toEqual([...lots]);
      expect(desk.exchange.held("AAAUSDT:BOTH")).toBe(-200);
    }
  });

  test("and lay with ours when an order of ours closed both: of ours nothing is left, and nothing is owed", async () => {
    for (const held of [100, -100]) {
      const desk = new Desk("ignore", 10_000, {
        held: new Map([["AAAUSDT:BOTH", held]]),
        trades: [],
        closings: [],
        orders: [],
        adopted: new Map(),
        prices: [10_000, 10_000],
        since: 880_000,
        funding: new Map(),
        barred: [],
      });
      desk.isSilent = true;
      const side = held > 0 ? -1 : 1;
      const terms = {
        symbol: 0,
        leg: "both",
        type: "market",
        purpose: "exit",
        lots: 150,
        price: 0,
        trigger: 0,
      } as const;
      const rest = { timeInForce: "ioc", reduceOnly: true, closePosition: false, leverage: 0 } as const;
      desk.exchange.send({ kind: "submit", order: { id: 7, side, ...terms, ...rest } }, desk.now);
      const c = (desk.placed[0] as { clientId: string }).clientId;
      const o = { s: "AAAUSDT", c, i: "77", S: side > 0 ? "BUY" : "SELL", ps: "BOTH", o: "MARKET", ot: "MARKET" };
      const done = { x: "TRADE", X: "FILLED", q: "0.150", p: "0", z: "0.150", l: "0.150", L: "1000", t: "9" };
      const event = { e: "ORDER_TRADE_UPDATE", E: desk.now, T: desk.now, o: { ...o, ...done, m: false, R: true } };
      const trade = { symbol: "AAAUSDT", tradeId: "9", orderId: "77", positionSide: "BOTH", price: "1000" } as const;
      const money = { quantity: "0.150", commission: "0", commissionAsset: "USDT", realised: "0", maker: false };
      desk.trades = [{ ...trade, side: side > 0 ? "BUY" : "SELL", time: desk.now, ...money }];
      desk.tell(userEvent(event)!);
      await desk.pass(30);
      expect(desk.events.flatMap((one) => (one.kind === "fill" ? [one.lots] : []))).toEqual([150]);
      expect(desk.exchange.held("AAAUSDT:BOTH")).toBe(0);
      expect(desk.events.filter(({ kind }) => kind === "liquidation")).toEqual([]);
      expect(desk.notices).toEqual([]);
    }
  });

  test("is closed where the setting says so; while that is refused it is tried again at each comparison only", async () => {
    const desk = new Desk("flatten");
    desk.positions = [position()];
    await desk.pass(190);
    expect(desk.placed.length).toBeGreaterThanOrEqual(2);
    expect(desk.placed.length).toBeLessThanOrEqual(4);
    expect(desk.placed[0]).toMatchObject({ side: "BUY", type: "MARKET", quantity: "0.250", reduceOnly: true });
    expect(new Set(desk.placed.map((order) => (order as { clientId: string }).clientId)).size).toBe(desk.placed.length);
    expect(desk.standings).toEqual(["none"]);
  });
});

import { expect, test } from "bun:test";
import type { OrderRequest } from "../../../src/core/effects.ts";
import { BinanceExchange } from "../../../src/exchange/binance/exchange.ts";
import type { Gateway, PositionReport, UserEvent } from "../../../src/exchange/binance/gateway.ts";
import { userEvent } from "../../../src/exchange/binance/user-events.ts";
import { instrument } from "../../core/core-fixture.ts";

/** An exchange client on an account that somebody else works on too; each entry is refused for want of money. */
class Account {
  now = 1_000_000;
  readonly calls: string[] = [];
  positions: PositionReport[] = [];
  /** What happens while the leverage is being set. */
  meanwhile: () => void = () => {};
  tell: (event: UserEvent) => void = () => {};
  readonly exchange: BinanceExchange;
  #orders = 0;

  constructor() {
    const done = (value: unknown) => Promise.resolve({ kind: "done", value });
    const answers: Record<string, unknown> = {
      listen: (listener: (event: UserEvent) => void) => {
        this.tell = listener;
      },
      onBreaker: () => {},
      setMarginType: () => done(null),
      setLeverage: (_: string, leverage: number) => {
        this.calls.push(`leverage ${leverage}`);
        this.meanwhile();
        this.meanwhile = () => {};
        return done(null);
      },
      placeOrder: () => {
        this.calls.push("order");
        return Promise.resolve({ kind: "refused", code: -2019, message: "no", consequence: "margin" });
      },
      positions: () => done(this.positions),
      symbolConfig: () => done([{ symbol: "AAAUSDT", marginType: "ISOLATED", leverage: 20 }]),
      openOrders: () => done([]),
      openAlgoOrders: () => done([]),
      userTrades: () => done([]),
      balances: () => done([{ asset: "USDT", wallet: "100", available: "100" }]),
    };
    this.exchange = new BinanceExchange({
      gateway: new Proxy({} as Gateway, { get: (_, name) => answers[String(name)] }),
      instruments: [instrument("AAAUSDT")],
      hedge: false,
      epoch: 1,
      clock: () => this.now,
      foreign: "ignore",
      adoptedStop: 0.02,
      wallet: () => 10_000_000_000n,
      notice: () => {},
      trustsStops: true,
    });
  }

  /** Everything that is under way comes to its end. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** What an entry asks of the exchange. */
  async entry(): Promise<string[]> {
    this.calls.length = 0;
    const terms = { symbol: 0, leg: "both", side: 1, type: "market", purpose: "entry", lots: 100, price: 0 } as const;
    const rest = { trigger: 0, timeInForce: "ioc", reduceOnly: false, closePosition: false, leverage: 3 } as const;
    const order: OrderRequest = { id: ++this.#orders, ...terms, ...rest };
    this.exchange.send({ kind: "submit", order }, this.now);
    await this.settle();
    return [...this.calls];
  }

  /** Somebody sets the leverage, as the account stream says it. */
  set(leverage: number): void {
    const wire = { e: "ACCOUNT_CONFIG_UPDATE", E: this.now, T: this.now, ac: { s: "AAAUSDT", l: leverage } };
    this.tell(userEvent(wire)!);
  }
}

test("the leverage is set once, and again after somebody else has set another or may have", async () => {
  const account = new Account();
  const { exchange } = account;
  expect(await account.entry()).toEqual(["leverage 3", "order"]);
  // What the exchange says of our own request.
  account.set(3);
  expect(await account.entry()).toEqual(["order"]);
  account.set(20);
  expect(await account.entry()).toEqual(["leverage 3", "order"]);
  account.tell({ kind: "stream", time: account.now, up: false });
  account.tell({ kind: "stream", time: account.now, up: true });
  expect(await account.entry()).toEqual(["leverage 3", "order"]);
  expect(userEvent({ e: "ACCOUNT_CONFIG_UPDATE", E: 1, T: 1, ai: { j: true } })).toBeUndefined();

  account.positions = [
    {
      symbol: "AAAUSDT",
      positionSide: "BOTH",
      amount: "0.100",
      entryPrice: "1000",
      markPrice: "1000",
      isolated: true,
      updateTime: 1,
    },
  ];
  exchange.begin();
  for (let step = 0; step < 40 && !exchange.barred.get(0)?.has("foreign"); step++) {
    account.now += 250;
    while (exchange.next(account.now) !== undefined);
    await account.settle();
  }
  expect(exchange.barred.get(0)?.has("foreign")).toBe(true);
  expect(await account.entry()).toEqual(["leverage 3", "order"]);
});

test("an entry whose leverage somebody changes while it is set does not leave with theirs", async () => {
  const account = new Account();
  account.meanwhile = () => account.set(20);
  expect(await account.entry()).toEqual(["leverage 3", "leverage 3", "order"]);
});

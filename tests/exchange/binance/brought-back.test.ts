import { expect, test } from "bun:test";
import type { Effect } from "../../../src/core/effects.ts";
import { createState } from "../../../src/core/state.ts";
import { clientIdText } from "../../../src/exchange/binance/client-id.ts";
import { BinanceExchange } from "../../../src/exchange/binance/exchange.ts";
import type { Gateway } from "../../../src/exchange/binance/gateway.ts";
import { Recovery } from "../../../src/exchange/binance/recovered.ts";
import { config, instrument } from "../../core/core-fixture.ts";
import { order } from "../bars.ts";

const INSTRUMENTS = [instrument("AAAUSDT")];

test("a book that was brought back hears that this process is connected, and how the breaker is", () => {
  const never = () => new Promise<never>(() => {});
  const gateway = {
    ...{ listen() {}, onBreaker() {}, breakerLevel: "warning" },
    ...{ positions: never, openOrders: never, openAlgoOrders: never },
  } as unknown as Gateway;
  const recovery = new Recovery(INSTRUMENTS, false);
  recovery.event({ kind: "connection", time: 1, symbol: -1, up: false });
  const exchange = new BinanceExchange({
    ...{ gateway, instruments: INSTRUMENTS, hedge: false, epoch: 2, clock: () => 5, foreign: "ignore" },
    ...{ adoptedStop: 0.02, wallet: () => 0n, notice: () => {}, trustsStops: true },
    recovered: recovery.finish(createState(config())),
  });
  exchange.begin();
  const events = Array.from({ length: 20 }, () => exchange.next(5)).filter((event) => event !== undefined);
  expect(events).toContainEqual({ kind: "connection", time: 5, symbol: -1, up: true });
  expect(events).toContainEqual({ kind: "breaker", time: 5, symbol: -1, level: "warning" });
});

test("an order has the client id of the lease that the core had heard of when it asked for it, whenever it leaves", () => {
  const recovery = new Recovery(INSTRUMENTS, false);
  const hold = { kind: "hold", time: 1, symbol: -1, hold: "lease" } as const;
  const submit = (id: number): Effect => ({ kind: "submit", order: order(id, { symbol: 0, lots: 1 }) });
  recovery.event({ ...hold, on: false, epoch: 5 });
  recovery.effect(submit(1), 9);
  recovery.event({ ...hold, on: true, epoch: 0 });
  recovery.effect(submit(2), 9);
  // It has waited, and leaves now.
  recovery.event({ ...hold, on: false, epoch: 6 });
  const ids = [1, 2, 3].map((id) => recovery.clientId(id));
  const named = (number: number, lease: number) => clientIdText({ epoch: 9, lease, number, auxiliary: false });
  expect(ids).toEqual([named(1, 5), named(2, 0), undefined]);
});

test("a stop that took somebody else's lots along leaves nothing held, and no leg of the other direction", () => {
  const recovery = new Recovery(INSTRUMENTS, false);
  const done = (id: number, lots: number) =>
    recovery.event({
      kind: "fill",
      time: id,
      symbol: 0,
      order: id,
      trade: String(id),
      lots,
      price: 1,
      fee: 0,
      maker: false,
      done: true,
    });
  recovery.effect({ kind: "submit", order: order(1, { symbol: 0, lots: 3, purpose: "entry" }) }, 9);
  done(1, 3);
  const stop = order(2, { symbol: 0, lots: 0, side: -1, closePosition: true, purpose: "disaster-stop" });
  recovery.effect({ kind: "submit", order: stop }, 9);
  done(2, 5);
  expect(recovery.finish(createState(config())).held.size).toBe(0);
});

import { expect, test } from "bun:test";
import { BinanceExchange } from "../../../src/exchange/binance/exchange.ts";
import type { Gateway } from "../../../src/exchange/binance/gateway.ts";
import type { VenueEvent } from "../../../src/exchange/exchange.ts";
import { instrument, START } from "../../core/core-fixture.ts";

test("an event knows when its message arrived; one that comes from no message of the market knows nothing", () => {
  const onBreaker: ((level: "warning") => void)[] = [];
  const gateway = { listen() {}, onBreaker: (hear) => onBreaker.push(hear) } as Pick<Gateway, "listen" | "onBreaker">;
  const exchange = new BinanceExchange({
    gateway: gateway as Gateway,
    instruments: [instrument("AAAUSDT")],
    hedge: false,
    epoch: 1,
    clock: () => START,
    foreign: "ignore",
    adoptedStop: 0.02,
    wallet: () => 0n,
    notice: () => {},
    trustsStops: true,
  });
  while (exchange.next(START) !== undefined);
  expect(exchange.arrived).toBeNaN();
  const bar = (close: number): VenueEvent => ({
    kind: "bar",
    time: START,
    symbol: 0,
    ...{ open: close, high: close, low: close, close, volume: 1, flat: false },
  });
  exchange.market(bar(1), 17.25);
  onBreaker[0]!("warning");
  exchange.market(bar(2), 18.5);
  exchange.market(bar(3));
  const seen: [string, number][] = [];
  for (let event = exchange.next(START); event !== undefined; event = exchange.next(START)) {
    seen.push([event.kind, exchange.arrived]);
  }
  expect(seen).toEqual([
    ["bar", 17.25],
    ["breaker", Number.NaN],
    ["bar", 18.5],
    ["bar", Number.NaN],
  ]);
});

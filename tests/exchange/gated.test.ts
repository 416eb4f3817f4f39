import { expect, test } from "bun:test";
import { GatedExchange } from "../../src/exchange/gated.ts";
import { createSimulatedExchange } from "../../src/exchange/simulated/exchange.ts";
import { barsOf, MINUTE, order, PLAIN, type Row } from "./bars.ts";

const ROWS: readonly Row[] = Array.from({ length: 4 }, () => [100, 110, 90, 100, 1000] as unknown as Row);
const ORDER = order(7, { symbol: 0, lots: 1 });

function gated(reason: () => string | undefined) {
  const inner = createSimulatedExchange(barsOf([ROWS]), PLAIN);
  const sent: string[] = [];
  const watched = {
    ...{ venue: inner.venue, instruments: inner.instruments },
    next: (until: number) => inner.next(until),
    get ended() {
      return inner.ended;
    },
    send(request: Parameters<typeof inner.send>[0], now: number) {
      sent.push(request.kind);
      inner.send(request, now);
    },
  };
  return { exchange: new GatedExchange(watched, reason), sent };
}

test("an open gate changes nothing", () => {
  const { exchange, sent } = gated(() => undefined);
  const plain = createSimulatedExchange(barsOf([ROWS]), PLAIN);
  for (;;) {
    const event = exchange.next(Number.POSITIVE_INFINITY);
    expect(event).toEqual(plain.next(Number.POSITIVE_INFINITY) as never);
    if (event === undefined) break;
    if (event.kind !== "bar" || event.time > ROWS.length * MINUTE) continue;
    exchange.send({ kind: "submit", order: ORDER }, event.time);
    plain.send({ kind: "submit", order: ORDER }, event.time);
  }
  expect(sent.length).toBeGreaterThan(0);
  expect(exchange.ended).toBe(plain.ended);
});

test("behind a closed one nothing arrives, and each request is answered at its time", () => {
  let reason: string | undefined = "because";
  const { exchange, sent } = gated(() => reason);
  const first = exchange.next(Number.POSITIVE_INFINITY)!;
  exchange.send({ kind: "submit", order: ORDER }, first.time);
  exchange.send({ kind: "cancel", order: 5, symbol: 0 }, first.time);
  exchange.send({ kind: "amend", order: 6, symbol: 0, lots: 1, price: 1 }, first.time);
  expect(sent).toEqual([]);
  expect(exchange.ended).toBe(false);
  const answer = { kind: "answer", time: first.time, symbol: 0, code: 0, reason: "not sent: because" };
  expect(exchange.next(first.time - 1)).toBeUndefined();
  expect(exchange.next(first.time)).toEqual({ ...answer, order: 7, answer: "rejected" } as never);
  expect(exchange.next(first.time)).toEqual({ ...answer, order: 5, answer: "cancel-rejected" } as never);
  expect(exchange.next(first.time)).toEqual({ ...answer, order: 6, answer: "amend-rejected" } as never);
  reason = undefined;
  exchange.send({ kind: "submit", order: ORDER }, first.time);
  expect(sent).toEqual(["submit"]);
});

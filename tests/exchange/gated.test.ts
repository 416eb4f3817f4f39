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
      sent.push(`${request.kind} ${request.kind === "submit" ? request.order.id : request.order}`);
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

test("behind a closed one nothing arrives, and what could open is answered as refused at its time", () => {
  let reason: string | undefined = "because";
  const { exchange, sent } = gated(() => reason);
  const first = exchange.next(Number.POSITIVE_INFINITY)!;
  exchange.send({ kind: "submit", order: ORDER }, first.time);
  exchange.send({ kind: "amend", order: 6, symbol: 0, lots: 1, price: 1 }, first.time);
  expect(sent).toEqual([]);
  expect(exchange.ended).toBe(false);
  const answer = { kind: "answer", time: first.time, symbol: 0, code: 0, reason: "not sent: because" };
  expect(exchange.next(first.time - 1)).toBeUndefined();
  expect(exchange.next(first.time)).toEqual({ ...answer, order: 7, answer: "rejected" } as never);
  expect(exchange.next(first.time)).toEqual({ ...answer, order: 6, answer: "amend-rejected" } as never);
  reason = undefined;
  exchange.send({ kind: "submit", order: ORDER }, first.time);
  expect(sent).toEqual(["submit 7"]);
});

test("what cannot open waits, keeps its order, and leaves with the next look or request", () => {
  let reason: string | undefined = "because";
  const { exchange, sent } = gated(() => reason);
  const { time } = exchange.next(Number.POSITIVE_INFINITY)!;
  // In hedge mode nothing is reduce-only: what an order is for says whether it could open.
  const stop = order(8, { symbol: 0, lots: 1, leg: "long", purpose: "working-stop" });
  const disaster = order(9, { symbol: 0, lots: 0, closePosition: true, purpose: "disaster-stop" });
  exchange.send({ kind: "submit", order: stop }, time);
  exchange.send({ kind: "cancel", order: 5, symbol: 0 }, time);
  exchange.send({ kind: "submit", order: disaster }, time);
  // Nobody is told anything: to the core they are under way.
  expect(exchange.next(time)).toBeUndefined();
  expect(sent).toEqual([]);
  expect(exchange.waiting).toBe(3);
  reason = undefined;
  exchange.send({ kind: "cancel", order: 8, symbol: 0 }, time);
  expect(sent).toEqual(["submit 8", "cancel 5", "submit 9", "cancel 8"]);

  reason = "because";
  exchange.send({ kind: "cancel", order: 9, symbol: 0 }, time);
  reason = undefined;
  exchange.next(time);
  expect(sent.at(-1)).toBe("cancel 9");
  expect(exchange.waiting).toBe(0);
});

test("a gate that closes while they leave keeps the rest", () => {
  let left = 0;
  const { exchange, sent } = gated(() => (left-- > 0 ? undefined : "because"));
  const { time } = exchange.next(Number.POSITIVE_INFINITY)!;
  for (const id of [5, 6, 7]) exchange.send({ kind: "cancel", order: id, symbol: 0 }, time);
  left = 2;
  exchange.next(time);
  expect(sent).toEqual(["cancel 5", "cancel 6"]);
  expect(exchange.waiting).toBe(1);
});

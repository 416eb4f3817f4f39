import { expect, test } from "bun:test";
import type { Effect } from "../../src/core/effects.ts";
import type { Exchange, VenueEvent } from "../../src/exchange/exchange.ts";
import type { JournalWriter } from "../../src/journal/writer.ts";
import { RunTelemetry } from "../../src/service/run-telemetry.ts";
import { Trader } from "../../src/service/trader.ts";
import { Counters } from "../../src/telemetry/counters.ts";
import { Bench, LEFT_ALONE, MINUTE } from "../core/core-fixture.ts";

test("what is asked of the exchange is journaled, then it leaves, and only then anybody else hears of the step", () => {
  const bench = new Bench({ life: { ...LEFT_ALONE, trailFrom: 1 } });
  bench.protectedPosition();
  const { state } = bench;
  // The close moves the stop: a record, and an order. The first bar also opens the candidate's virtual position.
  const bar: VenueEvent = {
    kind: "bar",
    time: bench.now + MINUTE,
    symbol: 0,
    ...{ open: 10_150, high: 10_150, low: 10_150, close: 10_150, volume: 1, flat: false },
  };
  const queue = [bar];
  const heard: string[] = [];
  const exchange: Exchange = {
    venue: "simulated",
    instruments: state.config.instruments,
    ended: false,
    next: () => queue.shift(),
    send: (request) => heard.push(`sent: ${request.kind}`),
  };
  const journal = {
    event: (event) => heard.push(`journaled: ${event.kind}`),
    effectsOfStep: (effects, from, to) => heard.push(`journaled: ${effects.slice(from, to).map(kindOf).join(", ")}`),
  } as Pick<JournalWriter, "event" | "effectsOfStep"> as JournalWriter;
  const trader = new Trader({
    state,
    exchange,
    journal,
    onRecord: (record) => heard.push(`record: ${record.kind}`),
    onNotice: () => {},
    onDecided: (event) => heard.push(`decided on: ${event.kind}`),
    watchers: [{ stepped: (_, effects) => heard.push(`watched: ${effects.map(kindOf).join(", ")}`) }],
  });
  expect(trader.take(bar.time)).toBe(bar);
  expect(heard).toEqual([
    "journaled: bar",
    "journaled: record, set-timer, record, submit",
    "sent: submit",
    "decided on: bar",
    "journaled: set-timer",
    "record: virtual-opened",
    "record: stop-moved",
    "watched: record, set-timer, record, submit, set-timer",
  ]);
  expect(trader.nextTimer).toBeGreaterThan(bar.time);
});

test("the time from message to decision is counted where it is known", () => {
  const counters = new Counters();
  const telemetry = new RunTelemetry(counters, new Bench().state);
  telemetry.decided(0.000_02);
  // A bar that came by no message.
  telemetry.decided(Number.NaN);
  const [series] = counters.read("penstock_message_to_decision_seconds");
  const { values } = series!;
  expect(values.at(-1)).toBeCloseTo(0.000_02, 12);
  expect(values.slice(0, -1).reduce((sum, count) => sum + count, 0)).toBe(1);
});

function kindOf({ kind }: Effect): string {
  return kind;
}

import { expect, test } from "bun:test";
import { ApiBreaker } from "../../../src/exchange/binance/api-breaker.ts";
import { Gate, type Leave } from "../../../src/exchange/binance/gate.ts";
import type { Urgency } from "../../../src/exchange/binance/gateway.ts";
import { RateBudget } from "../../../src/exchange/binance/rate-budget.ts";

const START = 1_760_000_000_000;

/** A gate in a time of its own. */
function setUp(weightPerMinute = 100) {
  let now = START;
  let timers: { at: number; then: () => void }[] = [];
  const budget = new RateBudget({ weightPerMinute, ordersPerTenSeconds: 240, ordersPerMinute: 960 });
  const breaker = new ApiBreaker({ enabled: true, warning: 2, throttled: 4, blocked: 5, delay: 2000 }, () => {});
  const gate = new Gate(budget, breaker, {
    now: () => now,
    after: (ms, then) => {
      const timer = { at: now + ms, then };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
  });
  const granted: string[] = [];
  return {
    budget,
    breaker,
    gate,
    granted,
    ask(name: string, weight: number, urgency: Urgency): Leave | Promise<Leave> {
      const leave = gate.pass({ weight, orders: 0 }, urgency);
      const note = (one: Leave) => granted.push(`${name} ${one.kind === "go" ? now - START : one.kind}`);
      if (leave instanceof Promise) void leave.then(note);
      else note(leave);
      return leave;
    },
    /** Lets time pass, timer by timer. */
    async pass(ms: number): Promise<void> {
      const end = now + ms;
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        now = next.at;
        timers = timers.filter((one) => one !== next);
        next.then();
        await Promise.resolve();
      }
      now = end;
      await Promise.resolve();
    },
    timers: () => timers.length,
  };
}

test("what may go goes at once, without a promise in between", () => {
  const { gate } = setUp();
  expect(gate.pass({ weight: 1, orders: 0 }, "routine")).toEqual({ kind: "go" });
});

test("who waits goes by urgency and then by arrival; what would take too long is withheld with its time", async () => {
  const world = setUp(100);
  world.ask("a", 60, "routine");
  await world.pass(50_000);
  world.ask("b", 40, "protect");
  world.ask("c", 10, "routine");
  world.ask("d", 10, "routine");
  world.ask("e", 10, "protect");
  const entry = world.ask("f", 30, "trade");
  await world.pass(15_000);
  // The last one would have to wait for a minute more.
  expect(world.granted).toEqual(["a 0", "b 50000", "f withheld", "e 61001", "c 61001", "d withheld"]);
  expect(await entry).toMatchObject({ kind: "withheld", retryAt: START + 61_000 });
  expect(world.timers()).toBe(0);
});

test("throttled: requests are delayed by two seconds, those that protect are not", async () => {
  const world = setUp();
  for (let i = 0; i < 4; i++) world.breaker.failed(START);
  world.ask("entry", 1, "trade");
  world.ask("exit", 1, "protect");
  expect(world.granted).toEqual(["exit 0"]);
  await world.pass(3_000);
  expect(world.granted).toEqual(["exit 0", "entry 2001"]);
});

test("blocked: entries are withheld until a probe may go, exits pass", async () => {
  const world = setUp();
  for (let i = 0; i < 5; i++) world.breaker.failed(START);
  expect(world.ask("entry", 1, "trade")).toMatchObject({ kind: "withheld", retryAt: START + 15_000 });
  expect(world.ask("exit", 1, "protect")).toEqual({ kind: "go" });
  await world.pass(15_000);
  expect(world.ask("probe", 1, "trade")).toEqual({ kind: "go" });
  expect(world.ask("next", 1, "trade")).toMatchObject({ kind: "withheld" });
  world.breaker.succeeded();
  expect(world.ask("again", 1, "trade")).toEqual({ kind: "go" });
});

test("a ban withholds everything, exits too, with the time of its end", () => {
  const world = setUp();
  world.budget.stop({ status: 418, code: -1003, message: "", retryAfter: 300 }, START);
  expect(world.ask("exit", 1, "protect")).toMatchObject({ kind: "withheld", retryAt: START + 300_000 });
});

test("closing lets nobody wait", async () => {
  const world = setUp();
  world.ask("a", 60, "routine");
  await world.pass(50_000);
  const waiting = world.ask("b", 60, "protect");
  world.gate.close();
  expect(await waiting).toMatchObject({ kind: "withheld", reason: "the client is closed" });
  expect(world.timers()).toBe(0);
});

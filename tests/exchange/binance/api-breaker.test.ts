import { expect, test } from "bun:test";
import fc from "fast-check";
import { BREAKER_LEVELS, type BreakerLevel } from "../../../src/core/events.ts";
import { ApiBreaker } from "../../../src/exchange/binance/api-breaker.ts";

const OPTIONS = { enabled: true, warning: 2, throttled: 4, blocked: 5, delay: 2000 };

function breaker(options = OPTIONS) {
  const levels: BreakerLevel[] = [];
  return { levels, breaker: new ApiBreaker(options, (level) => levels.push(level)) };
}

test("failures in a row lead from warning over throttled to blocked, one success back", () => {
  const { breaker: one, levels } = breaker();
  const seen = [0, 1, 2, 3, 4].map((now) => {
    one.failed(now);
    return one.level;
  });
  expect(seen).toEqual(["closed", "warning", "warning", "throttled", "blocked"]);
  one.succeeded();
  expect(levels).toEqual(["warning", "throttled", "blocked", "closed"]);
});

test("throttled requests are delayed; blocked ones wait for a probe, of which there is one, and each failure doubles", () => {
  const { breaker: one } = breaker();
  for (let i = 0; i < 4; i++) one.failed(0);
  expect(one.ask(0)).toEqual({ kind: "delay", ms: 2000 });
  one.failed(0);
  expect(one.ask(0)).toEqual({ kind: "blocked", retryAt: 15_000 });
  expect(one.ask(15_000)).toEqual({ kind: "go" });
  one.began(15_000);
  // While the probe is away nobody else goes.
  expect(one.ask(15_001).kind).toBe("blocked");
  one.failed(16_000);
  expect(one.ask(16_000)).toEqual({ kind: "blocked", retryAt: 46_000 });
  one.began(46_000);
  one.succeeded();
  expect(one.ask(46_001)).toEqual({ kind: "go" });
  expect(one.level).toBe("closed");
});

test("a probe that nobody reports on is not waited for for ever, and blocks end within five minutes", () => {
  const { breaker: one } = breaker();
  for (let i = 0; i < 5; i++) one.failed(0);
  one.began(15_000);
  expect(one.ask(45_000)).toEqual({ kind: "go" });
  for (let i = 0; i < 20; i++) one.failed(0);
  expect(one.ask(0)).toEqual({ kind: "blocked", retryAt: 300_000 });
});

test("switched off, it lets everything go, also when it was blocked", () => {
  const { breaker: one, levels } = breaker();
  for (let i = 0; i < 9; i++) one.failed(0);
  one.configure({ ...OPTIONS, enabled: false });
  expect(one.ask(0)).toEqual({ kind: "go" });
  expect(levels.at(-1)).toBe("closed");
});

test("the level is a function of the failures since the last success, and changes are told once", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (results) => {
      const { breaker: one, levels } = breaker();
      let failures = 0;
      for (const [now, ok] of results.entries()) {
        if (ok) one.succeeded();
        else one.failed(now);
        failures = ok ? 0 : failures + 1;
        const at = failures >= 5 ? 3 : failures >= 4 ? 2 : failures >= 2 ? 1 : 0;
        expect(one.level).toBe(BREAKER_LEVELS[at]!);
      }
      for (let i = 1; i < levels.length; i++) expect(levels[i]).not.toBe(levels[i - 1]!);
    }),
  );
});

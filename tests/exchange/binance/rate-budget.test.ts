import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Bans } from "../../../src/exchange/binance/bans.ts";
import type { Urgency } from "../../../src/exchange/binance/gateway.ts";
import { RateBudget } from "../../../src/exchange/binance/rate-budget.ts";

const LIMITS = { weightPerMinute: 1920, ordersPerTenSeconds: 240, ordersPerMinute: 960 };
const START = 1_760_000_000_000;
const urgencies = fc.constantFrom<Urgency>("protect", "trade", "routine");

interface Asked {
  readonly gap: number;
  readonly weight: number;
  readonly orders: number;
  readonly urgency: Urgency;
  /** Weight that somebody else at the same address uses, as the exchange's header shows it. */
  readonly others: number;
  /** Whether the answer shows what is used. */
  readonly shows: boolean;
}

const asked = fc.record<Asked>({
  // Mostly faster than the limits allow, with pauses in between.
  gap: fc.constantFrom(0, 0, 0, 0, 0, 50, 500, 2_000),
  weight: fc.constantFrom(0, 1, 2, 5, 20, 40, 200),
  orders: fc.constantFrom(0, 0, 1, 5),
  urgency: urgencies,
  others: fc.constantFrom(0, 0, 0, 10, 300),
  shows: fc.boolean(),
});

/** The exchange's own counting: windows that begin at whole minutes (or ten seconds) of its clock. */
function windowOf(time: number, length: number, phase: number): number {
  return Math.floor((time + phase) / length);
}

describe("the limits hold", () => {
  /** Windows begin anywhere, and so early in some runs that hardly anything is shown before they end. */
  const holds = (requests: readonly Asked[], phase: number): void => {
    const budget = new RateBudget(LIMITS);
    const used = new Map<string, number>();
    const add = (name: string, length: number, time: number, amount: number): number => {
      const key = `${name} ${windowOf(time, length, phase)}`;
      used.set(key, (used.get(key) ?? 0) + amount);
      return used.get(key)!;
    };
    // What was shown in a window, with what we have added since, is what we can know of it.
    let known = { window: -1, used: 0 };
    let now = START;
    for (const { gap, weight, orders, urgency, others, shows } of requests) {
      now += gap;
      if (budget.leave({ weight, orders }, urgency, now) !== 0) continue;
      expect(add("own", 60_000, now, weight)).toBeLessThanOrEqual(LIMITS.weightPerMinute);
      expect(add("10s", 10_000, now, orders)).toBeLessThanOrEqual(LIMITS.ordersPerTenSeconds);
      expect(add("1m", 60_000, now, orders)).toBeLessThanOrEqual(LIMITS.ordersPerMinute);
      const window = windowOf(now, 60_000, phase);
      if (known.window === window && weight > 0) {
        known.used += weight;
        expect(known.used).toBeLessThanOrEqual(LIMITS.weightPerMinute);
      }
      add("all", 60_000, now, weight + others);
      if (!shows) continue;
      known = { window, used: add("all", 60_000, now, 0) };
      budget.observe({ weight: known.used }, now);
    }
  };

  const many = fc.array(asked, { minLength: 200, maxLength: 400 });
  const phases = fc.integer({ min: 0, max: 60_000 });

  test("in every window of the exchange, wherever its minutes begin, whatever is asked for and others use", () => {
    fc.assert(fc.property(many, phases, holds));
  });

  test("also without ever being shown anything", () => {
    const unseen = (requests: readonly Asked[], phase: number) =>
      holds(
        requests.map((request) => ({ ...request, urgency: "protect", shows: false })),
        phase,
      );
    fc.assert(fc.property(many, phases, unseen));
  });

  test("what is refused is granted at the time that was named, when nothing else was sent", () => {
    fc.assert(
      fc.property(fc.array(asked, { minLength: 100, maxLength: 300 }), (requests) => {
        const budget = new RateBudget(LIMITS);
        let now = START;
        for (const { gap, weight, orders, urgency } of requests) {
          now += gap;
          const free = budget.leave({ weight, orders }, urgency, now);
          if (free === 0) continue;
          expect(free).toBeGreaterThan(now);
          expect(free).toBeLessThanOrEqual(now + 62_000);
          now = free;
          expect(budget.leave({ weight, orders }, urgency, now)).toBe(0);
        }
      }),
    );
  });
});

test("a share is left for exits, and entries have more than routine", () => {
  const budget = new RateBudget(LIMITS);
  const fill = (urgency: Urgency) => {
    let count = 0;
    while (budget.leave({ weight: 1, orders: 0 }, urgency, START) === 0) count += 1;
    return count;
  };
  expect([fill("routine"), fill("trade"), fill("protect")]).toEqual([1152, 384, 384]);
});

describe("the exchange's answers are obeyed", () => {
  const weigh = { weight: 1, orders: 0 };

  test("429 and 418 close everything for exactly as long as they say", () => {
    for (const [status, retryAfter, message, until] of [
      [429, 7, "", START + 7000],
      [418, 120, "", START + 120_000],
      [418, undefined, "", START + 120_000],
      [429, undefined, "", START + 60_000],
      [418, 5, `Way too many requests; IP banned until ${START + 777_777}.`, START + 777_777],
      [403, undefined, "", START + 600_000],
    ] as const) {
      const budget = new RateBudget(LIMITS);
      budget.stop({ status, code: -1003, message, retryAfter }, START);
      expect(budget.closedUntil).toBe(until);
      expect(budget.leave(weigh, "protect", until - 1)).toBe(until);
      expect(budget.leave(weigh, "protect", until)).toBe(0);
    }
  });

  test("too many orders (-1015) close orders and nothing else", () => {
    const budget = new RateBudget(LIMITS);
    budget.stop({ status: 429, code: -1015, message: "", retryAfter: undefined }, START);
    expect(budget.leave({ weight: 0, orders: 1 }, "protect", START)).toBe(START + 10_000);
    expect(budget.leave(weigh, "routine", START)).toBe(0);
  });

  test("a shorter answer does not shorten a ban, and headers of -1 say nothing", () => {
    const budget = new RateBudget(LIMITS);
    budget.stop({ status: 418, code: -1003, message: "", retryAfter: 300 }, START);
    budget.stop({ status: 429, code: -1003, message: "", retryAfter: 1 }, START);
    expect(budget.closedUntil).toBe(START + 300_000);
    const other = new RateBudget(LIMITS);
    other.observe({ weight: -1, ordersMinute: -1 }, START);
    expect(other.usedWeight(START)).toBe(0);
  });
});

test("a ban is remembered by address; a damaged file knows of none", () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-bans-"));
  try {
    const path = join(folder, "data", "bans.json");
    expect(new Bans(path).until("https://a")).toBe(0);
    new Bans(path).remember("https://a", 5);
    new Bans(path).remember("https://b", 7);
    expect([new Bans(path).until("https://a"), new Bans(path).until("https://b")]).toEqual([5, 7]);
    writeFileSync(path, "{");
    expect(new Bans(path).until("https://a")).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

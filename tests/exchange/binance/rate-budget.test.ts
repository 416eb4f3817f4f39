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
}

const asked = fc.record<Asked>({
  gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20_000 })),
  weight: fc.constantFrom(0, 1, 2, 5, 20, 40, 200),
  orders: fc.constantFrom(0, 0, 1, 5),
  urgency: urgencies,
  others: fc.constantFrom(0, 0, 0, 10, 300),
});

/** The exchange's own counting: windows that begin at whole minutes (or ten seconds) of its clock. */
function windowOf(time: number, length: number, phase: number): number {
  return Math.floor((time + phase) / length);
}

describe("the limits hold", () => {
  test("in every window of the exchange, wherever its minutes begin, whatever is asked for", () => {
    fc.assert(
      fc.property(fc.array(asked, { maxLength: 400 }), fc.integer({ min: 0, max: 60_000 }), (requests, phase) => {
        const budget = new RateBudget(LIMITS);
        const used = new Map<string, number>();
        const add = (name: string, length: number, time: number, amount: number): number => {
          const key = `${name} ${windowOf(time, length, phase)}`;
          used.set(key, (used.get(key) ?? 0) + amount);
          return used.get(key)!;
        };
        let now = START;
        for (const { gap, weight, orders, urgency, others } of requests) {
          now += gap;
          if (budget.leave({ weight, orders }, urgency, now) === 0) {
            expect(add("own", 60_000, now, weight)).toBeLessThanOrEqual(LIMITS.weightPerMinute);
            expect(add("10s", 10_000, now, orders)).toBeLessThanOrEqual(LIMITS.ordersPerTenSeconds);
            expect(add("1m", 60_000, now, orders)).toBeLessThanOrEqual(LIMITS.ordersPerMinute);
            const before = add("all", 60_000, now, 0);
            // Somebody else may use up everything; we must not add to what the exchange has shown.
            if (before > LIMITS.weightPerMinute) expect(weight).toBe(0);
            budget.observe({ weight: add("all", 60_000, now, weight + others) }, now);
          }
        }
      }),
    );
  });

  test("what is refused is granted at the time that was named, when nothing else was sent", () => {
    fc.assert(
      fc.property(fc.array(asked, { minLength: 1, maxLength: 300 }), (requests) => {
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

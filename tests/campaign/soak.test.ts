import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { runSoak, scriptsOf } from "../../tools/campaign/soak.ts";
import { differences, type VenueState } from "../../tools/campaign/soak-books.ts";
import { figuresOf, rangeOf, type Sample, theilSen } from "../../tools/campaign/soak-figures.ts";

const HOUR = 3_600_000;

describe("a soak", () => {
  test("of some minutes: two processes under faults, looked at each minute, with equal books at the end", async () => {
    const options = { seed: 3, hours: 0.1, speed: 120, symbols: 6, signal: new AbortController().signal };
    const shown: string[] = [];
    const outcome = await runSoak(options, (text) => shown.push(text));
    const { account, figures } = outcome;
    expect(outcome.differences).toEqual([]);
    expect(account.violation).toBeUndefined();
    expect(account.unanswered).toBe(0);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.played).toBeGreaterThanOrEqual(0.1 * HOUR);
    expect(account.events).toBeGreaterThan(12);
    expect(figures.samples).toBeGreaterThanOrEqual(6);
    expect(figures.residentMb.median).toBeGreaterThan(30);
    expect(figures.handles.median).toBeGreaterThan(5);
    expect(figures.timers.least).toBeGreaterThan(3);
    expect(shown.at(-1)).toContain("timers");

    // The same book against a venue that says something else.
    const { instruments } = account.state.config;
    const venue: VenueState = { time: 0, wallet: "1.00000001", positions: [], openOrders: [], openAlgoOrders: [] };
    const { symbol } = instruments[0]!;
    const position = { symbol, positionSide: "BOTH", lots: -3, cost: "12.5" };
    const odd = { ...venue, positions: [position], openOrders: [{ clientOrderId: "x" }] };
    expect(differences(account, odd)).toContain(
      `position ${symbol} both: none, at the exchange -3 lots that cost 1250000000`,
    );
    expect(differences(account, odd)).toContain("order x: none, at the exchange open");
    expect(differences(account, odd).filter((text) => text.startsWith("wallet"))).toHaveLength(1);
    const stuck = { ...venue, openAlgoOrders: [{ clientAlgoId: "y", algoStatus: "TRIGGERING" }] };
    expect(differences(account, stuck).some((text) => text.includes("order y"))).toBe(false);
  });

  test("has faults of nearly every kind that a run can survive over the whole of its time", () => {
    const scripts = scriptsOf(7, 24, 60);
    const kinds = new Set(scripts.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
    expect(kinds.size).toBeGreaterThan(20);
    for (const kind of ["restricted", "refusal", "forbidden"] as const) expect(kinds.has(kind)).toBe(false);
    const [wall, market] = scripts;
    expect([wall!.clock, market!.clock]).toEqual(["exchange", "market"]);
    expect(Math.max(...wall!.faults.map(({ at }) => at!))).toBeGreaterThan((0.9 * 24 * HOUR) / 60);
    expect(Math.max(...market!.faults.map(({ at }) => at!))).toBeGreaterThan(0.9 * 24 * HOUR);
  });
});

describe("figures of a soak", () => {
  test("the slope is that of a line, whatever less than a quarter of its points do", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -50, max: 50 }),
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 20, maxLength: 40 }),
        (slope, noise) => {
          // Two points are both on the line in more than half of all pairs when more than 71 % of the points are.
          const points = noise.map((wild, x) => [x, x % 5 === 0 ? wild : slope * x + 3] as const);
          expect(theilSen(points)).toBeCloseTo(slope, 6);
        },
      ),
    );
    expect(() => theilSen([[1, 2]])).toThrow("two points");
  });

  test("are those of the second half, growth per simulated day", () => {
    const sample = (minute: number): Sample => ({
      ...{
        wall: minute * 1000,
        market: minute * 60_000,
        behind: 0,
        residentMb: minute < 50 ? 900 : 100 + minute / 144,
      },
      ...{
        exchangeMb: 50,
        serviceCpu: minute * 100,
        exchangeCpu: minute * 500,
        handles: 20,
        timeouts: 3,
        intervals: 4,
      },
      ...{ blocked: 1, positions: 2, openOrders: 6, unacknowledged: minute % 2, unprotected: 0 },
    });
    const figures = figuresOf(Array.from({ length: 101 }, (_, minute) => sample(minute)));
    expect(figures.residentMbPerDay).toBeCloseTo(10, 6);
    expect([figures.handlesPerDay, figures.timersPerDay, figures.timers.median]).toEqual([0, 0, 7]);
    expect([figures.serviceCores, figures.exchangeCores]).toEqual([0.1, 0.5]);
    expect(figures.unacknowledged).toEqual({ least: 0, median: 0, most: 1, last: 0 });
    expect(rangeOf([3, 1, 2, 9])).toEqual({ least: 1, median: 2.5, most: 9, last: 9 });
  });
});

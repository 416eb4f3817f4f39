import { describe, expect, test } from "bun:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { type LiveFacts, liveFrame } from "../../src/command-line/live-frame.ts";

const long = "a reason that goes on and on ".repeat(12);

function facts(count: number): LiveFacts {
  const each = <T>(make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
  return {
    title: "generated market, seed 1, at 600x",
    stamp: "SIMULATED",
    marketTime: "2026-01-05 02:11",
    trading: "normal",
    behind: count > 20 ? "12 min" : "",
    store: count > 20 ? "store away, 3 rows" : "",
    virtual: { live: count, closed: 2 * count, won: count, average: -0.125 },
    equity: 9992.76,
    startEquity: 10_000,
    unrealised: -7.24,
    margin: 0.2,
    trades: count,
    won: 0,
    curve: each((i) => ({ time: i, value: 10_000 + (i % 7) })),
    positions: each((i) => ({
      symbol: `POSITION${i}USDT`,
      side: "short",
      leverage: 3,
      entry: "0.8356",
      mark: "0.8374",
      stop: "0.8424",
      target: "0.8220",
      progress: i - 1,
      start: 1 / 3,
      unrealised: i - 2,
      age: "51 min",
    })),
    signals: each((i) => ({
      time: "01:45",
      symbol: `SIGNAL${i}USDT`,
      side: "long",
      setup: "order-block",
      confidence: 0.77,
      outcome: i % 2 === 0 ? "opened" : `refused by regime: ${long}`,
      reasons: long,
    })),
    closed: each((i) => ({ time: "01:41", symbol: `TRADE${i}USDT`, side: "long", reason: "stop", pnl: -42.54 })),
    refusals: each((i) => [`guard-${i}`, i + 1] as const),
    notices: each((i) => `warning: notice ${i} ${long}`),
  };
}

const plain = (lines: readonly string[]) => lines.map(stripVTControlCharacters);

describe("a frame of the live view", () => {
  test("fits into any terminal, whatever there is to show", () => {
    const sizes = fc.record({ width: fc.integer({ min: 1, max: 260 }), height: fc.integer({ min: 1, max: 90 }) });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 40 }), fc.boolean(), ({ width, height }, count, colour) => {
        const lines = liveFrame(facts(count), { width, height, colour });
        expect(lines.length).toBeLessThanOrEqual(height);
        for (const line of plain(lines)) expect(line.length).toBeLessThanOrEqual(width);
        if (!colour) expect(lines).toEqual(plain(lines));
      }),
    );
  });

  test.each([
    [80, 24],
    [100, 40],
    [200, 50],
  ])("at %d by %d every part is there", (width, height) => {
    const text = plain(liveFrame(facts(3), { width, height, colour: true })).join("\n");
    for (const part of ["SIMULATED", "9,992.76 USDT", "-0.07 %", "02:11 UTC", "POSITION0", "SIGNAL0", "TRADE0"]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("virtual positions 3 live, 6 closed, 3 won   average -0.13 R");
    for (const part of ["guard-0 1", "notice 0", "Ctrl-C ends the run"]) expect(text).toContain(part);
  });

  test("a loop or a store that does not keep up says so", () => {
    const clock = (count: number) => plain(liveFrame(facts(count), { width: 100, height: 40, colour: false }))[0];
    expect(clock(3)).not.toContain("behind");
    expect(clock(21)).toContain("02:11 UTC  12 min behind  store away, 3 rows  normal");
  });

  test("what is hidden is counted", () => {
    const text = plain(liveFrame(facts(30), { width: 80, height: 24, colour: false })).join("\n");
    expect(text).toMatch(/Positions 30 {2}\d+ more/);
    expect(text).toMatch(/Last signals {2}\d+ more/);
  });

  test("nothing yet is said so", () => {
    const text = plain(liveFrame(facts(0), { width: 80, height: 24, colour: false })).join("\n");
    expect(text.match(/none yet/g)).toHaveLength(4);
    expect(text).not.toContain("Notices");
    const later = { ...facts(0), trades: 3 };
    const lines = plain(liveFrame(later, { width: 80, height: 24, colour: false }));
    expect(lines.filter((line) => line.includes("Positions"))).toEqual(["  Positions  none now"]);
  });

  test("the gauge shows entry and price between stop and target, and keeps to its ends", () => {
    const gauges = plain(liveFrame(facts(4), { width: 100, height: 60, colour: false })).flatMap(
      (line) => /├.*┤/.exec(line)?.[0] ?? [],
    );
    expect(gauges).toEqual(["├●───┼─────────┤", "├●───┼─────────┤", "├────┼────────●┤", "├────┼────────●┤"]);
  });

  test("more room explains more", () => {
    const explained = (height: number) =>
      plain(liveFrame(facts(3), { width: 100, height, colour: false })).filter((line) => line.includes("goes on"))
        .length;
    expect(explained(60)).toBeGreaterThan(explained(30));
  });
});

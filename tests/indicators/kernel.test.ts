import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type Columns, computeIndicators, Indicators } from "../../src/indicators/indicators.ts";
import { type IndicatorRequest, lengthOf, outputRow, placeOf, planIndicators } from "../../src/indicators/plan.ts";
import { portable } from "../../src/indicators/portable.ts";
import { REAL } from "../../src/market/bar-source.ts";
import { BAR, LANES, Panel, STARTS } from "../../src/market/panel.ts";
import { assertNoRewrite, cuts } from "../prefix.ts";
import { testRecorded } from "../recorded.ts";
import { ALL_KINDS, emptyBars, ICT_SET, randomBars, readBars, sliceBars } from "./series.ts";
import { textbook } from "./textbook.ts";

const RUNS = { numRuns: 20 };
const seeds = fc.integer({ min: 1, max: 1e6 });

/** One row per bar with all outputs of all requests. */
function rowsOf(requests: readonly IndicatorRequest[], bars: Columns): number[][] {
  const columns = computeIndicators(requests, bars).flatMap((result) => Object.values(result) as Float64Array[]);
  return Array.from(bars.close, (_, i) => columns.map((column) => column[i]!));
}

function panelOf(symbols: number, length: number): Panel {
  return Panel.create({ symbols, origin: 0, timeframes: [{ name: "1m", ms: 60_000, capacity: length, spare: 1 }] });
}

function write(panel: Panel, index: number, symbol: number, bars: Columns, i: number, status = REAL): void {
  const { open, high, low, close, volume } = bars;
  panel.writeBar(0, index, symbol, open[i]!, high[i]!, low[i]!, close[i]!, volume[i]!, status);
}

function outputsOf(indicators: Indicators, symbol: number): number[] {
  return Array.from({ length: indicators.plan.outputRows }, (_, row) => indicators.value(row, symbol));
}

describe("against the textbook", () => {
  for (const request of [...ALL_KINDS, { kind: "adx", period: 2 }, { kind: "rsi", period: 2 }] as const) {
    test(JSON.stringify(request), () => {
      fc.assert(
        fc.property(seeds, fc.constantFrom(1e-3, 1, 60_000), (seed, price) => {
          const bars = randomBars(400, seed, price);
          const actual = computeIndicators([request], bars)[0]!;
          const expected = textbook(request, bars);
          expect(Object.keys(actual)).toEqual(Object.keys(expected));
          for (const [output, column] of Object.entries(expected)) {
            const ours = actual[output as keyof typeof actual]!;
            for (const [i, value] of column.entries()) {
              if (Number.isNaN(value)) expect(ours[i]).toBeNaN();
              // Relative to the price or, for what is not a price, to the 100 of a percentage.
              else expect(Math.abs(ours[i]! - value)).toBeLessThan(1e-11 * Math.max(price, 1));
            }
          }
        }),
        RUNS,
      );
    });
  }

  test("warm-up ends where TA-Lib's does", () => {
    const rows = rowsOf(ALL_KINDS, randomBars(80, 1));
    const plan = planIndicators(ALL_KINDS);
    const firsts = Array.from({ length: plan.outputRows }, (_, row) => rows.findIndex((r) => !Number.isNaN(r[row]!)));
    expect(firsts).toEqual([
      19, 49, 14, 14, 27, 14, 14, 19, 19, 19, 19, 8, 19, 6, 6, 6, 4, 1, 33, 33, 33, 4, 4, 4, 17, 17, 5, 5, 19, 19, 2,
      19, 19, 0, 19, 5,
    ]);
  });
});

describe("nothing looks ahead", () => {
  test("rows of a cut run equal the whole run's, bit for bit", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const bars = randomBars(200, seed);
        assertNoRewrite((n) => rowsOf(ALL_KINDS, sliceBars(bars, 0, n)), 200, cuts(200, 12));
      }),
      RUNS,
    );
  });

  const SYMBOLS = 24;
  testRecorded(`0 rewrites on ${SYMBOLS} symbols × every kind`, "market/m5-wide-2025-10", (folder) => {
    // Half of them through the crash of the 10th, the other half from their first bar on.
    const files = readdirSync(folder).sort().slice(0, SYMBOLS);
    expect(files).toHaveLength(SYMBOLS);
    for (const [i, file] of files.entries()) {
      const all = readBars(join(folder, file));
      const first = i % 2 === 0 ? 0 : Math.min(2_216, all.close.length - 900);
      const bars = sliceBars(all, first, first + 900);
      const total = bars.close.length;
      const whole = rowsOf(ALL_KINDS, bars);
      assertNoRewrite((n) => (n === total ? whole : rowsOf(ALL_KINDS, sliceBars(bars, 0, n))), total, cuts(total, 6));
      expect(whole[total - 1]!.some(Number.isNaN)).toBe(false);
    }
  });

  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  /** Indicators that look ahead, each in its own way, at bar i of the closes so far. */
  test.each<[string, (close: Float64Array, i: number) => number]>([
    ["a shift", (close, i) => close[i + 1] ?? Number.NaN],
    ["a centred window", (close, i) => mean(close.subarray(Math.max(0, i - 2), i + 3))],
    ["scaling by the full sample", (close, i) => close[i]! / mean(close)],
    ["an unfinished higher bar", (close, i) => close[Math.min(close.length, i - (i % 12) + 12) - 1]!],
  ])("%s, planted beside the true indicators, is caught", (_, planted) => {
    const bars = randomBars(200, 3);
    const run = (n: number) => {
      const close = bars.close.slice(0, n);
      return rowsOf(ALL_KINDS, sliceBars(bars, 0, n)).map((row, i) => [...row, planted(close, i)]);
    };
    expect(() => assertNoRewrite(run, 200, cuts(200, 12))).toThrow(/cell 36: .* rewritten as/);
  });
});

describe("lanes", () => {
  test("symbols do not influence each other, and the panel gives what one series alone gives", () => {
    const series = Array.from({ length: 11 }, (_, i) => randomBars(120, i + 1, 10 ** (i - 4)));
    const alone = series.map((bars) => rowsOf(ALL_KINDS, bars));
    const panel = panelOf(series.length, 120);
    const indicators = new Indicators(planIndicators(ALL_KINDS), portable, panel, 0);
    for (let i = 0; i < 120; i++) {
      for (const [symbol, bars] of series.entries()) write(panel, i, symbol, bars, i);
      panel.publish(0, i);
      indicators.advance(i);
      for (let symbol = 0; symbol < series.length; symbol++) {
        expect(outputsOf(indicators, symbol)).toEqual(alone[symbol]![i]!);
      }
    }
  });

  test("a late listing starts on its own; absent bars are NaN and leave the state alone; a relisting starts over", () => {
    fc.assert(
      fc.property(seeds, fc.nat(60), fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (seed, late, gaps) => {
        const bars = randomBars(60, seed);
        const expected = rowsOf(ALL_KINDS, bars);
        const total = late + 120 + 60;
        const panel = panelOf(9, total);
        const indicators = new Indicators(planIndicators(ALL_KINDS), portable, panel, 0);
        let next = 0;
        const relisting = total - 60;
        for (let index = 0; index < total; index++) {
          write(panel, index, 0, randomBars(1, index + 1), 0);
          if (index >= relisting)
            write(panel, index, 8, bars, index - relisting, REAL | (index === relisting ? STARTS : 0));
          const present = index >= late && next < 60 && (index >= late + 60 || !gaps[index - late]);
          if (present && index < relisting) write(panel, index, 8, bars, next);
          panel.publish(0, index);
          indicators.advance(index);
          const outputs = outputsOf(indicators, 8);
          if (index >= relisting) expect(outputs).toEqual(expected[index - relisting]!);
          else if (present) expect(outputs).toEqual(expected[next++]!);
          else expect(outputs.every(Number.isNaN)).toBe(true);
        }
      }),
      { numRuns: 10 },
    );
  });

  test("the state is all there is: a copy goes on as the original", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.array(fc.integer({ min: 0, max: 199 }), { minLength: 1, maxLength: 5 }),
        (seed, handovers) => {
          const bars = randomBars(200, seed);
          const expected = rowsOf(ALL_KINDS, bars);
          const panel = panelOf(1, 200);
          for (let i = 0; i < 200; i++) write(panel, i, 0, bars, i);
          panel.publish(0, 199);
          let indicators = new Indicators(planIndicators(ALL_KINDS), portable, panel, 0);
          for (let i = 0; i < 200; i++) {
            if (handovers.includes(i)) {
              const copy = new Indicators(planIndicators(ALL_KINDS), portable, panel, 0);
              copy.state.set(indicators.state);
              indicators = copy;
            }
            indicators.advance(i);
            expect(outputsOf(indicators, 0)).toEqual(expected[i]!);
          }
        },
      ),
      RUNS,
    );
  });

  test("a bar is advanced over once, in order, and only when published", () => {
    const panel = panelOf(1, 10);
    const indicators = new Indicators(planIndicators(ICT_SET), portable, panel, 0);
    expect(() => indicators.advance(0)).toThrow("1m bar 0 is not in the panel");
    panel.publish(0, 3);
    indicators.advance(0);
    expect(() => indicators.advance(0)).toThrow("cannot go on with bar 0");
    // Bars that no symbol has may be passed over.
    indicators.advance(2);
    expect(indicators.index).toBe(2);
  });
});

describe("hostile numbers", () => {
  /** Steps one lane through closes (all prices equal) beside a well-behaved lane, and returns both lanes' rows. */
  function beside(closes: readonly number[]): { hostile: number[][]; tame: number[][]; state: Float64Array } {
    const plan = planIndicators(ALL_KINDS);
    const tameBars = randomBars(closes.length, 5);
    const bar = new Float64Array(new ArrayBuffer(BAR * 8)).fill(Number.NaN);
    const state = new Float64Array(new ArrayBuffer(lengthOf(plan.stateRows, 1) * 8));
    const out = new Float64Array(new ArrayBuffer(lengthOf(plan.outputRows, 1) * 8));
    const hostile: number[][] = [];
    const tame: number[][] = [];
    for (const [i, close] of closes.entries()) {
      for (let field = 0; field < 5; field++) bar[field * LANES] = close;
      const { open, high, low, close: c, volume } = tameBars;
      for (const [field, column] of [open, high, low, c, volume].entries()) bar[field * LANES + 1] = column[i]!;
      portable.step(plan, bar, 0, BAR, 1, state, out);
      hostile.push(Array.from({ length: plan.outputRows }, (_, row) => out[placeOf(plan.outputRows, row, 0)]!));
      tame.push(Array.from({ length: plan.outputRows }, (_, row) => out[placeOf(plan.outputRows, row, 1)]!));
    }
    expect(tame).toEqual(rowsOf(ALL_KINDS, tameBars));
    return { hostile, tame, state };
  }

  test("NaN, Inf, -0 and huge or tiny prices stay in their lane, and give the same bits whenever computed", () => {
    const nasty = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -0, 0, 1e300, 1e-300, 5e-324, 100, 101);
    fc.assert(
      fc.property(fc.array(nasty, { minLength: 100, maxLength: 100 }), (closes) => {
        const { hostile } = beside(closes);
        assertNoRewrite((n) => beside(closes.slice(0, n)).hostile, 100, [30, 60, 99]);
        for (const [i, close] of closes.entries()) {
          if (Number.isNaN(close)) expect(hostile[i]!.every(Number.isNaN)).toBe(true);
        }
      }),
      RUNS,
    );
  });

  test("Inf is not smoothed away: what it has touched is NaN or Inf until the window has passed or the lane is reset", () => {
    const closes = Array.from({ length: 120 }, (_, i) => (i === 60 ? Number.POSITIVE_INFINITY : 100 + (i % 7)));
    const { hostile } = beside(closes);
    const plan = planIndicators(ALL_KINDS);
    const at = (request: number, output: Parameters<typeof outputRow>[2]) =>
      hostile[119]![outputRow(plan, request, output)]!;
    expect(Number.isFinite(at(0, "ema"))).toBe(false);
    expect(Number.isFinite(at(2, "rsi"))).toBe(false);
    expect(Number.isFinite(at(3, "atr"))).toBe(false);
    expect(Number.isFinite(at(4, "plusDi"))).toBe(false);
    expect(Number.isFinite(at(5, "middle"))).toBe(true);
  });

  test("-0 as a price gives what 0 gives", () => {
    expect(beside(Array.from({ length: 60 }, () => -0)).hostile.map((row) => row.map((x) => x + 0))).toEqual(
      beside(Array.from({ length: 60 }, () => 0)).hostile.map((row) => row.map((x) => x + 0)),
    );
  });

  test("a market that stands still for 12 000 bars leaves no denormals, and its bands close exactly", () => {
    const moving = [...randomBars(100, 9).close];
    const last = moving[99]!;
    const { hostile, state } = beside([...moving, ...Array.from({ length: 12_000 }, () => last)]);
    for (let i = 0; i < state.length; i += LANES) {
      const x = Math.abs(state[i]!);
      expect(x === 0 || x >= 1e-290).toBe(true);
    }
    const plan = planIndicators(ALL_KINDS);
    const end = hostile.at(-1)!;
    for (const output of ["upper", "middle", "lower"] as const) expect(end[outputRow(plan, 5, output)]).toBe(last);
    expect(end[outputRow(plan, 2, "rsi")]).toBe(0);
    expect(end[outputRow(plan, 3, "atr")]).toBe(0);
    expect(end[outputRow(plan, 4, "plusDi")]).toBe(0);
    // Where there is no direction the ADX keeps its last value.
    expect(end[outputRow(plan, 4, "adx")]).toBeGreaterThan(0);
  });

  test("a bar series of nothing but zeros: every 0/0 rule at once", () => {
    const rows = rowsOf(ICT_SET, emptyBars(80));
    expect(rows[79]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

test("equal window: the middle band is the simple average, bit for bit", () => {
  const rows = rowsOf(
    [
      { kind: "sma", period: 21 },
      { kind: "bollinger", period: 21, deviations: 2 },
    ],
    randomBars(300, 4),
  );
  for (const [sma, , middle] of rows) expect(middle).toBe(sma);
});

test("bands are numbers however long the window and however near the prices", () => {
  const bars = emptyBars(6000);
  for (let i = 0; i < 6000; i++) bars.close[i] = 100 + (i % 997 === 0 ? 2 ** -44 : i % 2 === 0 ? 2 ** -46 : 0);
  for (const period of [2, 3, 500, 5000]) {
    const { upper, lower } = computeIndicators([{ kind: "bollinger", period, deviations: 2 }], bars)[0]!;
    for (let i = period - 1; i < 6000; i++) expect(upper![i]! >= lower![i]!).toBe(true);
  }
});

describe("plans", () => {
  test("periods out of bounds are refused", () => {
    expect(() => planIndicators([{ kind: "ema", period: 1 }])).toThrow("period 1");
    expect(() => planIndicators([{ kind: "rsi", period: 14.5 }])).toThrow("period 14.5");
    expect(() => planIndicators([{ kind: "bollinger", period: 20, deviations: 0 }])).toThrow("0 standard deviations");
    expect(() => planIndicators([{ kind: "stochastic", period: 14, slowing: 0, smoothing: 3 }])).toThrow("slowing 0");
    expect(() => planIndicators([{ kind: "macd", fast: 26, slow: 12, signal: 9 }])).toThrow(
      "the fast period 26 is not below the slow one",
    );
  });

  test("output rows are found by name", () => {
    const plan = planIndicators(ICT_SET);
    expect(outputRow(plan, 0, "ema")).toBe(0);
    expect(outputRow(plan, 4, "minusDi")).toBe(6);
    expect(outputRow(plan, 6, "volumeRatio")).toBe(10);
    expect(() => outputRow(plan, 0, "adx")).toThrow("ema has the outputs ema, not adx");
  });
});

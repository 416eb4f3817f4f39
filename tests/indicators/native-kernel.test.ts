import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { computeIndicators } from "../../src/indicators/indicators.ts";
import type { Kernel } from "../../src/indicators/kernel.ts";
import { type IndicatorRequest, lengthOf, planIndicators } from "../../src/indicators/plan.ts";
import { portable } from "../../src/indicators/portable.ts";
import { BAR, LANES } from "../../src/market/panel.ts";
import { PORTABLE_ENGINE } from "../../src/models/trees/engine.ts";
import { addressOf, availableKernels, openKernels } from "../../src/native.ts";
import { compile, compiler, FLAGS, LIBRARY, OPTIMISATION, UNITS } from "../../tools/build-native.ts";
import { testRecorded } from "../recorded.ts";
import { ALL_KINDS, randomBars, randomOf, readBars } from "./series.ts";

const NATIVE = availableKernels().slice(1);
/** Where there is no compiler, or no x64, there is nothing to compare. */
const withNative = test.skipIf(NATIVE.length === 0);
const withCompiler = test.skipIf(NATIVE.length === 0 || compiler() === undefined);

const folder = mkdtempSync(join(tmpdir(), "penstock-kernels-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const doubles = (length: number) => new Float64Array(new SharedArrayBuffer(length * 8));

/** Bars of groups of eight lanes: `[group][bar][field][lane]`. */
interface Market {
  readonly groups: number;
  readonly length: number;
  readonly bars: Float64Array;
}

/**
 * Everything that a market, or a mistake before the kernel, can hold: late and ended listings, absent bars, flat and
 * halted stretches, zeros, -0, infinities, NaN in single fields, prices near both ends of what a double can be.
 */
function hostileMarket(seed: number, groups: number, length: number): Market {
  const random = randomOf(seed);
  const bars = doubles(groups * length * BAR).fill(Number.NaN);
  const nasty = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 5e-324, 1e308, -1, 1e-300];
  for (let lane = 0; lane < groups * LANES; lane++) {
    const kind = Math.floor(random() * 8);
    const price = kind === 0 ? 1e305 : kind === 1 ? 1e-305 : 10 ** (random() * 8 - 4);
    const from = random() < 0.5 ? 0 : Math.floor(random() * length);
    const to = random() < 0.7 ? length : Math.floor(random() * length);
    const series = randomBars(length, Math.floor(random() * 1e9), price);
    const halted = random() < 0.3 ? Math.floor(random() * length) : length;
    const spoilt = random() < 0.4 ? 0.03 : 0;
    const gaps = random() < 0.3 ? 0.2 : 0;
    for (let i = from; i < to; i++) {
      if (random() < gaps) continue;
      const at = ((lane >> 3) * length + i) * BAR + (lane & 7);
      const now = i < halted ? i : halted;
      const fields =
        i > halted
          ? [series.close[now]!, series.close[now]!, series.close[now]!, series.close[now]!, 0]
          : [series.open[i]!, series.high[i]!, series.low[i]!, series.close[i]!, series.volume[i]!];
      for (const [field, value] of fields.entries()) {
        bars[at + field * LANES] = random() < spoilt ? nasty[Math.floor(random() * nasty.length)]! : value;
      }
    }
  }
  return { groups, length, bars };
}

/** All lanes are there from the first bar on, but for one that is listed late and one that has a gap. */
function calmMarket(groups: number, length: number): Market {
  const bars = doubles(groups * length * BAR).fill(Number.NaN);
  for (let lane = 0; lane < groups * LANES; lane++) {
    const { open, high, low, close, volume } = randomBars(length, lane + 1);
    for (let i = 0; i < length; i++) {
      if ((lane === 33 && i < 40) || (lane === 34 && i === 70)) continue;
      const at = ((lane >> 3) * length + i) * BAR + (lane & 7);
      for (const [field, column] of [open, high, low, close, volume].entries()) bars[at + field * LANES] = column[i]!;
    }
  }
  return { groups, length, bars };
}

/** A random plan: every kind with periods that are and are not multiples of four, some of them shared. */
function randomPlan(seed: number): IndicatorRequest[] {
  const random = randomOf(seed);
  const period = () => 2 + Math.floor(random() * (random() < 0.8 ? 20 : 60));
  return [...ALL_KINDS, ...ALL_KINDS]
    .filter(() => random() < 0.5)
    .map((request): IndicatorRequest => {
      if (random() < 0.5) return request;
      switch (request.kind) {
        case "trueRange":
        case "obv":
          return request;
        case "bollinger":
          return { ...request, period: period(), deviations: random() * 4 + 0.1 };
        case "macd": {
          const fast = period();
          return { ...request, fast, slow: fast + period(), signal: 1 + Math.floor(random() * 9) };
        }
        case "stochastic":
          return {
            ...request,
            period: period(),
            slowing: 1 + Math.floor(random() * 9),
            smoothing: 1 + Math.floor(random() * 9),
          };
        default:
          return { ...request, period: period() };
      }
    });
}

/** All outputs of all bars, then the state; made by kernels that take turns over pieces of the market. */
function compute(requests: readonly IndicatorRequest[], market: Market, turns: readonly Kernel[], pieces: number[]) {
  const plan = planIndicators(requests);
  const { groups, length, bars } = market;
  const state = doubles(lengthOf(plan.stateRows, groups));
  const size = lengthOf(plan.outputRows, groups);
  const all = doubles(length * size);
  const one = doubles(size);
  let turn = 0;
  for (let i = 0; i < length; ) {
    const kernel = turns[turn % turns.length]!;
    const piece = pieces[turn % pieces.length]!;
    turn++;
    if (piece === 1) {
      kernel.step(plan, bars, i * BAR, length * BAR, groups, state, one);
      all.set(one, i * size);
      i++;
      continue;
    }
    const count = Math.min(piece, length - i);
    const out = doubles(count * size);
    kernel.run(plan, bars, i * BAR, length * BAR, groups, count, state, out, "all");
    all.set(out, i * size);
    i += count;
  }
  return { all, state, plan };
}

/** The first place where bits differ (all NaN count as one), or undefined. */
function difference(a: Float64Array, b: Float64Array): string | undefined {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) {
    if (!Object.is(a[i], b[i])) return `element ${i}: ${a[i]} and ${b[i]}`;
  }
  return undefined;
}

function assertEqual(
  requests: readonly IndicatorRequest[],
  market: Market,
  turns: readonly Kernel[],
  pieces: number[],
) {
  const expected = compute(requests, market, [portable], [1]);
  const actual = compute(requests, market, turns, pieces);
  const where = difference(actual.all, expected.all) ?? difference(actual.state, expected.state);
  if (where !== undefined) throw new Error(`${turns.map(({ name }) => name)}: ${where}`);
}

const pieces = fc.array(fc.constantFrom(1, 1, 2, 7, 50), { minLength: 1, maxLength: 6 });
const seeds = fc.integer({ min: 1, max: 2 ** 30 });

describe("every kernel gives the bits of the portable one", () => {
  for (const kernel of [portable, ...NATIVE]) {
    test(`${kernel.name}: hostile markets, random plans, any split`, () => {
      fc.assert(
        fc.property(seeds, seeds, pieces, (market, plan, split) => {
          assertEqual(randomPlan(plan), hostileMarket(market, 2, 120), [kernel], split);
        }),
        { numRuns: 25 },
      );
    });

    test(`${kernel.name}: everything at once, long enough for all warm-ups, and a halted market of 12 000 bars`, () => {
      assertEqual(ALL_KINDS, hostileMarket(7, 3, 700), [kernel], [50]);
      const halted = hostileMarket(8, 1, 12_000);
      for (let i = 200; i < 12_000; i++) halted.bars.copyWithin(i * BAR, 199 * BAR, 200 * BAR);
      assertEqual(ALL_KINDS, halted, [kernel], [1000]);
    });
  }

  withNative("groups enough to go side by side, whose lanes are all there from the first bar on", () => {
    for (const kernel of NATIVE) assertEqual(ALL_KINDS, calmMarket(6, 90), [kernel], [1, 7, 50]);
  });

  withNative("kernels that take turns on one state", () => {
    fc.assert(
      fc.property(seeds, pieces, (market, split) => {
        assertEqual(ALL_KINDS, hostileMarket(market, 2, 150), [portable, ...NATIVE], split);
      }),
      { numRuns: 15 },
    );
  });

  testRecorded("recorded bars", "market/m5-wide-2025-10", (path) => {
    for (const file of readdirSync(path)
      .sort()
      .filter((_, i) => i % 12 === 0)) {
      const bars = readBars(join(path, file));
      const expected = computeIndicators(ALL_KINDS, bars);
      for (const kernel of NATIVE) {
        for (const [i, columns] of computeIndicators(ALL_KINDS, bars, kernel).entries()) {
          for (const [output, column] of Object.entries(columns)) {
            expect(difference(column, expected[i]![output as keyof typeof columns]!)).toBeUndefined();
          }
        }
      }
    }
  });

  withNative("only the last row, when no more is asked for, is the same row", () => {
    const market = calmMarket(5, 90);
    const { all, state, plan } = compute(ALL_KINDS, market, [portable], [1]);
    for (const kernel of [portable, ...NATIVE]) {
      const own = doubles(state.length);
      const out = doubles(lengthOf(plan.outputRows, 5));
      kernel.run(plan, market.bars, 0, 90 * BAR, 5, 90, own, out, "last");
      expect(difference(own, state)).toBeUndefined();
      expect(difference(out, all.slice(89 * out.length))).toBeUndefined();
    }
  });
});

describe("a compiler that may round otherwise is noticed", () => {
  /** A library from the same sources with other flags. */
  function libraryWith(...flags: string[]): string {
    const path = join(folder, `${flags.join("")}.so`);
    const trees = UNITS.filter(({ source }) => source.startsWith("trees"));
    const kernels = UNITS.filter((unit) => !trees.includes(unit));
    expect(compile(folder, [OPTIMISATION, ...flags], kernels)).toBeUndefined();
    // The library is no library without them, but nothing here looks at them.
    expect(compile(folder, ["-O0"], trees)).toBeUndefined();
    const objects = UNITS.map(({ source }) => join(folder, `${source}.o`));
    const { exitCode } = Bun.spawnSync([compiler()!, "-shared", "-pthread", "-o", path, ...objects]);
    expect(exitCode).toBe(0);
    return path;
  }

  const disassembled = (path: string) => Bun.spawnSync(["objdump", "-d", path]).stdout.toString();
  const fusedIn = (path: string) => disassembled(path).match(/\bvfn?m(add|sub)/g)?.length ?? 0;
  const withDisassembler = test.skipIf(NATIVE.length === 0 || compiler() === undefined || !Bun.which("objdump"));

  withDisassembler("no fused multiply-add in the kernels; allowed, the compiler uses it, and the bits change", () => {
    expect(FLAGS).toContain("-ffp-contract=off");
    // The very file that the program loads, and a binary is shipped with: all three kernels are in it.
    expect(disassembled(LIBRARY)).toMatch(/\bvdivpd .*%zmm/);
    expect(fusedIn(LIBRARY)).toBe(0);
    const fused = libraryWith("-ffp-contract=fast");
    expect(fusedIn(fused)).toBeGreaterThan(20);
    const kernels = openKernels(fused).kernels;
    expect(kernels.map(({ name }) => name)).toEqual(availableKernels().map(({ name }) => name));
    for (const kernel of kernels.slice(2)) {
      expect(() => assertEqual(ALL_KINDS, hostileMarket(7, 3, 300), [kernel], [50])).toThrow("element");
    }
  });

  withCompiler("leave to reorder changes the bits", () => {
    for (const kernel of openKernels(libraryWith("-ffast-math")).kernels.slice(1)) {
      expect(() => assertEqual(ALL_KINDS, hostileMarket(7, 3, 300), [kernel], [50])).toThrow("element");
    }
  });
});

describe("the door to C", () => {
  const plan = planIndicators(ALL_KINDS);
  const bars = doubles(4 * BAR);
  const state = doubles(lengthOf(plan.stateRows, 2));
  const out = doubles(lengthOf(plan.outputRows, 2));

  withNative("lengths and places that do not fit are refused before the call", () => {
    for (const { step, run } of NATIVE) {
      step(plan, bars, 0, BAR, 2, state, out);
      const wrong: (() => void)[] = [
        () => step(plan, bars, 3 * BAR, BAR, 2, state, out),
        () => step(plan, bars, -1, BAR, 1, state, out),
        () => step(plan, bars, 0.5, BAR, 1, state, out),
        () => step(plan, bars, Number.NaN, BAR, 1, state, out),
        () => step(plan, bars, 0, -BAR, 1, state, out),
        () => step(plan, bars, 0, BAR, -1, state, out),
        () => step(plan, bars, 0, 0, 5, state, out),
        () => step(plan, bars, 0, 0, 5, doubles(lengthOf(plan.stateRows, 5)), out),
        () => step(plan, bars, 0, BAR, 2, state.subarray(1), out),
        () => step(plan, bars, 0, BAR, 2, state, out.subarray(8)),
        () => step(plan, bars, 2 ** 40, BAR, 1, state, out),
        () => run(plan, bars, 0, BAR, 1, 5, state, out, "last"),
        () => run(plan, bars, 0, BAR, 1, 4, state, out, "all"),
      ];
      for (const call of wrong) expect(call).toThrow(RangeError);
    }
  });

  withNative("a plan whose tables do not fit its rows is refused by C itself", () => {
    const table = new Int32Array(new SharedArrayBuffer(plan.table.byteLength));
    for (const { step } of NATIVE) {
      for (const [at, value] of [
        [0, 99],
        [1, 1000],
        [3, -1],
        [4, 5],
        [9, 1 << 20],
      ] as const) {
        table.set(plan.table);
        table[at] = value;
        expect(() => step({ ...plan, table }, bars, 0, BAR, 1, state, out)).toThrow("refused a broken plan");
      }
      const short = { ...plan, table: plan.table.subarray(0, 20) };
      expect(() => step(short, bars, 0, BAR, 1, state, out)).toThrow("refused a broken plan");
      const private_ = { ...plan, table: new Int32Array(plan.table) };
      expect(() => step(private_ as unknown as typeof plan, bars, 0, BAR, 1, state, out)).toThrow("shared buffers");
    }
  });

  test("a library that is absent or is none leaves the portable kernel and says why", () => {
    expect(openKernels(join(folder, "nowhere.so"))).toEqual({
      kernels: [portable],
      treeEngines: [PORTABLE_ENGINE],
      missing: expect.stringContaining("bun run build:native"),
    });
    const { kernels, missing } = openKernels(import.meta.path);
    expect(kernels).toEqual([portable]);
    expect(missing).toContain("cannot be loaded");
  });

  // The full ten million calls are `bun bench/indicators/soak.ts`.
  withNative("100 000 calls move nothing and leave nothing behind", () => {
    const addresses = [bars, state, out, plan.numbers].map(addressOf);
    for (let i = 0; i < 100_000; i++) NATIVE.at(-1)!.step(plan, bars, 0, BAR, 1, state, out);
    expect([bars, state, out, plan.numbers].map(addressOf)).toEqual(addresses);
  });
});

import { describe, expect, test } from "bun:test";
import { Adwin, dissimilarity, domainOf, PageHinkley, referenceOf, stabilityIndex } from "../../src/learning/drift.ts";
import { DriftMonitor } from "../../src/learning/monitor.ts";
import { Random } from "../../src/market/random.ts";
import { candidate } from "../core/core-fixture.ts";
import { trained } from "./trained.ts";

const normals = (seed: number, count: number, mean = 0, deviation = 1) => {
  const random = new Random(seed);
  return Float64Array.from({ length: count }, () => mean + deviation * random.normal());
};

describe("the population stability index", () => {
  const reference = referenceOf(normals(1, 5000));

  test("of the same distribution stays below what chance explains, nineteen times in twenty", () => {
    let beyond = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { psi, limit } = stabilityIndex(reference, normals(100 + seed, 200));
      expect(psi).toBeGreaterThanOrEqual(0);
      if (psi > limit) beyond++;
    }
    expect(beyond).toBeLessThan(24);
  });

  test("sees a moved mean, a wider spread, and values that are missing now", () => {
    for (const now of [
      normals(7, 200, 1),
      normals(8, 200, 0, 3),
      normals(9, 200).map((x, i) => (i % 2 ? Number.NaN : x)),
    ]) {
      const { psi, limit } = stabilityIndex(reference, now);
      expect(psi).toBeGreaterThan(0.25);
      expect(psi).toBeGreaterThan(limit);
    }
  });

  test("of known shares is the sum over the bins", () => {
    // Two values, half and half, against nine to one.
    const two = referenceOf(Float64Array.from({ length: 1000 }, (_, i) => i % 2));
    const { psi } = stabilityIndex(
      two,
      Float64Array.from({ length: 1000 }, (_, i) => (i % 10 === 0 ? 0 : 1)),
    );
    expect(psi).toBeCloseTo((0.1 - 0.5) * Math.log(0.1 / 0.5) + (0.9 - 0.5) * Math.log(0.9 / 0.5), 9);
  });
});

describe("changes of the loss", () => {
  const losses = (seed: number, count: number, mean: number) => {
    const random = new Random(seed);
    return Array.from({ length: count }, () => (random.chance(mean) ? 1 : 0));
  };

  test("ADWIN keeps a quiet window, and cuts it soon after a change", () => {
    let alarms = 0;
    for (let seed = 0; seed < 20; seed++) {
      const adwin = new Adwin();
      for (const x of losses(seed, 1000, 0.3)) if (adwin.add(x)) alarms++;
    }
    expect(alarms).toBeLessThan(3);
    const adwin = new Adwin();
    for (const x of losses(1, 1000, 0.2)) adwin.add(x);
    expect(adwin.count).toBe(1000);
    expect(adwin.mean).toBeCloseTo(0.2, 1);
    const late = losses(2, 300, 0.6).findIndex((x) => adwin.add(x));
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(100);
    for (const x of losses(3, 400, 0.6)) adwin.add(x);
    expect(Math.abs(adwin.mean - 0.6)).toBeLessThan(0.08);
    expect(adwin.count).toBeLessThan(900);
  });

  test("ADWIN's mean is that of its window", () => {
    const adwin = new Adwin();
    const seen: number[] = [];
    for (const x of [...losses(4, 400, 0.1), ...losses(5, 400, 0.9)]) {
      seen.push(x);
      adwin.add(x);
      const window = seen.slice(-adwin.count);
      expect(adwin.mean).toBeCloseTo(window.reduce((a, b) => a + b, 0) / window.length, 9);
    }
  });

  test("Page–Hinkley sees a mean that moves up or down, and is quiet otherwise", () => {
    const quiet = new PageHinkley(1);
    for (const x of normals(1, 200)) expect(quiet.add(x)).toBe(false);
    for (const to of [1, -1]) {
      const test = new PageHinkley(1);
      for (const x of normals(2, 300)) test.add(x);
      expect([...normals(3, 300, to)].some((x) => test.add(x))).toBe(true);
    }
  });
});

test("the index of dissimilarity is small for what was trained on and large for what was not", () => {
  const rows = 400;
  const x = Float32Array.from(normals(5, rows * 4));
  const random = new Random(2);
  const domain = domainOf(x, 4, (below) => random.whole(0, below - 1));
  const fresh = Float32Array.from(normals(6, 100 * 4));
  let outside = 0;
  for (let i = 0; i < 100; i++) if (dissimilarity(domain, fresh.subarray(i * 4, i * 4 + 4)) > domain.limit) outside++;
  expect(outside).toBeLessThan(10);
  expect(dissimilarity(domain, [9, 9, 9, 9])).toBeGreaterThan(2 * domain.limit);
});

describe("the monitor of a model", () => {
  const { manifest } = trained("signal", 1).result;

  test("a world as in training has no consequence", () => {
    const monitor = new DriftMonitor(manifest);
    const random = new Random(1);
    for (let i = 0; i < 300; i++) {
      const p = random.between(0.2, 0.6);
      expect(monitor.outcome(p, random.chance(p))).toEqual([]);
    }
    expect(monitor.caution.sizeFactor).toBe(1);
    expect(monitor.metrics.coverage).toBeGreaterThan(0.8);
  });

  test("a loss that has changed halves the bets and asks for training; outcomes outside of their sets end its reign", () => {
    const monitor = new DriftMonitor(manifest);
    const seen = new Set<string>();
    const random = new Random(3);
    for (let i = 0; i < 200; i++) monitor.outcome(0.35, random.chance(0.35));
    for (let i = 0; i < 600; i++) for (const { consequence } of monitor.outcome(0.9, false)) seen.add(consequence);
    expect([...seen].sort()).toEqual(["de-risk", "fall-back", "retrain"]);
    expect(monitor.caution.sizeFactor).toBe(0.5);
    // Misses lower alpha, which widens the sets.
    expect(monitor.caution.alpha).toBeLessThan(manifest.alpha);
    expect(monitor.metrics.changes).toBeGreaterThan(0);
  });

  test("columns that have moved widen the sets, and nothing more", () => {
    const monitor = new DriftMonitor(manifest);
    const found = Array.from({ length: 200 }, () =>
      monitor.judged(candidate({ features: new Float32Array(31).fill(4) })),
    ).flat();
    expect(found.map(({ consequence }) => consequence)).toEqual(["widen"]);
    expect(monitor.caution.alpha).toBe(manifest.alpha / 2);
    expect(monitor.metrics.outside).toBe(1);
    expect(monitor.metrics.psiColumns).toBeGreaterThan(20);
  });
});

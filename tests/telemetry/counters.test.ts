import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { METRIC_NAMES, METRICS, type MetricDefinition } from "../../src/telemetry/catalogue.ts";
import { COUNTERS_BYTES, Counters } from "../../src/telemetry/counters.ts";
import { createRegistry } from "../../src/telemetry/exposition.ts";

describe("the catalogue", () => {
  test("follows the conventions of Prometheus", () => {
    for (const name of METRIC_NAMES) {
      const { type, help, buckets, labels }: MetricDefinition = METRICS[name];
      expect(name).toMatch(/^penstock_[a-z0-9_]+$/);
      expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
      expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
      expect([name, buckets !== undefined]).toEqual([name, type === "histogram"]);
      if (buckets) expect([...buckets].sort((a, b) => a - b)).toEqual([...buckets]);
      const series = Object.values(labels ?? {}).reduce((product, values) => product * values.length, 1);
      expect(series, name).toBeLessThanOrEqual(60);
    }
  });
});

describe("counters", () => {
  test("are seen by another thread's view of the same memory", () => {
    const counters = new Counters();
    const reader = new Counters(counters.buffer);
    counters.add("penstock_cycles_total");
    counters.add("penstock_cycles_total", undefined, 4);
    counters.set("penstock_trading_state", { state: "halted" }, 1);
    expect([...reader.read("penstock_cycles_total")]).toEqual([{ labels: {}, values: Float64Array.of(5) }]);
    const states = [...reader.read("penstock_trading_state")];
    expect(states.filter(({ values }) => values[0] === 1).map(({ labels }) => labels)).toEqual([{ state: "halted" }]);
  });

  test("refuse labels that the catalogue does not have, and memory of another build", () => {
    const counters = new Counters();
    expect(() => counters.add("penstock_fills_total", { liquidity: "other" as never })).toThrow("not in the catalogue");
    expect(() => counters.add("penstock_fills_total", {} as never)).toThrow("not in the catalogue");
    expect(() => new Counters(new SharedArrayBuffer(COUNTERS_BYTES - 8))).toThrow("not the counters of this build");
  });

  test("every series has its own place", () => {
    const counters = new Counters();
    const orders = METRICS.penstock_orders_total.labels;
    let n = 0;
    for (const purpose of orders.purpose) {
      for (const outcome of orders.outcome) counters.add("penstock_orders_total", { purpose, outcome }, ++n);
    }
    const read = [...counters.read("penstock_orders_total")];
    expect(read.map(({ values }) => values[0]!)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
    expect(read.at(-1)!.labels).toEqual({ purpose: orders.purpose.at(-1)!, outcome: orders.outcome.at(-1)! });
    for (const name of METRIC_NAMES) {
      if (name === "penstock_orders_total") continue;
      for (const { values } of counters.read(name)) expect(values.every((value) => value === 0)).toBe(true);
    }
  });
});

describe("the text for Prometheus", () => {
  test("has, per bucket, how many values were at most its bound", async () => {
    const bounds = METRICS.penstock_inference_seconds.buckets;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ min: -100, max: 100, noNaN: true })), async (values) => {
        const counters = new Counters();
        for (const value of values) counters.observe("penstock_inference_seconds", undefined, value);
        counters.observe("penstock_inference_seconds", undefined, Number.NaN);
        const text = await createRegistry(counters).getSingleMetricAsString("penstock_inference_seconds");
        const lines = Object.fromEntries(
          text
            .split("\n")
            .filter((line) => !line.startsWith("#"))
            .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
        );
        const name = "penstock_inference_seconds";
        for (const bound of bounds) {
          expect(lines[`${name}_bucket{le="${bound}"}`]).toBe(values.filter((value) => value <= bound).length);
        }
        expect(lines[`${name}_bucket{le="+Inf"}`]).toBe(values.length);
        expect(lines[`${name}_count`]).toBe(values.length);
        expect(lines[`${name}_sum`]).toBeCloseTo(
          values.reduce((sum, value) => sum + value, 0),
          6,
        );
      }),
      { numRuns: 50 },
    );
  });

  test("names every metric of the catalogue with help and type, and nothing else", async () => {
    const text = await createRegistry(new Counters()).metrics();
    const named = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(named).toEqual(METRIC_NAMES.map((name) => `${name} ${METRICS[name].type}`));
    expect(text.match(/^# HELP /gm)).toHaveLength(METRIC_NAMES.length);
  });
});

import { METRICS } from "../telemetry/catalogue.ts";
import type { Counters } from "../telemetry/counters.ts";

/** How quick the trader was for five minutes. Times in seconds; null where nothing was measured. */
export interface LatencyPoint {
  /** Start of the five minutes, wall clock, ms UTC. */
  readonly at: number;
  readonly steps: number;
  readonly stepP50: number | null;
  readonly stepP99: number | null;
  /** From the request of a cycle's analysis to its decision. */
  readonly cycleP50: number | null;
  readonly cycleP99: number | null;
}

const SPAN_MS = 300_000;
/** A day. */
const POINTS_MAX = 288;

type Measured = "penstock_step_seconds" | "penstock_cycle_seconds";

/** Turns the histograms, which only grow, into a trend: what came to them since the last point. */
export class LatencyTrend {
  readonly points: LatencyPoint[] = [];
  readonly #counters: Counters;
  #start: number | undefined;
  #step: Float64Array;
  #cycle: Float64Array;

  constructor(counters: Counters) {
    this.#counters = counters;
    this.#step = this.#counts("penstock_step_seconds");
    this.#cycle = this.#counts("penstock_cycle_seconds");
  }

  /** To be called often. @param at wall clock, ms UTC */
  sample(at: number): void {
    const start = at - (at % SPAN_MS);
    this.#start ??= start;
    if (start === this.#start) return;
    const [step, cycle] = [this.#counts("penstock_step_seconds"), this.#counts("penstock_cycle_seconds")];
    const steps = step.map((count, i) => count - this.#step[i]!);
    const cycles = cycle.map((count, i) => count - this.#cycle[i]!);
    this.points.push({
      at: this.#start,
      steps: steps.reduce((total, count) => total + count, 0),
      stepP50: histogramQuantile(METRICS.penstock_step_seconds.buckets, steps, 0.5),
      stepP99: histogramQuantile(METRICS.penstock_step_seconds.buckets, steps, 0.99),
      cycleP50: histogramQuantile(METRICS.penstock_cycle_seconds.buckets, cycles, 0.5),
      cycleP99: histogramQuantile(METRICS.penstock_cycle_seconds.buckets, cycles, 0.99),
    });
    if (this.points.length > POINTS_MAX) this.points.shift();
    this.#start = start;
    this.#step = step;
    this.#cycle = cycle;
  }

  /** Counts per bucket, without the sum that comes last. */
  #counts(name: Measured): Float64Array {
    const [series] = [...this.#counters.read(name)];
    return series!.values.subarray(0, -1);
  }
}

/**
 * The quantile of a histogram, linear within its bucket as Prometheus does it; what lies above the last bound counts as
 * that bound. null for an empty one.
 * @param bounds upper bounds, rising @param counts one per bound, and one for what lies above
 */
export function histogramQuantile(bounds: readonly number[], counts: Float64Array, share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let below = 0;
  for (const [i, bound] of bounds.entries()) {
    const count = counts[i]!;
    if (below + count >= share * total && count > 0) {
      const from = bounds[i - 1] ?? 0;
      return from + ((bound - from) * (share * total - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1)!;
}

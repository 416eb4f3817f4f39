import { METRIC_NAMES, METRICS, type MetricDefinition, type MetricName } from "./catalogue.ts";

/** The labels of a metric with their values, as the catalogue allows them. */
export type LabelsOf<Name extends MetricName> = (typeof METRICS)[Name] extends { readonly labels: infer Labels }
  ? { readonly [Label in keyof Labels]: Labels[Label] extends readonly (infer Value)[] ? Value : never }
  : undefined;

/** Where a metric lies: its first double, the doubles of one time series, and the series there are. */
interface Place {
  readonly first: number;
  readonly size: number;
  readonly series: readonly Readonly<Record<string, string>>[];
  readonly labels: readonly (readonly [label: string, values: readonly string[]])[];
}

const PLACES = new Map<MetricName, Place>();
let doubles = 0;
for (const name of METRIC_NAMES) {
  const { labels, type, buckets }: MetricDefinition = METRICS[name];
  const series = combinations(labels ?? {});
  // A histogram is one count per bucket, one for what lies above them all, and the sum.
  const size = type === "histogram" ? buckets!.length + 2 : 1;
  PLACES.set(name, { first: doubles, size, series, labels: Object.entries(labels ?? {}) });
  doubles += series.length * size;
}

/** Bytes that all metrics need. */
export const COUNTERS_BYTES = doubles * 8;

function combinations(labels: Readonly<Record<string, readonly string[]>>): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (all, [label, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [label]: value }))),
    [{}],
  );
}

/**
 * All metrics in one block of shared memory: the trading thread writes doubles, the admin worker reads them when
 * Prometheus asks. Nothing is locked: there is one writer, and an aligned double is never seen half written.
 */
export class Counters {
  readonly buffer: SharedArrayBuffer;
  readonly #values: Float64Array<SharedArrayBuffer>;

  /** @param buffer that of another thread; a new one when absent */
  constructor(buffer = new SharedArrayBuffer(COUNTERS_BYTES)) {
    if (buffer.byteLength !== COUNTERS_BYTES) {
      throw new RangeError(`${buffer.byteLength} bytes are not the counters of this build (${COUNTERS_BYTES})`);
    }
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
  }

  /** Adds to a counter. */
  add<Name extends MetricName>(name: Name, ...[labels, by]: Arguments<Name, [by?: number]>): void {
    this.#values[this.#at(name, labels)]! += by ?? 1;
  }

  /** Sets a gauge. */
  set<Name extends MetricName>(name: Name, ...[labels, value]: Arguments<Name, [value: number]>): void {
    this.#values[this.#at(name, labels)] = value as number;
  }

  /** Puts a value into a histogram. A value that is no number is left out: it would spoil the sum for ever. */
  observe<Name extends MetricName>(name: Name, ...[labels, value]: Arguments<Name, [value: number]>): void {
    const seen = value as number;
    if (Number.isNaN(seen)) return;
    const at = this.#at(name, labels);
    const { buckets }: MetricDefinition = METRICS[name];
    let bucket = 0;
    while (bucket < buckets!.length && seen > buckets![bucket]!) bucket++;
    this.#values[at + bucket]! += 1;
    this.#values[at + buckets!.length + 1]! += seen;
  }

  /** The series of a metric with their raw values: one, or the counts of the buckets and the sum. */
  *read(name: MetricName): Generator<{ labels: Readonly<Record<string, string>>; values: Float64Array }> {
    const { first, size, series } = PLACES.get(name)!;
    for (const [index, labels] of series.entries()) {
      const at = first + index * size;
      yield { labels, values: this.#values.slice(at, at + size) as Float64Array };
    }
  }

  #at(name: MetricName, labels: Readonly<Record<string, unknown>> | undefined): number {
    const { first, size, labels: allowed } = PLACES.get(name)!;
    let index = 0;
    for (const [label, values] of allowed) {
      const value = values.indexOf(String(labels?.[label]));
      if (value < 0) throw new RangeError(`${name}: ${label}=${String(labels?.[label])} is not in the catalogue`);
      index = index * values.length + value;
    }
    return first + index * size;
  }
}

/** Metrics without labels take none: `add("x")`, `set("x", undefined, 1)`. */
type Arguments<Name extends MetricName, Rest extends unknown[]> =
  LabelsOf<Name> extends undefined ? [labels?: undefined, ...rest: Rest] : [labels: LabelsOf<Name>, ...rest: Rest];

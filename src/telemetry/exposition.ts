import { type Metric, type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";
import { METRIC_NAMES, METRICS, type MetricDefinition, type MetricName } from "./catalogue.ts";
import type { Counters } from "./counters.ts";

/** A registry of prom-client that reads the counters whenever it is asked. */
export function createRegistry(counters: Counters): Registry {
  const registry = new Registry();
  for (const name of METRIC_NAMES) registry.registerMetric(new SharedMetric(name, counters) as unknown as Metric);
  return registry;
}

interface Row {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

/** One metric of the catalogue as prom-client wants to see it. */
class SharedMetric {
  readonly name: MetricName;
  readonly help: string;
  readonly #counters: Counters;
  readonly #definition: MetricDefinition;

  constructor(name: MetricName, counters: Counters) {
    this.name = name;
    this.#definition = METRICS[name];
    this.help = this.#definition.help;
    this.#counters = counters;
  }

  async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const { type, help } = this.#definition;
    const values: Row[] = [];
    for (const series of this.#counters.read(this.name)) {
      if (type === "histogram") values.push(...this.#histogram(series.labels, series.values));
      else values.push({ labels: { ...series.labels }, value: series.values[0]! });
    }
    // prom-client names its types by a type of its own that says the same.
    const metric = { name: this.name, help, type, aggregator: "sum", values };
    return metric as unknown as MetricObjectWithValues<MetricValue<string>>;
  }

  reset(): void {
    throw new Error("the trading thread owns the counters");
  }

  /** Counts lie per bucket; Prometheus wants, per bound, how many are at most that. */
  #histogram(labels: Readonly<Record<string, string>>, values: Float64Array) {
    const bounds = this.#definition.buckets!;
    let below = 0;
    const rows: Row[] = bounds.map((bound, index) => {
      below += values[index]!;
      return { metricName: `${this.name}_bucket`, labels: { ...labels, le: bound }, value: below };
    });
    const count = below + values[bounds.length]!;
    rows.push({ metricName: `${this.name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count });
    rows.push({ metricName: `${this.name}_sum`, labels: { ...labels }, value: values[bounds.length + 1]! });
    rows.push({ metricName: `${this.name}_count`, labels: { ...labels }, value: count });
    return rows;
  }
}

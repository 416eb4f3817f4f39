import { createHash } from "node:crypto";
import { FEATURE_NAMES } from "../features/registry.ts";
import type { Spans } from "./folds.ts";
import { uniquenessWeights } from "./uniqueness.ts";

/**
 * What models see, by name and place: the features of the symbol at the decision, and the side of the proposed trade.
 * The features describe the market and are the same for a long and a short; the label is not.
 */
export const MODEL_COLUMNS: readonly string[] = [...FEATURE_NAMES, "direction"];

/** A labelled proposal. Times in ms UTC, returns as shares of the entry value. */
export interface Sample {
  readonly symbol: string;
  readonly direction: 1 | -1;
  /** The close at which it was proposed, and when its outcome was known. */
  readonly time: number;
  readonly labelTime: number;
  /** Of FEATURE_NAMES, in their order; NaN where missing. */
  readonly features: Float32Array;
  /** What it would have brought after all costs. */
  readonly net: number;
  /** The same, entered one bar later: 0 where the trade was over by then. Undefined where nobody looked. */
  readonly lagged: number | undefined;
  /** The primary strategy's own estimate, 0 to 1. */
  readonly confidence: number;
}

/**
 * Samples as columns, in rising order of time. Row i of `x` is x[i·columns … (i + 1)·columns − 1], float32, NaN where
 * missing. `y` is 1 where the trade gained after costs.
 */
export interface Dataset extends Spans {
  readonly columns: readonly string[];
  readonly rows: number;
  readonly x: Float32Array;
  readonly y: Float64Array;
  readonly net: Float64Array;
  readonly lagged: Float64Array;
  readonly weight: Float64Array;
  readonly direction: Int8Array;
  readonly confidence: Float64Array;
  /** Index into `symbols`. */
  readonly symbol: Int32Array;
  readonly symbols: readonly string[];
  /** SHA-256 of all of the above, hex: what a model says it was trained on. */
  readonly hash: string;
}

/** Orders samples by time, then symbol, then direction, and weighs them by their uniqueness. */
export function createDataset(samples: readonly Sample[]): Dataset {
  const ordered = [...samples].sort(
    (a, b) => a.time - b.time || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0) || b.direction - a.direction,
  );
  const rows = ordered.length;
  const width = MODEL_COLUMNS.length;
  const symbols = [...new Set(ordered.map(({ symbol }) => symbol))].sort();
  const place = new Map(symbols.map((symbol, i) => [symbol, i]));
  const x = new Float32Array(rows * width);
  for (const [i, sample] of ordered.entries()) x.set(modelRow(sample.features, sample.direction), i * width);
  const spans: Spans = {
    time: Float64Array.from(ordered, ({ time }) => time),
    labelTime: Float64Array.from(ordered, ({ labelTime }) => labelTime),
  };
  const symbol = Int32Array.from(ordered, (sample) => place.get(sample.symbol)!);
  return sealed({
    ...spans,
    columns: MODEL_COLUMNS,
    rows,
    x,
    y: Float64Array.from(ordered, ({ net }) => (net > 0 ? 1 : 0)),
    net: Float64Array.from(ordered, ({ net }) => net),
    lagged: Float64Array.from(ordered, ({ lagged }) => lagged ?? Number.NaN),
    weight: uniquenessWeights(spans, symbol),
    direction: Int8Array.from(ordered, ({ direction }) => direction),
    confidence: Float64Array.from(ordered, ({ confidence }) => confidence),
    symbol,
    symbols,
  });
}

/** The row that a model is asked with. @throws RangeError for a row of another length */
export function modelRow(features: ArrayLike<number>, direction: number): Float32Array {
  if (features.length !== FEATURE_NAMES.length) {
    throw new RangeError(`a row of ${features.length} features; models of this build take ${FEATURE_NAMES.length}`);
  }
  const row = new Float32Array(MODEL_COLUMNS.length);
  row.set(features);
  row[FEATURE_NAMES.length] = direction;
  return row;
}

/** Gives a dataset its hash. */
export function sealed(data: Omit<Dataset, "hash">): Dataset {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([data.columns, data.symbols, data.rows]));
  for (const part of [data.x, data.y, data.net, data.time, data.labelTime, data.weight, data.direction, data.symbol]) {
    hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
  return { ...data, hash: hash.digest("hex") };
}

/** The rows at these places, one after the other. */
export function rowsAt({ x, columns }: Pick<Dataset, "x" | "columns">, places: ArrayLike<number>): Float32Array {
  const width = columns.length;
  const taken = new Float32Array(places.length * width);
  for (let k = 0; k < places.length; k++)
    taken.set(x.subarray(places[k]! * width, (places[k]! + 1) * width), k * width);
  return taken;
}

export function valuesAt(values: ArrayLike<number>, places: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: places.length }, (_, k) => values[places[k]!]!);
}

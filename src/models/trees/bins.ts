/** The bin of a missing value. Ordinary values take 0 … 253 at most. */
export const MISSING_BIN = 255;
export const MOST_BINS = 254;

/** Rows as small numbers: which of its feature's intervals each value lies in. */
export interface BinnedRows {
  readonly rows: number;
  readonly features: number;
  /** Bytes from one row to the next; those beyond the features are zero. */
  readonly stride: number;
  readonly bins: Uint8Array;
  /**
   * Upper bounds of the intervals of each feature, ascending float32 numbers: bin b holds `cuts[b - 1] < x <= cuts[b]`,
   * and the last bin, number `cuts.length`, what is above all of them.
   */
  readonly cuts: readonly Float32Array[];
}

/** More rows than these say little more about where quantiles lie, and sorting them would take most of the time. */
const MOST_SORTED = 100_000;

/**
 * Cuts for each feature: between neighbouring values where there are few, otherwise where equally many rows lie between
 * two cuts, a value that is more frequent than that having a bin of its own. A cut lies half way between two values
 * that occur. Of very many rows an evenly spaced choice is looked at.
 *
 * @param rows row-major, NaN where a value is missing, otherwise finite.
 * @param bins most intervals of a feature, 2 … 254.
 */
export function cutFeatures(rows: Float32Array, features: number, bins: number): Float32Array[] {
  const count = rows.length / features;
  const looked = count < MOST_SORTED ? count : MOST_SORTED;
  const values = new Float32Array(looked);
  return Array.from({ length: features }, (_, feature) => {
    let present = 0;
    for (let i = 0; i < looked; i++) {
      const x = rows[Math.floor((i * count) / looked) * features + feature]!;
      // Adding zero makes a positive zero of a negative one, so that equal values are the same bits.
      if (!Number.isNaN(x)) values[present++] = x + 0;
    }
    return cutsOf(values.subarray(0, present).sort(), bins);
  });
}

function cutsOf(sorted: Float32Array, bins: number): Float32Array {
  const { length } = sorted;
  let distinct = length > 0 ? 1 : 0;
  for (let i = 1; i < length; i++) if (sorted[i] !== sorted[i - 1]) distinct++;
  const cuts: number[] = [];
  let taken = 0;
  for (let i = 1; i < length; i++) {
    const [low, high] = [sorted[i - 1]!, sorted[i]!];
    if (low === high) continue;
    // What is left shares what bins are left; a frequent value closes its bin by itself.
    if (distinct > bins && i - taken < (length - taken) / (bins - cuts.length)) continue;
    const middle = Math.fround(low / 2 + high / 2);
    cuts.push(middle < high && middle >= low ? middle : low);
    taken = i;
    if (cuts.length === bins - 1) break;
  }
  return Float32Array.from(cuts);
}

/** Rows of whose bins none is known yet. */
export function emptyBins(rows: Float32Array, cuts: readonly Float32Array[]): BinnedRows {
  const features = cuts.length;
  // Whole multiples of 16 bytes keep a row within as few cache lines as possible.
  const stride = Math.ceil(features / 16) * 16;
  return {
    rows: rows.length / features,
    features,
    stride,
    bins: new Uint8Array((rows.length / features) * stride),
    cuts,
  };
}

/** Every row as bins of the given cuts. */
export function binRows(rows: Float32Array, cuts: readonly Float32Array[]): BinnedRows {
  const binned = emptyBins(rows, cuts);
  const { features, stride, bins } = binned;
  for (let feature = 0; feature < features; feature++) {
    const bounds = cuts[feature]!;
    for (let row = 0; row < binned.rows; row++) {
      bins[row * stride + feature] = binOf(rows[row * features + feature]!, bounds);
    }
  }
  return binned;
}

/** How many cuts lie below x. */
export function binOf(x: number, cuts: Float32Array): number {
  if (Number.isNaN(x)) return MISSING_BIN;
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x <= cuts[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

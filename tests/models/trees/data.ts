import { Random } from "../../../src/market/random.ts";
import type { TreeDataset } from "../../../src/models/trees/objective.ts";

/** Rows of noise with a signal in the first features, an interaction, coarse features and missing values. */
export function noisyRows(count: number, features: number, seed: number, kind: "binary" | "number" = "binary") {
  const random = new Random(seed);
  const rows = new Float32Array(count * features);
  const labels = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let signal = 0;
    for (let f = 0; f < features; f++) {
      const x = f % 4 === 3 ? random.whole(-3, 3) : random.normal();
      if (f < 4) signal += (f % 2 === 0 ? 0.6 : -0.5) * x;
      rows[i * features + f] = random.chance(0.04) ? Number.NaN : x;
    }
    // Where the first is missing, that says something by itself; and the second matters with the third only.
    const [first, second, third] = rows.subarray(i * features, i * features + 3);
    if (Number.isNaN(first)) signal += 1.5;
    if (second! * third! > 0.5) signal += 1;
    const noise = random.normal();
    labels[i] = kind === "number" ? signal + noise : random.uniform() < 1 / (1 + Math.exp(-signal)) ? 1 : 0;
  }
  return { names: Array.from({ length: features }, (_, f) => `f${f}`), rows, labels } satisfies TreeDataset;
}

/** The first rows of a data set, and the rest. */
export function splitRows({ names, rows, labels }: ReturnType<typeof noisyRows>, first: number) {
  const at = first * names.length;
  return [
    { names, rows: rows.slice(0, at), labels: labels.slice(0, first) },
    { names, rows: rows.slice(at), labels: labels.slice(first) },
  ] as const;
}

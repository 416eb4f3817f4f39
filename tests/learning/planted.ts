import { FEATURE_NAMES } from "../../src/features/registry.ts";
import { createDataset, type Dataset, type Sample } from "../../src/learning/dataset.ts";
import type { GateLimits } from "../../src/learning/gate.ts";
import { permuted } from "../../src/learning/leakage.ts";
import { Random } from "../../src/market/random.ts";

/** What is in the data: a signal of some columns and an interplay of two, none of which tells much by itself, nothing, or the signal with its labels shuffled. */
export type Planted = "signal" | "noise" | "permuted";

export const LIMITS: GateLimits = {
  minSamples: 100,
  minDeflatedSharpe: 0.95,
  maxOverfitting: 0.2,
  maxCalibrationError: 0.03,
  minTrades: 30,
};

/** Many weak columns, because one that tells the label by itself counts as a leak. */
const SIGNAL_COLUMNS = [0, 5, 7, 12, 18, 20, 24, 26, 28];

const HOUR = 3_600_000;
export const START = Date.UTC(2025, 0, 1);

/**
 * Proposals with a reward of twice the risk, which win one time in three: before costs nobody gains.
 */
export function plantedSamples(what: Planted, seed: number, rows: number): Sample[] {
  const random = new Random(seed, 11);
  const symbols = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"];
  return Array.from({ length: rows }, (_, i): Sample => {
    const features = Float32Array.from(FEATURE_NAMES, () => (random.chance(0.01) ? Number.NaN : random.normal()));
    const at = (column: number) => features[column]! || 0;
    const sum = SIGNAL_COLUMNS.reduce((total, column) => total + 0.36 * at(column), 0);
    const signal = sum + (at(3) > 0 === at(8) > 0 ? 0.4 : -0.4);
    const logit = Math.log(0.5) + (what === "noise" ? 0 : signal);
    const won = random.chance(1 / (1 + Math.exp(-logit)));
    const risk = random.between(0.006, 0.014);
    const time = START + i * 1.5 * HOUR;
    const net = (won ? 2 * risk : -risk) - 0.0014;
    return {
      symbol: symbols[i % symbols.length]!,
      direction: random.chance(0.5) ? 1 : -1,
      time,
      labelTime: time + HOUR * random.between(1, 8),
      features,
      net,
      lagged: net - 0.0002,
      confidence: random.between(0.2, 0.6),
    };
  });
}

export function plantedDataset(what: Planted, seed: number, rows = 1500): Dataset {
  const dataset = createDataset(plantedSamples(what, seed, rows));
  if (what !== "permuted") return dataset;
  const random = new Random(seed, 12);
  return permuted(dataset, () => random.uniform());
}

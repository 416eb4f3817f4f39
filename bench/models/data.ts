import { Glob } from "bun";
import { FEATURE_NAMES } from "../../src/features/registry.ts";
import { featureLines } from "../../src/inspect/features.ts";
import { Random } from "../../src/market/random.ts";
import type { TreeDataset } from "../../src/models/trees/objective.ts";
import { chooseKernel } from "../../src/native.ts";
import { recorded } from "../../tests/recorded.ts";
import { readBars } from "../../tests/structure/bars.ts";

export interface Split {
  readonly name: string;
  readonly kind: "logistic" | "squared";
  readonly train: TreeDataset;
  readonly test: TreeDataset;
}

const FEATURES = 31;

/**
 * Rows with heavy tails, an interaction, steps and 1 % missing values.
 * @param strength of the signal: 1 gives an AUC of about 0.83, 0.1 one of 0.54.
 */
export function synthetic(name: string, kind: Split["kind"], strength: number, count: number, seed: number): Split {
  const random = new Random(seed);
  const names = Array.from({ length: FEATURES }, (_, i) => `f${i}`);
  const make = (rowsWanted: number): TreeDataset => {
    const rows = new Float32Array(rowsWanted * FEATURES);
    const labels = new Float64Array(rowsWanted);
    for (let i = 0; i < rowsWanted; i++) {
      const row = rows.subarray(i * FEATURES, (i + 1) * FEATURES);
      for (let f = 0; f < FEATURES; f++) {
        const x = random.normal();
        row[f] = f % 5 === 4 ? x * x * x : f % 7 === 3 ? Math.round(x * 4) : x;
      }
      const signal =
        row[0]! - 0.7 * row[1]! + row[2]! * row[5]! + (row[3]! > 1 ? 1 : 0) + 0.5 * row[6]! * (row[8]! > 0 ? 1 : -1);
      const score = strength * signal;
      labels[i] = kind === "squared" ? score + random.normal() : random.chance(1 / (1 + Math.exp(-score))) ? 1 : 0;
      for (let f = 0; f < FEATURES; f++) if (random.chance(0.01)) row[f] = Number.NaN;
    }
    return { names, rows, labels };
  };
  return { name, kind, train: make(count), test: make(20_000) };
}

const SYMBOLS = 8;
/** The label looks an hour ahead; training ends as much before the test begins. */
const AHEAD = 12;

/**
 * Features of recorded 5m bars of October 2025, and whether the price is higher an hour later; the first 70 % of time to
 * learn from. Undefined where the recorded data is absent.
 */
export function recordedMonth(): Split | undefined {
  const folder = recorded("market/m5-wide-2025-10");
  if (folder === undefined) return undefined;
  const files = [...new Glob("*.csv.gz").scanSync(folder)].sort().slice(0, SYMBOLS);
  const parts = {
    train: { rows: [] as number[], labels: [] as number[] },
    test: { rows: [] as number[], labels: [] as number[] },
  };
  const settings = {
    kernel: chooseKernel("auto").name,
    periods: { emaFast: 20, emaSlow: 50, rsi: 14, atr: 14, adx: 14 },
    adxTrendThreshold: 25,
    strategyOptions: {
      riskRewardRatio: 2,
      minVolumeRatio: 1.5,
      ageing: { maxTests: 3, decayEnabled: true, decayHours: 48, decayRate: 0.1 },
    },
  };
  for (const file of files) {
    const bars = readBars(`${folder}/${file}`, "5m");
    const lines = featureLines(file, bars, FEATURE_NAMES, settings);
    const border = Math.floor(lines.length * 0.7);
    for (let i = 600; i + AHEAD < lines.length; i++) {
      if (i >= border - AHEAD && i < border) continue;
      const { rows, labels } = i < border ? parts.train : parts.test;
      for (const feature of FEATURE_NAMES) rows.push(lines[i]![feature] ?? Number.NaN);
      labels.push(bars.close[i + AHEAD]! > bars.close[i]! ? 1 : 0);
    }
  }
  const dataset = ({ rows, labels }: { rows: number[]; labels: number[] }): TreeDataset => ({
    names: FEATURE_NAMES,
    rows: Float32Array.from(rows),
    labels: Float64Array.from(labels),
  });
  return { name: "recorded", kind: "logistic", train: dataset(parts.train), test: dataset(parts.test) };
}

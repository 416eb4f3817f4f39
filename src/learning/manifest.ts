import { createHash } from "node:crypto";
import type { Calibration } from "./calibration.ts";
import type { Conformal } from "./conformal.ts";
import type { Domain, Reference } from "./drift.ts";
import type { Check } from "./gate.ts";

/** What a model decides on. */
export const MODEL_STRATEGIES = ["hybrid", "self_learning"] as const;
export type ModelStrategy = (typeof MODEL_STRATEGIES)[number];

export interface ModelMetrics {
  readonly auc: number;
  readonly logloss: number;
  readonly brier: number;
  readonly ece: number;
  /** Per year. */
  readonly walkForwardSharpe: number;
  readonly deflatedSharpe: number;
  readonly pbo: number;
  /** All that the ledger counted when it was judged. */
  readonly trials: number;
}

/** Everything about a model but what it predicts with. Plain data: it lies as JSON beside the artefact. */
export interface ModelManifest {
  /** The first twelve digits of `modelHash`. */
  readonly id: string;
  readonly modelHash: string;
  readonly kind: string;
  readonly strategy: ModelStrategy;
  readonly createdAt: number;
  /** The champion of that time. */
  readonly parent: string | undefined;
  readonly columns: readonly string[];
  readonly variant: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly dataHash: string;
  readonly datasetHash: string;
  readonly samples: number;
  /** First decision and last label of the training window, ms UTC. */
  readonly trainedFrom: number;
  readonly trainedTo: number;
  readonly metrics: ModelMetrics;
  readonly gate: readonly Check[];
  readonly leakage: readonly Check[];
  /** Whether it passed the gate. Without that it never decides anything but research. */
  readonly passed: boolean;
  readonly calibration: Calibration;
  readonly threshold: number;
  /** Bets are multiplied by this: below 1 where the worst of the cross-validated paths loses. */
  readonly sizeScale: number;
  readonly conformal: Conformal;
  /** Share of outcomes that may lie outside of their sets. */
  readonly alpha: number;
  readonly domain: Domain;
  /** Of each column in the training data. */
  readonly reference: readonly Reference[];
  /** Mean and standard deviation of the log loss on samples the model was not fitted on. */
  readonly loss: { readonly mean: number; readonly deviation: number };
  /** Hash of the ledger of trials that judged it. */
  readonly ledgerHash: string;
  readonly artefact: { readonly file: string; readonly sha256: string };
}

/** Kind of the models that are ONNX graphs of something else than trees. */
export const ONNX_KIND = "onnx";

/** What the file of a model of some kind is named. */
export function artefactFile(kind: string): string {
  return kind === ONNX_KIND ? "model.onnx" : "model.json";
}

/** Everything of a model that can change what it decides, and whether it may. */
export type ModelContent = Pick<
  ModelManifest,
  | "kind"
  | "strategy"
  | "passed"
  | "columns"
  | "calibration"
  | "threshold"
  | "sizeScale"
  | "conformal"
  | "alpha"
  | "domain"
  | "artefact"
>;

/** SHA-256, hex, over what decides: two models of one hash judge alike. */
export function hashModel(content: ModelContent): string {
  const { kind, strategy, passed, columns, calibration, threshold, sizeScale, conformal, alpha, domain, artefact } =
    content;
  const decides = [
    kind,
    strategy,
    passed,
    columns,
    calibration,
    threshold,
    sizeScale,
    conformal,
    alpha,
    domain,
    artefact,
  ];
  return createHash("sha256").update(JSON.stringify(decides)).digest("hex");
}

import type { AnalysisEvent } from "../core/events.ts";
import type { AnalysisOptions } from "./engine.ts";

/** Messages to and from the analysis worker. Bars do not travel: they lie in the panel, which both sides share. */
export type ToWorker =
  | { readonly kind: "start"; readonly panel: SharedArrayBuffer; readonly options: AnalysisOptions }
  /** Take in bars without proposing: all closes from `from` to `to` in steps of `every`, inclusive. */
  | { readonly kind: "warm"; readonly from: number; readonly to: number; readonly every: number }
  | { readonly kind: "analyse"; readonly cycle: number; readonly late: readonly number[] };

export type FromWorker = { readonly kind: "ready" } | { readonly kind: "analysed"; readonly event: AnalysisEvent };

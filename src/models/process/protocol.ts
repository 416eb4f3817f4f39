import type { ImportedModel } from "../import/import-model.ts";

/** First argument that makes the program be the process for models; not a command for people. */
export const MODELS_ARGUMENT = "model-process";

/** A task of the process. Answers come in the order of the tasks. */
export type ToProcess = { readonly task: number } & (
  | {
      readonly kind: "import";
      readonly bytes: Uint8Array;
      readonly features: readonly string[];
      readonly where: string;
    }
  | {
      readonly kind: "load";
      readonly model: string;
      readonly bytes: Uint8Array;
      readonly width: number;
      readonly where: string;
    }
  | { readonly kind: "unload"; readonly model: string }
  | { readonly kind: "predict"; readonly model: string; readonly rows: Float32Array }
);

export type FromProcess = { readonly task: number } & (
  | { readonly kind: "imported"; readonly model: ImportedModel }
  | { readonly kind: "loaded"; readonly missing: "allowed" | "refused" }
  | { readonly kind: "unloaded" }
  | { readonly kind: "predicted"; readonly values: Float64Array }
  /** The input is at fault; the process goes on. */
  | { readonly kind: "refused"; readonly message: string }
);

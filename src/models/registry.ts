import { createHash } from "node:crypto";
import { InputError } from "../input-error.ts";
import { checkFeatures, type Model } from "./model.ts";
import { onnxModel } from "./onnx-model.ts";
import type { OnnxRuntime } from "./process/model-process.ts";
import { rulesModel } from "./rules.ts";
import type { TreeEngine } from "./trees/engine.ts";
import { readEnsemble } from "./trees/ensemble.ts";
import { agreeWithOnnxRuntime, treesModel } from "./trees-model.ts";

/** What a model is made from. */
export interface ModelSource {
  /** Its content: JSON of an ensemble, an ONNX file, or for `rules` JSON of the feature's name. */
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes, hex, as its manifest has it. */
  readonly sha256: string;
  /** Names of the features of the rows that it will be given. */
  readonly features: readonly string[];
  /** For messages. */
  readonly where: string;
  /** In the process for models, where another of the same name would take its place. `where` when absent. */
  readonly name?: string;
}

/** What serves it. */
export interface ModelHost {
  readonly engine: TreeEngine;
  /** Absent where no process may be started, as in a backtest: trees are then accepted without the second opinion. */
  readonly process: OnnxRuntime | undefined;
}

type Open = (source: ModelSource, host: ModelHost) => Model | Promise<Model>;

const OPEN = {
  rules: ({ bytes, features, where }) => {
    const feature = parse(bytes, where);
    if (typeof feature !== "string") throw new InputError(`${where}: is no name of a feature`);
    return rulesModel(features, feature);
  },
  trees: async ({ bytes, features, where, name = where }, { engine, process }) => {
    const ensemble = readEnsemble(parse(bytes, where), where);
    checkFeatures(ensemble.features, features, where);
    const model = treesModel(ensemble, engine);
    if (process !== undefined) await agreeWithOnnxRuntime(ensemble, model, process, where, name);
    return model;
  },
  onnx: ({ bytes, features, where, name = where }, { process }) => {
    if (process === undefined) throw new InputError(`${where}: ONNX models need the process for models`);
    return onnxModel(bytes, features, process, where, name);
  },
} satisfies Record<string, Open>;

export type ModelKind = keyof typeof OPEN;
export const MODEL_KINDS = Object.keys(OPEN) as readonly ModelKind[];

/**
 * A model ready to predict.
 * @throws InputError for an artefact that is not what its hash says, or not what its kind can be; ModelProcessLost when
 * the process for models ended over it. Whoever has a model keeps it.
 */
export async function openModel(kind: string, source: ModelSource, host: ModelHost): Promise<Model> {
  const { bytes, sha256, where } = source;
  if (!Object.hasOwn(OPEN, kind)) {
    throw new InputError(`${where}: no kind of model is named ${kind}; allowed: ${MODEL_KINDS.join(", ")}`);
  }
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash !== sha256) throw new InputError(`${where}: is damaged: its SHA-256 is ${hash}, not ${sha256}`);
  const open: Open = OPEN[kind as ModelKind];
  return await open(source, host);
}

function parse(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InputError(`${where}: is no JSON: ${(error as Error).message}`);
  }
}

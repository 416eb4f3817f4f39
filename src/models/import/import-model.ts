import { InputError } from "../../input-error.ts";
import { inspectOnnx, LARGEST_MODEL } from "../onnx/inspect.ts";
import { readEnsemble, type TreeEnsemble } from "../trees/ensemble.ts";
import { readLightgbm } from "./lightgbm.ts";
import { isTreeGraph, readOnnxTrees } from "./onnx-trees.ts";
import { readXgboost } from "./xgboost.ts";

/** A model that was trained elsewhere: trees become ours, any other graph stays what it is. */
export type ImportedModel =
  | {
      readonly kind: "trees";
      readonly source: "penstock" | "xgboost" | "lightgbm" | "onnx";
      readonly ensemble: TreeEnsemble;
    }
  | { readonly kind: "onnx"; readonly features: readonly string[] };

/**
 * What a file is, by what is in it. Call it in a process that may die (`ModelProcess.import`): the file is a stranger's.
 *
 * @param features the names that rows have; a file that names others, or another number, is refused.
 * @throws InputError that says what is wrong.
 */
export function importModel(bytes: Uint8Array, features: readonly string[], where: string): ImportedModel {
  if (bytes.length === 0) throw new InputError(`${where}: is empty`);
  if (bytes.length > LARGEST_MODEL) throw new InputError(`${where}: is larger than ${LARGEST_MODEL} bytes`);
  if (bytes[0] === 0x7b) {
    const json = parse(bytes, where);
    const source = typeof json === "object" && json !== null && "learner" in json ? "xgboost" : "penstock";
    return trees(source, source === "xgboost" ? readXgboost(json, where) : readEnsemble(json, where));
  }
  if (new TextDecoder().decode(bytes.subarray(0, 5)) === "tree\n") {
    return trees("lightgbm", readLightgbm(new TextDecoder().decode(bytes), where));
  }
  const model = inspectOnnx(bytes, where);
  if (isTreeGraph(model)) return trees("onnx", readOnnxTrees(model, where));
  return { kind: "onnx", features: named(model.features, model.width) };

  function trees(source: "penstock" | "xgboost" | "lightgbm" | "onnx", ensemble: TreeEnsemble): ImportedModel {
    const { length } = ensemble.features;
    // Files without names number them; their order is then taken for ours.
    const anonymous = ensemble.features.every((name, i) => name === `f${i}` || name === `Column_${i}`);
    const checked = { ...ensemble, features: named(anonymous ? undefined : ensemble.features, length) };
    return { kind: "trees", source, ensemble: readEnsemble(checked, where) };
  }

  function named(names: readonly string[] | undefined, width: number): readonly string[] {
    if (width !== features.length)
      throw new InputError(`${where}: has ${width} features; there are ${features.length}`);
    const other = names?.findIndex((name, i) => name !== features[i]) ?? -1;
    if (names === undefined || other < 0) return features;
    throw new InputError(`${where}: feature ${other} is ${names[other]}; here it is ${features[other]}`);
  }
}

function parse(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InputError(`${where}: is no JSON: ${(error as Error).message}`);
  }
}

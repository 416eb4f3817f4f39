import { checkPredictions, checkRows, type Model } from "./model.ts";
import type { ModelProcess } from "./process/model-process.ts";

/**
 * Any ONNX graph, served by ONNX Runtime in the process for models.
 * @throws InputError | ModelProcessLost when it cannot be loaded.
 */
export async function onnxModel(
  bytes: Uint8Array,
  features: readonly string[],
  runtime: ModelProcess,
  where: string,
): Promise<Model> {
  await runtime.load(where, bytes, features.length, where);
  const model: Model = {
    name: "onnx",
    features,
    // A network makes NaN of NaN.
    missing: "refused",
    async predict(rows, out) {
      const count = checkRows(model, rows, out);
      if (count === 0) return;
      const values = await runtime.predict(where, rows);
      checkPredictions(where, values, count);
      out.set(values);
    },
    close: () => runtime.unload(where),
  };
  return model;
}

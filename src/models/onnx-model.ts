import { checkPredictions, checkRows, type Model } from "./model.ts";
import type { OnnxRuntime } from "./process/model-process.ts";

/**
 * Any ONNX graph, served by ONNX Runtime in the process for models.
 * @param name that it has there
 * @throws InputError | ModelProcessLost when it cannot be loaded.
 */
export async function onnxModel(
  bytes: Uint8Array,
  features: readonly string[],
  runtime: OnnxRuntime,
  where: string,
  name = where,
): Promise<Model> {
  const missing = await runtime.load(name, bytes, features.length, where);
  const model: Model = {
    name: "onnx",
    features,
    missing,
    async predict(rows, out) {
      const count = checkRows(model, rows, out);
      if (count === 0) return;
      const values = await runtime.predict(name, rows);
      checkPredictions(where, values, count);
      out.set(values);
    },
    close: () => runtime.unload(name),
  };
  return model;
}

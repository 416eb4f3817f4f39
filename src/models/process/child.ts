import { InputError } from "../../input-error.ts";
import { dieWithParent } from "../../native.ts";
import { importModel } from "../import/import-model.ts";
import type { FromProcess, ToProcess } from "./protocol.ts";
import { OnnxSessions } from "./sessions.ts";

/**
 * The process for models: what strangers wrote is read here, and ONNX Runtime runs here. It may be killed at any moment;
 * ONNX Runtime would take a terminated worker's whole process with it.
 */
export function runModelProcess(): void {
  dieWithParent("SIGKILL");
  // Ctrl-C reaches the whole group: the parent decides the order in which things end.
  process.on("SIGINT", () => {});
  const sessions = new OnnxSessions();
  let before: Promise<void> = Promise.resolve();
  process.on("message", (message: ToProcess) => {
    before = before.then(async () => {
      process.send!(await answer(message, sessions));
    });
  });
  process.on("disconnect", () => process.exit(0));
}

async function answer(message: ToProcess, sessions: OnnxSessions): Promise<FromProcess> {
  const { task } = message;
  try {
    switch (message.kind) {
      case "import":
        return { task, kind: "imported", model: importModel(message.bytes, message.features, message.where) };
      case "load":
        return {
          ...{ task, kind: "loaded" },
          missing: await sessions.load(message.model, message.bytes, message.width, message.where),
        };
      case "unload":
        await sessions.unload(message.model);
        return { task, kind: "unloaded" };
      case "predict":
        return { task, kind: "predicted", values: await sessions.predict(message.model, message.rows) };
      default:
        return message satisfies never;
    }
  } catch (error) {
    // Anything else is a bug here or in the runtime: the process ends, and its owner says so.
    if (!(error instanceof InputError)) throw error;
    return { task, kind: "refused", message: error.message };
  }
}

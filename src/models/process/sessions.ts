import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { extract } from "../../extracted.ts";
import { InputError } from "../../input-error.ts";
import { preloadLibrary, setEnvironment } from "../../native.ts";
import { COMPILED } from "../../this-program.ts";
import { inspectOnnx } from "../onnx/inspect.ts";

type Runtime = typeof import("onnxruntime-node");

interface Session {
  readonly session: InferenceSession;
  readonly input: string;
  readonly output: string;
  readonly width: number;
}

/** Names that exporters give to what is wanted, the most telling first. */
const OUTPUTS = ["prediction", "probabilities", "output_probability", "probability", "variable", "output"];

/** Models in ONNX Runtime, on one thread each call. */
export class OnnxSessions {
  readonly #sessions = new Map<string, Session>();
  #runtime: Promise<Runtime> | undefined;

  /**
   * @returns whether its rows may lack values
   * @throws InputError for a file that cannot be served; one of the same name stays what it was.
   */
  async load(name: string, bytes: Uint8Array, width: number, where: string): Promise<"allowed" | "refused"> {
    const { input, outputs, width: own, missing } = inspectOnnx(bytes, where);
    if (own !== width) throw new InputError(`${where}: has ${own} features; there are ${width}`);
    this.#runtime ??= loadRuntime();
    const { InferenceSession } = await this.#runtime;
    let session: InferenceSession;
    try {
      session = await InferenceSession.create(bytes, {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        executionMode: "sequential",
        logSeverityLevel: 3,
      });
    } catch (error) {
      throw new InputError(`${where}: ONNX Runtime refuses it: ${(error as Error).message}`);
    }
    const tensors = session.outputMetadata.filter((each) => each.isTensor && each.type === "float32");
    const names = tensors.map((each) => each.name);
    const output = OUTPUTS.find((each) => names.includes(each)) ?? (names.length === 1 ? names[0] : undefined);
    if (output === undefined) {
      await session.release();
      throw new InputError(
        `${where}: no output is known to be the prediction among ${outputs.join(", ")}; it must be a float32 tensor ` +
          `(an exporter's ZipMap has to be off), the only one or named ${OUTPUTS.join(", ")}`,
      );
    }
    await this.unload(name);
    this.#sessions.set(name, { session, input, output, width });
    return missing;
  }

  /** Forgets a model, if there is one of this name. */
  async unload(name: string): Promise<void> {
    const known = this.#sessions.get(name);
    this.#sessions.delete(name);
    await known?.session.release();
  }

  /**
   * One number per row: of [N] and [N, 1] the number, of [N, 2] the probability of the second class.
   * @throws InputError for any other shape, and for two columns that are not the probabilities of two classes.
   */
  async predict(name: string, rows: Float32Array): Promise<Float64Array> {
    const { session, input, output, width } = this.#sessions.get(name)!;
    const { Tensor } = await this.#runtime!;
    const count = rows.length / width;
    let result: Tensor;
    try {
      result = (await session.run({ [input]: new Tensor("float32", rows, [count, width]) }, [output]))[output]!;
    } catch (error) {
      throw new InputError(`model ${name}: ONNX Runtime failed: ${(error as Error).message}`);
    }
    const [rowsOut, columns = 1] = result.dims;
    if (rowsOut !== count || result.dims.length > 2 || columns > 2) {
      throw new InputError(`model ${name}: predicts [${result.dims}] for ${count} rows; allowed: [N], [N, 1], [N, 2]`);
    }
    const data = result.data as Float32Array;
    if (columns === 2) checkClasses(data, name);
    return Float64Array.from({ length: count }, (_, row) => data[row * columns + columns - 1]!);
  }
}

/** How far the sum of two probabilities in float32 may be from 1. */
const ROUNDING = 1e-4;

/** Scores of two classes may look like probabilities in one row and not in the next: both columns tell. */
function checkClasses(data: Float32Array, name: string): void {
  for (let i = 0; i < data.length; i += 2) {
    const [no, yes] = [data[i]!, data[i + 1]!];
    if (no >= 0 && yes >= 0 && Math.abs(no + yes - 1) <= ROUNDING) continue;
    throw new InputError(
      `model ${name}: predicts ${no} and ${yes} for row ${i / 2}, which are no probabilities of two classes; ` +
        "end the graph with Softmax",
    );
  }
}

/** The file of ONNX Runtime that its Node binding is linked to. */
const LIBRARY = "libonnxruntime.so.1";

/**
 * In the compiled program the binding lies within, and the library that it needs beside it. Bun would unpack the binding
 * to a place that everybody can foresee, and take what it finds there: so its place for such files is an empty folder of
 * our own, gone when the binding is loaded. The library is checked by its hash; once one of that name is loaded, the
 * system asks for no file.
 */
async function loadRuntime(): Promise<Runtime> {
  // It would report what it is used for to its makers (onnxruntime/core/platform/posix/telemetry.cc).
  setEnvironment("ORT_DISABLE_TELEMETRY", "1");
  if (!COMPILED) return await import("onnxruntime-node");
  preloadLibrary(extract(join("/$bunfs/root", process.arch, LIBRARY)), "OrtGetApiBase");
  const folder = mkdtempSync(join(tmpdir(), "penstock-onnx-"));
  try {
    setEnvironment("BUN_TMPDIR", folder);
    return await import("onnxruntime-node");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TreeDataset } from "../../src/models/trees/objective.ts";
import type { TreeParameters } from "../../src/models/trees/train.ts";

/** XGBoost and LightGBM in a Python process: `PENSTOCK_PYTHON`, by default python3, needs xgboost, lightgbm and numpy. */
export class Peers {
  readonly #folder: string;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  constructor(folder: string) {
    this.#folder = folder;
    const python = process.env.PENSTOCK_PYTHON ?? "python3";
    this.#child = Bun.spawn([python, join(import.meta.dir, "peers.py")], {
      stdio: ["pipe", "pipe", "inherit"],
      // Threads that wait actively would slow down whoever else is being timed.
      env: { ...process.env, OMP_WAIT_POLICY: "PASSIVE" },
    });
    this.#lines = linesOf(this.#child.stdout);
  }

  versions = () => this.#ask<{ xgboost: string; lightgbm: string }>({ do: "versions" });

  async load(name: string, { rows, labels, names }: TreeDataset): Promise<void> {
    writeFileSync(join(this.#folder, `${name}.rows`), rows);
    writeFileSync(join(this.#folder, `${name}.labels`), Float64Array.from(labels));
    await this.#ask({ do: "load", name, folder: this.#folder, width: names.length });
  }

  train = (peer: Peer, name: string, parameters: TreeParameters) =>
    this.#ask<{ wall: number; cpu: number }>({
      do: "train",
      peer,
      name,
      parameters: { ...parameters, kind: parameters.objective.kind },
    });

  async score(peer: Peer, name: string): Promise<Float64Array> {
    return Float64Array.from((await this.#ask<{ scores: number[] }>({ do: "score", peer, name })).scores);
  }

  /** XGBoost's `inplace_predict` on one thread, µs per batch. */
  predict = async (name: string, size: number, rounds: number) =>
    (await this.#ask<{ times: number[] }>({ do: "predict", name, size, rounds })).times;

  end(): void {
    this.#child.kill();
  }

  async #ask<T>(request: object): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    this.#child.stdin.flush();
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the Python process ended; it needs xgboost, lightgbm and numpy");
    return JSON.parse(value);
  }
}

export type Peer = "xgboost" | "lightgbm";

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

import { join } from "node:path";
import { ModelFolder } from "../../src/learning/registry.ts";
import { MAIN } from "../end-to-end/penstock.ts";
import { trained } from "../learning/trained.ts";

export const VIEWER = "viewer-token-of-the-test";

/** A run of `hybrid` with two models that have passed the gate, the second of them champion, and one refused. */
export interface ModelRun {
  readonly child: Bun.Subprocess;
  readonly base: string;
  readonly token: string;
  /** Ids, the champion first. */
  readonly ids: readonly [champion: string, former: string, refused: string];
}

/** Starts it in a folder. The caller ends it. */
export async function startModelRun(folder: string): Promise<ModelRun> {
  const registry = new ModelFolder(join(folder, "data", "models"));
  const passed = [trained("signal", 1).result, trained("signal", 2).result];
  for (const { manifest, artefact, details } of passed) {
    registry.add(manifest, artefact, { details });
    registry.move(manifest.id, "shadow", "passed the gate", manifest.createdAt);
    registry.move(manifest.id, "champion", "the test says so", manifest.createdAt);
  }
  const { manifest, artefact } = trained("noise", 1).result;
  registry.add(manifest, artefact);
  registry.move(manifest.id, "refused", "the gate", manifest.createdAt);

  const child = Bun.spawn([process.execPath, MAIN, "run", "--speed", "60x", "--generated", "4"], {
    cwd: folder,
    env: {
      ...{ PATH: process.env.PATH ?? "", DATA_DIR: join(folder, "data"), ADMIN_PORT: "0", ADMIN_VIEWER_TOKEN: VIEWER },
      ...{ STRATEGY_MODE: "hybrid", ENABLE_STORE: "false", MODEL_MAX_AGE_HOURS: "87600" },
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const reader = child.stderr.getReader();
  let text = "";
  while (!text.includes("#token=") || !text.endsWith("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the run ended: ${text}`);
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  const [base, token] = /http\S+/.exec(text)![0].split("/#token=") as [string, string];
  const [former, champion] = passed.map((result) => result.manifest.id) as [string, string];
  return { child, base, token, ids: [champion, former, manifest.id] };
}

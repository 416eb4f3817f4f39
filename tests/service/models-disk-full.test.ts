import { afterAll, expect, test } from "bun:test";
import { appendFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { ModelFolder } from "../../src/learning/registry.ts";
import { train } from "../../src/learning/training.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import { LearningLoop } from "../../src/service/learning-loop.ts";
import { serveModel } from "../../src/service/models.ts";
import { startRetraining } from "../../src/service/retraining.ts";
import { plantedTask, trained } from "../learning/trained.ts";
import { smallDisk } from "../small-disk.ts";
import { temporaryFolder } from "../store/database.ts";

const disk = smallDisk(temporaryFolder(), 2);
afterAll(() => disk?.remove());

const [A, B] = [trained("signal", 1).result, trained("signal", 2).result];
const HOUR = 3_600_000;
const PAGE = 4096;

test.skipIf(disk === undefined)(
  "a full disk during training and swap: nothing half-written, the champion goes on; with room all goes on",
  async () => {
    const { folder, fill } = disk!;
    const registry = new ModelFolder(join(folder, "models"));
    registry.add(A.manifest, A.artefact);
    for (const state of ["shadow", "champion"] as const) registry.move(A.manifest.id, state, "the test says so", 1);
    const { settings } = loadSettings({ DATA_DIR: folder, STRATEGY_MODE: "hybrid" }, ["MODEL_SHADOW_HOURS=0"]);
    const said: string[] = [];
    const loop = new LearningLoop({
      ...{ settings, strategy: "hybrid", registry, costs: { takerFee: 0, slippage: 0 }, market: "a test", symbols: [] },
      onNotice: (level, text) => said.push(`${level} ${text}`),
      startTraining: () =>
        startRetraining({
          args: ["--generated", "2", "--to", String(GENERATED_START + HOUR), "--set", `DATA_DIR=${folder}`],
          ...{ env: process.env, memoryLimitMb: 2048, timeout: 60_000 },
        }),
    });
    const decides = async () => {
      await loop.begin(1);
      const swap = loop.takeSwap();
      if (swap !== undefined) loop.swapped(swap);
      return loop.view(1).model;
    };
    expect(await decides()).toBe(A.manifest.id);

    // Files have room up to the end of their last page; ten bytes are left for the next line to be torn after.
    const life = join(folder, "models", "life.jsonl");
    appendFileSync(life, "\n".repeat(PAGE - 10 - (statSync(life).size % PAGE)));
    fill("ballast");
    // The training fails with a sentence, and says so.
    loop.train("the test");
    while (loop.view(1).trainingFailures === 0) await Bun.sleep(20);
    expect(said.at(-1)).toMatch(/^warning training came to nothing, the model in charge stays: .*cannot be written/);
    // So does one that comes as far as the registry, and the ledger counts nothing that is not in its file.
    expect(() => train(plantedTask("signal", 1, join(folder, "models")))).toThrow("trials.jsonl: cannot be written");
    expect(new ModelFolder(join(folder, "models")).ledger.trials).toHaveLength(0);
    expect(() => registry.add(B.manifest, B.artefact)).toThrow("cannot be written");
    expect(() => registry.move(A.manifest.id, "retired", "no room", 2)).toThrow("life.jsonl: cannot be written");
    expect(readdirSync(join(folder, "models")).filter((name) => name.includes(B.manifest.id))).toEqual([]);
    expect(await decides()).toBe(A.manifest.id);
    expect(serveModel(registry, A.manifest.id, settings).manifest.id).toBe(A.manifest.id);
    // An operator is told, and nothing changes.
    expect(() => loop.rollback()).toThrow("cannot be written");
    expect(await decides()).toBe(A.manifest.id);

    rmSync(join(folder, "ballast"));
    registry.add(B.manifest, B.artefact);
    registry.move(B.manifest.id, "shadow", "room again", 3);
    registry.move(B.manifest.id, "champion", "room again", 3);
    expect(await decides()).toBe(B.manifest.id);
    expect(registry.steps.map(({ to }) => to)).toEqual([
      ...["candidate", "shadow", "champion", "candidate", "shadow", "retired", "champion"],
    ] as never);
    loop.close();
  },
);

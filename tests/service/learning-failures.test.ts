import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { hashModel, type ModelManifest } from "../../src/learning/manifest.ts";
import { ModelFolder } from "../../src/learning/registry.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import { LearningLoop } from "../../src/service/learning-loop.ts";
import { startRetraining } from "../../src/service/retraining.ts";
import { selfCommand } from "../../src/this-program.ts";
import { candidate } from "../core/core-fixture.ts";
import { addNet, netModel } from "../learning/net-model.ts";
import { trained } from "../learning/trained.ts";
import { temporaryFolder } from "../store/database.ts";

/**
 * Whatever goes wrong while a model is trained or put in charge: the champion goes on deciding as before, the registry
 * is what it was, and the operator is told. A full disk of the whole registry is in models-disk-full.test.ts, what it
 * means for cycles of a run in hot-swap.test.ts.
 */

const [A, B] = [trained("signal", 1).result, trained("signal", 2).result];
const [CHAMPION, NEXT] = [A.manifest.id, B.manifest.id];
const script = (text: string) => [process.execPath, "-e", text];

interface Training {
  readonly command: readonly string[];
  readonly memoryLimitMb?: number;
  readonly timeout?: number;
}

/** A learning loop with a champion in charge and a model that waits in the shadow. */
class Stage {
  readonly dir = temporaryFolder();
  readonly registry = new ModelFolder(join(this.dir, "models"));
  readonly said: string[] = [];
  readonly loop: LearningLoop;

  private constructor(training?: Training) {
    for (const { manifest, artefact } of [A, B]) {
      this.registry.add(manifest, artefact);
      this.registry.move(manifest.id, "shadow", "passed the gate", 1);
    }
    this.registry.move(CHAMPION, "champion", "the test says so", 1);
    const { settings } = loadSettings({ DATA_DIR: this.dir, STRATEGY_MODE: "hybrid" });
    this.loop = new LearningLoop({
      ...{ settings, strategy: "hybrid", registry: this.registry, costs: { takerFee: 0, slippage: 0 } },
      ...{ market: "a test", symbols: ["AUSDT"], onNotice: (level, text) => this.said.push(`${level}: ${text}`) },
      startTraining: () =>
        startRetraining({
          ...{ args: [], memoryLimitMb: training?.memoryLimitMb ?? 1024, timeout: training?.timeout ?? 600_000 },
          env: { ...process.env, DATA_DIR: this.dir },
          ...(training === undefined ? {} : { command: training.command }),
        }),
    });
  }

  static async with(training?: Training): Promise<Stage> {
    const stage = new Stage(training);
    await stage.look();
    return stage;
  }

  async look(): Promise<void> {
    await this.loop.begin(1);
    const swap = this.loop.takeSwap();
    if (swap !== undefined) this.loop.swapped(swap);
  }

  /** What is decided on a candidate, and by whom. */
  async decision() {
    const event = { kind: "analysis", time: 1, symbol: -1, cycle: 1, regimes: [] } as const;
    const features = new Float32Array(31).fill(0.1);
    const { event: judged } = await this.loop.judged({ ...event, candidates: [candidate({ features })] });
    return judged.candidates[0]?.prediction;
  }
}

describe("while a training", () => {
  const trainHere = ["train", "--json", "--generated", "2", "--to", String(GENERATED_START + 3_600_000)];
  const failures: readonly [what: string, training: Training, reason: RegExp][] = [
    ["is killed", { command: script('process.kill(process.pid, "SIGKILL")') }, /stays: it ended with signal SIGKILL$/],
    [
      "takes more memory than it may",
      {
        command: script("const all = []; for (;;) all.push(new Uint8Array(16e6).fill(1));"),
        memoryLimitMb: 300,
      },
      // An allocation of the program fails, or one of the garbage collector, which ends it at once.
      /stays: it ended with (code 1: RangeError: Out of memory|signal \w+)/,
    ],
    ["hangs", { command: script("setInterval(() => {}, 1000)"), timeout: 300 }, /stays: it took longer than/],
    ["talks nonsense", { command: script('console.log("{")') }, /stays: what it printed is no outcome/],
    [
      "finds no room for its files",
      // Files may have one block each: as good as a full disk, and nobody needs a right to mount one.
      { command: ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", ...selfCommand(), ...trainHere] },
      /stays: it ended with code 1: .*cannot be written: EFBIG/,
    ],
  ];
  test.each(failures)("%s, the champion decides as before and the operator is told", async (_, training, reason) => {
    const stage = await Stage.with(training);
    const [before, steps] = [await stage.decision(), stage.registry.steps];
    expect(before?.model).toBe(CHAMPION);
    stage.loop.train("the test");
    while (stage.loop.view(1).trainingFailures === 0) {
      expect(await stage.decision()).toEqual(before);
      await Bun.sleep(1);
    }
    await stage.look();
    expect(await stage.decision()).toEqual(before);
    expect(stage.registry.steps).toEqual(steps);
    expect(stage.said.at(-1)).toStartWith("warning: training came to nothing, the model in charge stays: ");
    expect(stage.said.at(-1)).toMatch(reason);
    stage.loop.close();
  });
});

describe("when a champion that takes over", () => {
  const write = (path: string, manifest: ModelManifest) => writeFileSync(path, JSON.stringify(manifest));
  const damages: readonly [what: string, damage: (folder: string) => void, reason: string][] = [
    [
      "is cut off",
      (folder) => {
        const path = join(folder, "model.json");
        writeFileSync(path, readFileSync(path).subarray(0, 1000));
      },
      "its content is not what was registered",
    ],
    [
      "has a flipped bit",
      (folder) => {
        const path = join(folder, "model.json");
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1]! ^= 1;
        writeFileSync(path, bytes);
      },
      "its content is not what was registered",
    ],
    [
      "cannot be read",
      // A folder in its place: rights would not keep root from reading.
      (folder) => {
        rmSync(join(folder, "model.json"));
        mkdirSync(join(folder, "model.json"));
      },
      "model.json: cannot be read: EISDIR",
    ],
    ["is gone", (folder) => rmSync(join(folder, "model.json")), "is missing"],
    ["has a manifest that is cut off", (folder) => writeFileSync(join(folder, "manifest.json"), "{"), "is no manifest"],
    [
      "has the manifest of another",
      (folder) => write(join(folder, "manifest.json"), A.manifest),
      `is the manifest of ${CHAMPION}`,
    ],
    [
      "bets more than it was registered with",
      (folder) => write(join(folder, "manifest.json"), { ...B.manifest, sizeScale: 9 }),
      "the manifest was changed",
    ],
    [
      "takes rows of another shape",
      (folder) => {
        const { columns } = B.manifest;
        const other = { ...B.manifest, columns: [...columns.slice(1), columns[0]!] };
        write(join(folder, "manifest.json"), { ...other, modelHash: hashModel(other) });
      },
      "columns that are not the",
    ],
  ];
  test.each(damages)(
    "%s, the one before it goes on deciding, and the operator is told once",
    async (_, damage, reason) => {
      const stage = await Stage.with();
      const before = await stage.decision();
      expect(before?.model).toBe(CHAMPION);
      stage.registry.move(NEXT, "champion", "the test says so", 2);
      damage(join(stage.dir, "models", NEXT));
      const already = stage.said.length;
      for (let i = 0; i < 3; i++) await stage.look();
      expect(await stage.decision()).toEqual(before);
      const [alarm, ...more] = stage.said.slice(already);
      expect(more).toEqual([]);
      expect(alarm).toStartWith(`alarm: model ${NEXT} cannot be used, ${CHAMPION} goes on deciding: `);
      expect(alarm).toContain(reason);
      // It harms nobody else: the one before can be put in charge again, and is listed.
      stage.registry.move(CHAMPION, "champion", "the operator goes back", 3);
      expect(stage.registry.list().map(({ manifest }) => manifest.id)).toContain(CHAMPION);
      expect(stage.registry.champion("hybrid")?.manifest.id).toBe(CHAMPION);
    },
  );

  test("is the same one, with its files damaged since it was read: it goes on deciding", async () => {
    const stage = await Stage.with();
    const before = await stage.decision();
    for (const file of ["manifest.json", "model.json"]) writeFileSync(join(stage.dir, "models", CHAMPION, file), "");
    await stage.look();
    expect(await stage.decision()).toEqual(before);
  });

  test("is written down while the machine stops: one of the two decides, whatever byte was the last", async () => {
    const { registry, dir } = await Stage.with();
    const path = join(dir, "models", "life.jsonl");
    const before = readFileSync(path);
    registry.move(NEXT, "champion", "the test says so", 2);
    const after = readFileSync(path);
    expect(registry.steps.slice(-2)).toMatchObject([
      { model: CHAMPION, to: "retired", reason: `${NEXT} takes its place: the test says so` },
      { model: NEXT, to: "champion" },
    ]);
    for (let length = before.length; length <= after.length; length++) {
      writeFileSync(path, after.subarray(0, length));
      const whole = length >= after.length - 1;
      const models = new ModelFolder(join(dir, "models"));
      expect(models.roles("hybrid").champion).toBe(whole ? NEXT : CHAMPION);
      expect(models.list().map(({ state }) => state)).toEqual(whole ? ["retired", "champion"] : ["champion", "shadow"]);
    }
  });
});

describe("what cannot be read of the registry", () => {
  test("is told once where it is who decides: the one in charge stays, and is found again", async () => {
    const stage = await Stage.with();
    const before = await stage.decision();
    const path = join(stage.dir, "models", "life.jsonl");
    const life = readFileSync(path);
    rmSync(path);
    mkdirSync(path);
    const already = stage.said.length;
    for (let i = 0; i < 3; i++) await stage.look();
    expect(await stage.decision()).toEqual(before);
    expect(stage.said.slice(already)).toEqual([
      `warning: the registry of models cannot be read, the model in charge stays: ${path}: cannot be read: EISDIR: illegal operation on a directory, read`,
    ]);
    rmSync(path, { recursive: true });
    writeFileSync(path, life);
    stage.registry.move(NEXT, "champion", "the test says so", 2);
    await stage.look();
    expect((await stage.decision())?.model).toBe(NEXT);
  });

  test("is told once where it is what a shadow has shown: it is closed, and not opened again with every look", async () => {
    const dir = temporaryFolder();
    const registry = new ModelFolder(join(dir, "models"));
    const net = netModel("hybrid", 1);
    addNet(registry, net, "shadow");
    mkdirSync(join(dir, "models", "shadow.jsonl"));
    const { settings } = loadSettings({ DATA_DIR: dir, STRATEGY_MODE: "hybrid" });
    const [said, loaded, open]: [string[], string[], Set<string>] = [[], [], new Set()];
    const loop = new LearningLoop({
      ...{ settings, strategy: "hybrid", registry, costs: { takerFee: 0, slippage: 0 } },
      ...{ market: "a test", symbols: ["AUSDT"], onNotice: (level, text) => said.push(`${level}: ${text}`) },
      runtime: {
        load: async (model) => {
          loaded.push(model);
          open.add(model);
          return "allowed";
        },
        predict: async (_, x) => new Float64Array(x.length / net.manifest.columns.length).fill(0.5),
        unload: (model) => void open.delete(model),
        rest: () => {},
        close: async () => {},
      },
    });
    for (let i = 0; i < 3; i++) await loop.begin(1);
    expect(said).toHaveLength(1);
    expect(said[0]).toStartWith(`alarm: model ${net.manifest.id} cannot be used, the rules decide: `);
    expect(said[0]).toContain("shadow.jsonl: cannot be read: EISDIR");
    expect([loaded.length, open.size]).toEqual([1, 0]);
    loop.close();
  });
});

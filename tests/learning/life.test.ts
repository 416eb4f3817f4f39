import { afterEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Judge, mirrored, predictionOf } from "../../src/learning/judge.ts";
import { TrialLedger } from "../../src/learning/ledger.ts";
import type { ModelManifest } from "../../src/learning/manifest.ts";
import { ModelFolder } from "../../src/learning/registry.ts";
import { type Checkpoint, train } from "../../src/learning/training.ts";
import { loadTrees } from "../../src/learning/trees.ts";
import { serveModel } from "../../src/service/models.ts";
import { candidate } from "../core/core-fixture.ts";
import { plantedTask, trained } from "./trained.ts";

const SERVING = { PROCESS_MEMORY_LIMIT_MB: 1024 };
const folders: string[] = [];
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "penstock-models-"));
  folders.push(dir);
  return dir;
};
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

describe("a training", () => {
  test("finds a planted signal and lets it through; refuses noise and shuffled labels", () => {
    const { manifest, details } = trained("signal", 1).result;
    expect(manifest.gate.filter(({ passed }) => !passed)).toEqual([]);
    expect(manifest.passed).toBe(true);
    expect(manifest.metrics.auc).toBeGreaterThan(0.6);
    expect(manifest.metrics.walkForwardSharpe).toBeGreaterThan(details.sharpes.ict);
    expect(manifest.metrics.trials).toBe(2);
    for (const what of ["noise", "permuted"] as const) {
      for (const seed of [1, 2]) expect(trained(what, seed).result.manifest.passed).toBe(false);
    }
  });

  test("made again gives the same model and counts no new trial", () => {
    const dir = folder();
    const first = train(plantedTask("signal", 1, dir));
    const second = train(plantedTask("signal", 1, dir));
    expect(second.manifest).toEqual(first.manifest);
    expect(second.artefact).toEqual(first.artefact);
    expect(first.manifest).toEqual(trained("signal", 1).result.manifest);
  });

  test("that was cut off goes on with what is finished and comes to the same", () => {
    const dir = folder();
    const kept = new Map<string, string>();
    const checkpoint: Checkpoint = {
      get: (name) => {
        const text = kept.get(name);
        return text === undefined ? undefined : JSON.parse(text);
      },
      put: (name, value) => {
        if (kept.size === 2) throw new Error("the power is gone");
        kept.set(name, JSON.stringify(value));
      },
    };
    expect(() => train({ ...plantedTask("signal", 1, dir), checkpoint })).toThrow("power");
    expect(kept.size).toBe(2);
    const resumed = train({ ...plantedTask("signal", 1, dir), checkpoint: { ...checkpoint, put: () => {} } });
    expect(resumed.manifest).toEqual(trained("signal", 1).result.manifest);
  });

  test("more trials in the ledger deflate its Sharpe ratio", () => {
    const dir = folder();
    const ledger = new TrialLedger(join(dir, "trials.jsonl"));
    const alone = trained("permuted", 2).result.manifest.metrics.deflatedSharpe;
    const luck = (i: number) => ({
      at: 0,
      kind: "x",
      variant: `${i}`,
      parameters: {},
      seed: 0,
      dataHash: "",
      sharpe: (i % 7) / 20,
      periods: 300,
    });
    ledger.append(Array.from({ length: 200 }, (_, i) => luck(i)));
    const among = train(plantedTask("permuted", 2, dir)).manifest;
    expect(among.metrics.trials).toBe(202);
    expect(among.metrics.deflatedSharpe).toBeLessThan(alone);
  });
});

describe("the ledger", () => {
  const trial = {
    at: 1,
    kind: "k",
    variant: "v",
    parameters: { a: 1 },
    seed: 2,
    dataHash: "d",
    sharpe: 0.1,
    periods: 9,
  };

  test("is the same when it is read again, and shows every change", () => {
    const path = join(folder(), "trials.jsonl");
    const ledger = new TrialLedger(path);
    ledger.append([trial, { ...trial, seed: 3 }, { ...trial, seed: 4 }]);
    expect(new TrialLedger(path).hash).toBe(ledger.hash);
    expect(new TrialLedger(path).trials).toHaveLength(3);
    const lines = readFileSync(path, "utf8");
    writeFileSync(path, lines.replace('"seed":3', '"seed":5'));
    expect(() => new TrialLedger(path)).toThrow("line 2 does not follow");
    writeFileSync(
      path,
      lines
        .split("\n")
        .filter((_, i) => i !== 1)
        .join("\n"),
    );
    expect(() => new TrialLedger(path)).toThrow("line 2 does not follow");
  });

  test("goes on after a line that a crash has torn", () => {
    const path = join(folder(), "trials.jsonl");
    new TrialLedger(path).append([trial]);
    appendFileSync(path, '{"at":1,"ki');
    const ledger = new TrialLedger(path);
    expect(ledger.trials).toHaveLength(1);
    ledger.append([{ ...trial, seed: 9 }]);
    expect(new TrialLedger(path).trials).toHaveLength(2);
  });
});

describe("the life of a model", () => {
  const [one, two] = [trained("signal", 1).result, trained("signal", 2).result];
  const refused = trained("noise", 1).result;
  const [A, B] = [one.manifest.id, two.manifest.id];

  function registryOf(...results: readonly (typeof one)[]): { dir: string; registry: ModelFolder } {
    const dir = folder();
    const registry = new ModelFolder(dir);
    for (const { manifest, artefact } of results) registry.add(manifest, artefact);
    return { dir, registry };
  }

  test("candidate, shadow, champion, retired; the next champion retires the last", () => {
    const { dir, registry } = registryOf(one, two);
    for (const id of [A, B]) registry.move(id, "shadow", "gate", 1);
    expect(registry.champion("hybrid")).toBeUndefined();
    registry.move(A, "champion", "first", 2);
    registry.move(B, "champion", "better", 3);
    expect(registry.list().map(({ manifest, state }) => [manifest.id, state])).toEqual([
      [A, "retired"],
      [B, "champion"],
    ]);
    expect(registry.formerChampions("hybrid").map(({ manifest }) => manifest.id)).toEqual([A]);
    // Back to the one before, by whoever opens the folder next.
    const other = new ModelFolder(dir);
    other.move(A, "champion", "rolled back", 4);
    expect(registry.champion("hybrid")?.manifest.id).toBe(A);
    expect(registry.champion("self_learning")).toBeUndefined();
    expect(registry.steps.map(({ to }) => to)).toEqual([
      "candidate",
      "candidate",
      "shadow",
      "shadow",
      "champion",
      "retired",
      "champion",
      "retired",
      "champion",
    ]);
  });

  test("nothing that did not pass the gate decides, and no step is skipped", () => {
    const { registry } = registryOf(one, refused);
    expect(() => registry.move(A, "champion", "", 1)).toThrow("is candidate; it cannot become champion");
    expect(() => registry.move(refused.manifest.id, "shadow", "", 1)).toThrow("did not pass the gate");
    registry.move(refused.manifest.id, "refused", "", 1);
    expect(() => registry.move(refused.manifest.id, "champion", "", 1)).toThrow("is refused");
    expect(() => registry.get("ffff")).toThrow("there is no model ffff");
  });

  test("a changed artefact, a changed manifest, one of another shape: refused with the reason", () => {
    const { dir, registry } = registryOf(one);
    const artefact = join(dir, A, "model.json");
    const manifest = join(dir, A, "manifest.json");
    const [whole, description] = [readFileSync(artefact, "utf8"), readFileSync(manifest, "utf8")];
    expect(serveModel(registry, A, SERVING).manifest.id).toBe(A);
    writeFileSync(artefact, whole.slice(0, -100));
    expect(() => serveModel(registry, A, SERVING)).toThrow("its content is not what was registered");
    rmSync(artefact);
    expect(() => serveModel(registry, A, SERVING)).toThrow("is missing");
    writeFileSync(artefact, whole);
    writeFileSync(manifest, description.replace(/"threshold":[\d.]+/, '"threshold":0.01'));
    expect(() => serveModel(registry, A, SERVING)).toThrow("the manifest was changed");
    writeFileSync(manifest, description.replace('"emaSpread5m","emaSpread1h"', '"emaSpread1h"'));
    expect(() => serveModel(registry, A, SERVING)).toThrow("missing: emaSpread5m");
    writeFileSync(manifest, "{");
    expect(() => serveModel(registry, A, SERVING)).toThrow("is no manifest");
  });

  test("trees of other columns or objectives are no model", () => {
    const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const trees = JSON.parse(new TextDecoder().decode(one.artefact));
    expect(() => loadTrees(bytes({ ...trees, objective: { kind: "squared" } }), "x")).toThrow("allowed is logistic");
    const swapped = [trees.features[1], trees.features[0], ...trees.features.slice(2)];
    expect(() => loadTrees(bytes({ ...trees, features: swapped }), "x")).toThrow("column 0 is emaSpread1h");
    expect(() => loadTrees(new TextEncoder().encode("PK"), "x")).toThrow("x: is no JSON");
  });
});

describe("the judge", () => {
  const { manifest, artefact } = trained("signal", 1).result;
  const model = { manifest, score: (x: Float32Array, rows: number) => loadTrees(artefact, "x").score(x, rows) };
  const features = new Float32Array(31);
  const event = (...candidates: ReturnType<typeof candidate>[]) =>
    ({ kind: "analysis", time: 1, symbol: -1, cycle: 1, regimes: [], candidates }) as const;
  const probe = (symbol: number) => candidate({ symbol, strategy: "probe", setup: "open", confidence: 0, features });

  test("without a model the event stays the event, and probes are nobody's", () => {
    const plain = event(candidate({ features }));
    expect(new Judge().judge(plain)).toBe(plain);
    expect(
      new Judge().judge(event(probe(0), candidate({ features }))).candidates.map(({ strategy }) => strategy),
    ).toEqual(["test"]);
  });

  test("a model of hybrid judges what ict proposes", () => {
    const judge = new Judge(model);
    const [judged, ...more] = judge.judge(event(candidate({ features }), probe(1))).candidates;
    expect(more).toEqual([]);
    expect(judged).toMatchObject({ strategy: "hybrid", confidence: candidate({}).confidence });
    expect(judged!.prediction!.model).toBe(manifest.id);
    expect(judged!.prediction!.probability).toBeWithin(0, 1);
    judge.swap(undefined);
    expect(judge.judge(event(candidate({ features }))).candidates[0]!.prediction).toBeUndefined();
  });

  test("a model of self_learning takes the better side of a probe, or neither", () => {
    // The last column is the direction: this one likes shorts.
    const chance = (x: Float32Array, rows: number) =>
      Float64Array.from({ length: rows }, (_, i) => (x[i * 32 + 31] === -1 ? 0.62 : 0.2));
    const bold = { ...manifest, strategy: "self_learning", calibration: { kind: "none" }, threshold: 0.4 } as const;
    const open = { ...bold, conformal: { scores: [1] }, domain: { ...bold.domain, limit: 1e9 } };
    const [taken, ...more] = new Judge({ manifest: open, score: chance }).judge(
      event(probe(0), candidate({ features })),
    ).candidates;
    expect(more).toEqual([]);
    const { stop, target, entry } = mirrored(probe(0));
    expect(taken).toMatchObject({ strategy: "self_learning", direction: -1, confidence: 0.62, stop, target, entry });
    expect(stop).toBeGreaterThan(entry);
    const shy = { ...open, threshold: 0.9 };
    expect(new Judge({ manifest: shy, score: chance }).judge(event(probe(0))).candidates).toEqual([]);
  });

  test("no bet on a row unlike the training data, on an outcome that is ruled out, or on nonsense", () => {
    const row = new Float32Array(32);
    const sure = { ...manifest, calibration: { kind: "none" }, threshold: 0.3, conformal: { scores: [0.6] } } as const;
    const size = (raw: number, x: Float32Array, own: ModelManifest = sure) =>
      predictionOf(own, raw, x, { alpha: 0.5, sizeFactor: 1 }).size;
    const near = { ...sure, domain: { ...sure.domain, limit: 1e9 } };
    expect(size(0.7, row, near)).toBeGreaterThan(0);
    expect(
      size(
        0.7,
        row.map(() => 50),
      ),
    ).toBe(0);
    expect(size(0.35, row, near)).toBe(0);
    expect(size(Number.NaN, row, near)).toBe(0);
    // Where a loss is possible as well the bet is half.
    expect(size(0.55, row, near)).toBeLessThan(size(0.55, row, { ...near, conformal: { scores: [0.5] } }));
    expect(predictionOf(near, 0.7, row, { alpha: 0.5, sizeFactor: 0.5 }).size).toBe(size(0.7, row, near) / 2);
  });
});

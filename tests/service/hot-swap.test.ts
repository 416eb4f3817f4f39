import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { Event } from "../../src/core/events.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { ModelFolder } from "../../src/learning/registry.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import type { Swap } from "../../src/service/learning-loop.ts";
import { runLive } from "../../src/service/live.ts";
import { serveModel } from "../../src/service/models.ts";
import { replayJournal } from "../../src/service/replay.ts";
import type { Retraining } from "../../src/service/retraining.ts";
import { trained } from "../learning/trained.ts";

const dir = mkdtempSync(join(tmpdir(), "penstock-swap-"));
afterAll(() => rmSync(dir, { recursive: true }));

const HOUR = 3_600_000;
const [A, B] = [trained("signal", 1).result, trained("signal", 2).result];

function registryIn(name: string): ModelFolder {
  const registry = new ModelFolder(join(dir, name, "models"));
  for (const { manifest, artefact } of [A, B]) {
    registry.add(manifest, artefact);
    registry.move(manifest.id, "shadow", "passed", manifest.createdAt);
  }
  return registry;
}

interface Run {
  readonly hours: number;
  readonly registry: ModelFolder;
  readonly nextSwap?: () => Swap | undefined;
  readonly startTraining?: () => Retraining;
  readonly onEvent?: () => void;
  readonly set?: readonly string[];
}

async function live(name: string, run: Run) {
  const { settings } = loadSettings({ DATA_DIR: join(dir, name), MAX_WORKERS: "1" }, [
    "STRATEGY_MODE=hybrid",
    ...(run.set ?? []),
  ]);
  const notices: string[] = [];
  const result = await runLive(settings, {
    market: { kind: "generated", seed: 3, symbols: 8, to: GENERATED_START + run.hours * HOUR },
    without: [],
    speed: Number.POSITIVE_INFINITY,
    duration: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
    onRecord: () => run.onEvent?.(),
    onNotice: (level, text) => notices.push(`${level}: ${text}`),
    onTick: () => {},
    registry: run.registry,
    ...(run.nextSwap === undefined ? {} : { nextSwap: run.nextSwap }),
    ...(run.startTraining === undefined ? {} : { startTraining: run.startTraining }),
  });
  const events: Event[] = [];
  for (const { record } of readJournal(result.journal).records())
    if (record.kind === "event") events.push(record.event);
  return { ...result, events, notices };
}

test("a hundred swaps: no cycle is missed, each decision is by one model, and the replay is identical", async () => {
  const registry = registryIn("swaps");
  const serving = { PROCESS_MEMORY_LIMIT_MB: 1024 };
  const models = [...[A, B].map(({ manifest }) => serveModel(registry, manifest.id, serving)), undefined];
  let [asked, swaps] = [0, 0];
  const hours = 30;
  const { events, journal } = await live("swaps", {
    hours,
    registry,
    nextSwap: () => {
      if (++asked % 130 !== 0) return undefined;
      return { model: models[swaps++ % 3], reason: `swap ${swaps}` };
    },
  });
  let inCharge = "";
  let changes = 0;
  const cycles: number[] = [];
  const decidedBy = new Map<string, number>();
  for (const event of events) {
    if (event.kind === "model") {
      inCharge = event.model;
      changes++;
    } else if (event.kind === "analysis") {
      cycles.push(event.cycle);
      for (const { prediction } of event.candidates) {
        expect(prediction?.model ?? "").toBe(inCharge);
        decidedBy.set(inCharge, (decidedBy.get(inCharge) ?? 0) + 1);
      }
    }
  }
  expect(changes).toBeGreaterThanOrEqual(100);
  expect(changes).toBe(swaps);
  expect(cycles).toHaveLength(hours * 60 + 1);
  for (const [i, cycle] of cycles.entries()) expect(cycle).toBe(cycles[0]! + i * 60_000);
  expect([...decidedBy.keys()].sort()).toEqual(["", A.manifest.id, B.manifest.id].sort());
  expect(replayJournal(journal).result).toMatchObject({ identical: true });
});

test("the champion of the registry decides; one that cannot be used is reported, and the rules decide", async () => {
  const registry = registryIn("champion");
  registry.move(A.manifest.id, "champion", "for the test", 1);
  const good = await live("champion", { hours: 6, registry });
  const judged = good.events.flatMap((event) => (event.kind === "analysis" ? event.candidates : []));
  expect(judged.length).toBeGreaterThan(0);
  for (const { prediction } of judged) expect(prediction?.model).toBe(A.manifest.id);
  expect(good.notices).toContain(`info: model ${A.manifest.id} decides: champion of the registry`);
  // Its training window ended long before the market's time.
  expect(good.notices.filter((text) => text.includes("knows nothing of the last"))).toHaveLength(1);

  const artefact = join(dir, "champion", "models", A.manifest.id, "model.json");
  writeFileSync(artefact, readFileSync(artefact, "utf8").slice(0, 1000));
  const bad = await live("champion", { hours: 6, registry });
  const [alarm, ...more] = bad.notices.filter((text) => text.startsWith("alarm"));
  expect(more).toEqual([]);
  expect(alarm).toContain("cannot be used, the rules decide");
  expect(bad.events.some((event) => event.kind === "model")).toBe(false);
  expect(bad.report.virtualTradesHash).not.toBe("");
});

test("hybrid without a model is ict, to the trade", async () => {
  const registry = new ModelFolder(join(dir, "none", "models"));
  const hybrid = await live("none", { hours: 12, registry });
  const ict = await live("ict", { hours: 12, registry, set: ["STRATEGY_MODE=ict"] });
  expect(hybrid.report.tradesHash).toBe(ict.report.tradesHash);
  expect(hybrid.report.virtualTradesHash).toBe(ict.report.virtualTradesHash);
  expect(ict.report.signals).toBeGreaterThan(0);
});

test("a training that dies changes nothing but a notice", async () => {
  const registry = registryIn("dying");
  registry.move(A.manifest.id, "champion", "for the test", 1);
  const calm = await live("dying", { hours: 6, registry });
  let begun = 0;
  const disturbed = await live("dying", {
    hours: 6,
    registry,
    // Every second, from a schedule that the run takes seriously; each training fails at once.
    set: ["TRAINING_SCHEDULE=* * * * * *"],
    startTraining: () => {
      begun++;
      return {
        pid: 0,
        ended: Promise.resolve({ kind: "failed", reason: "it ended with signal SIGKILL" }),
        cancel: () => {},
      };
    },
  });
  expect(disturbed.report.tradesHash).toBe(calm.report.tradesHash);
  expect(
    disturbed.notices.filter((text) => text.includes("the model in charge stays: it ended with signal SIGKILL")),
  ).toHaveLength(begun);
});

test("a schedule that is none is refused", async () => {
  const registry = new ModelFolder(join(dir, "schedule", "models"));
  expect(live("schedule", { hours: 1, registry, set: ["TRAINING_SCHEDULE=often"] })).rejects.toThrow(
    "TRAINING_SCHEDULE=often",
  );
});

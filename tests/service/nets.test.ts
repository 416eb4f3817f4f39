import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { CoreRecord } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { modelRow } from "../../src/learning/dataset.ts";
import { filledFor } from "../../src/learning/nets.ts";
import { ModelFolder } from "../../src/learning/registry.ts";
import { ModelProcess, ModelProcessLost } from "../../src/models/process/model-process.ts";
import { backtest } from "../../src/service/backtest.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import type { LearningView, ModelRuntime } from "../../src/service/learning-loop.ts";
import { runLive } from "../../src/service/live.ts";
import { evaluateModel } from "../../src/service/model-evaluation.ts";
import { importModel } from "../../src/service/model-import.ts";
import { replayJournal } from "../../src/service/replay.ts";
import { addNet, type NetModel, netModel } from "../learning/net-model.ts";
import { predictNet, writeNet } from "../models/onnx/net.ts";
import { smallMarket } from "../report/small-run.ts";

const dir = mkdtempSync(join(tmpdir(), "penstock-nets-"));
afterAll(() => rmSync(dir, { recursive: true }));
let bars = "";
beforeAll(() => {
  bars = smallMarket(dir);
});

const HOUR = 3_600_000;
/** Of the market of files. */
const SYMBOLS = ["ALDERUSDT", "BASALTUSDT", "BRIARUSDT", "CHERTUSDT", "CINDERUSDT"];
const HYBRID = netModel("hybrid", 2);
const ID = HYBRID.manifest.id;

function eventsOf(journal: string): Event[] {
  return [...readJournal(journal).records()].flatMap((record) =>
    record.record.kind === "event" ? record.record.event : [],
  );
}

/** What the journal says of each candidate against what the net says by hand. @returns how many were judged */
function checkPredictions(events: readonly Event[], { net }: NetModel): number {
  let judged = 0;
  for (const event of events) {
    if (event.kind !== "analysis") continue;
    for (const { prediction, features, direction } of event.candidates) {
      if (prediction === undefined) continue;
      judged++;
      const row = filledFor({ missing: "refused" }, modelRow(features!, direction));
      expect(Math.abs(prediction.probability - predictNet(net, row))).toBeLessThan(1e-6);
    }
  }
  return judged;
}

test("a net decides in a backtest: the same trades each time, other than without it, and a replay asks no model", async () => {
  const run = async (name: string, model: NetModel | undefined) => {
    const mode = model?.manifest.strategy ?? "hybrid";
    const { settings } = loadSettings({ DATA_DIR: join(dir, name), MAX_WORKERS: "1" }, [`STRATEGY_MODE=${mode}`]);
    if (model !== undefined) addNet(new ModelFolder(join(dir, name, "models")), model, "shadow");
    const symbols = mode === "self_learning" ? SYMBOLS : undefined;
    return backtest(settings, { dir: bars, without: [], symbols, model: model?.manifest.id });
  };
  const [one, two, none] = [await run("one", HYBRID), await run("two", HYBRID), await run("none", undefined)];
  expect(one.report.trades.length).toBeGreaterThan(0);
  expect(one.report.modelHash).toBe(HYBRID.manifest.modelHash);
  expect(one.report.tradesHash).toBe(two.report.tradesHash);
  expect(one.report.tradesHash).not.toBe(none.report.tradesHash);
  expect(one.report.assumptions.join()).toContain("Predictions are by ONNX Runtime");
  expect(checkPredictions(eventsOf(one.journal), HYBRID)).toBeGreaterThan(0);
  // Without its models folder.
  rmSync(join(dir, "one", "models"), { recursive: true });
  expect(replayJournal(one.journal).result).toMatchObject({ identical: true });

  const own = netModel("self_learning", 2);
  const alone = await run("alone", own);
  const decided = eventsOf(alone.journal).flatMap((event) => (event.kind === "analysis" ? event.candidates : []));
  expect(decided.length).toBeGreaterThan(0);
  for (const { strategy, prediction } of decided) {
    expect([strategy, prediction?.model]).toEqual(["self_learning", own.manifest.id]);
  }
});

test("a net that was trained elsewhere passes through the same gate and can be evaluated", async () => {
  const data = join(dir, "import");
  const { settings } = loadSettings({ DATA_DIR: data, MAX_WORKERS: "1" }, [
    ...["STRATEGY_MODE=self_learning", "ENABLE_STORE=false"],
  ]);
  const file = join(dir, "net.onnx");
  writeFileSync(file, HYBRID.artefact);
  const choice = { dir: bars, symbols: SYMBOLS };
  const { outcome, result } = await importModel(settings, file, choice);
  // It has learned nothing, and that is found out by the same rules as of any other model.
  expect(outcome).toMatchObject({ promoted: false, state: "refused", strategy: "self_learning" });
  expect(outcome.reasons.join()).toContain("deflated Sharpe");
  expect(result!.manifest).toMatchObject({ kind: "onnx", variant: "imported", artefact: { file: "model.onnx" } });
  const registry = new ModelFolder(join(data, "models"));
  expect(Buffer.compare(registry.artefact(outcome.model!), HYBRID.artefact)).toBe(0);
  const found = await evaluateModel(settings, outcome.model!, choice);
  expect(found).toMatchObject({ model: outcome.model, samples: outcome.samples, overlapsTraining: true });

  const softmax = HYBRID.net.output;
  writeFileSync(file, writeNet({ ...HYBRID.net, output: { ...softmax, activation: "none" } }));
  await expect(importModel(settings, file, choice)).rejects.toThrow("end the graph with Softmax");
});

interface Run {
  readonly runtime: ModelRuntime;
  readonly hours: number;
  readonly timeout?: number;
  readonly set?: readonly string[];
  readonly onRecord?: (record: CoreRecord) => void;
  readonly onNotice?: (text: string) => void;
}

async function live(name: string, { runtime, hours, timeout = 60_000, set = [], onRecord, onNotice }: Run) {
  const { settings } = loadSettings({ DATA_DIR: join(dir, name), MAX_WORKERS: "1" }, [
    ...["STRATEGY_MODE=hybrid", `MODEL_ANSWER_TIMEOUT_MS=${timeout}`, "MODEL_MAX_AGE_HOURS=87600", ...set],
  ]);
  const registry = new ModelFolder(join(dir, name, "models"));
  addNet(registry, HYBRID, "champion");
  const notices: string[] = [];
  let view: LearningView | undefined;
  const result = await runLive(settings, {
    market: { kind: "generated", seed: 3, symbols: 8, to: GENERATED_START + hours * HOUR },
    without: [],
    speed: Number.POSITIVE_INFINITY,
    duration: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
    onRecord: (record) => onRecord?.(record),
    onNotice: (level, text) => {
      notices.push(`${level}: ${text}`);
      onNotice?.(text);
    },
    onTick: ({ learning }) => {
      view = learning;
    },
    ...{ registry, runtime },
  });
  const events = eventsOf(result.journal);
  const cycles = events.flatMap((event) => (event.kind === "analysis" ? event.cycle : []));
  expect(cycles).toEqual(Array.from({ length: hours * 60 + 1 }, (_, i) => cycles[0]! + i * 60_000));
  // Whatever befell the model: each cycle is by the one model that was in charge, or by none.
  let inCharge = "";
  const swaps: { readonly model: string; readonly reason: string }[] = [];
  const decidedBy = new Map<string, number>();
  for (const event of events) {
    if (event.kind === "model") {
      inCharge = event.model;
      swaps.push({ model: event.model, reason: event.reason });
    } else if (event.kind === "analysis") {
      for (const { prediction } of event.candidates) {
        expect(prediction?.model ?? "").toBe(inCharge);
        decidedBy.set(inCharge, (decidedBy.get(inCharge) ?? 0) + 1);
      }
    }
  }
  expect(replayJournal(result.journal).result).toMatchObject({ identical: true });
  checkPredictions(events, HYBRID);
  return { ...result, swaps, decidedBy, notices, registry, view: view! };
}

/** The net as one answers that is never late, or not at all. */
function runtimeOf(behaves: () => "answers" | "hangs" | "dies"): ModelRuntime {
  return {
    load: async () => "refused",
    predict: async (_, rows) => {
      const how = behaves();
      if (how === "dies") throw new ModelProcessLost("the model process ended (SIGKILL)");
      if (how === "hangs") await new Promise(() => {});
      const width = HYBRID.manifest.columns.length;
      return Float64Array.from({ length: rows.length / width }, (_, i) =>
        predictNet(HYBRID.net, rows.subarray(i * width, (i + 1) * width)),
      );
    },
    unload: () => {},
    rest: () => {},
    close: async () => {},
  };
}

test("a net that does not answer in time: its cycle is decided by the rules, and it comes back when it answers", async () => {
  let how: "answers" | "hangs" = "answers";
  let signals = 0;
  const { swaps, decidedBy, notices, view, registry } = await live("hangs", {
    ...{ hours: 16, timeout: 10, runtime: runtimeOf(() => how) },
    onRecord: ({ kind }) => {
      if (kind === "signal" && ++signals === 1) how = "hangs";
    },
    onNotice: (text) => {
      if (text.includes("gave no answer")) how = "answers";
    },
  });
  expect(swaps).toEqual([
    { model: ID, reason: "champion of the registry" },
    { model: "", reason: `model ${ID} gave no answer: none within 10 ms` },
    { model: ID, reason: "it answers again" },
  ]);
  expect(decidedBy.get("")).toBeGreaterThan(0);
  expect(decidedBy.get(ID)).toBeGreaterThan(1);
  expect(notices.filter((text) => text.startsWith("warning: model"))).toEqual([
    `warning: model ${ID} gave no answer: none within 10 ms; the rules decide until it does`,
  ]);
  expect(view).toMatchObject({ model: ID, away: "", server: "ONNX Runtime process" });
  expect(view.unanswered).toBeGreaterThan(0);
  expect(registry.get(ID).state).toBe("champion");
});

test("open positions are rescored beside the cycles, which changes no decision", async () => {
  let asked = 0;
  const run = (name: string, set: readonly string[]) =>
    live(name, {
      ...{ hours: 16, set },
      runtime: runtimeOf(() => {
        asked++;
        return "answers";
      }),
    });
  // Rows that go by themselves are answered before the next cycle is.
  const single = await run("single", ["ENABLE_BATCH_PREDICTION=false"]);
  const { rescoring, chances } = single.view;
  expect(rescoring.rows).toBeGreaterThan(10);
  expect(rescoring).toMatchObject({ failures: 0, calls: rescoring.rows });
  expect(chances.length).toBeGreaterThan(0);
  for (const { probability, model } of chances) {
    expect(probability).toBeWithin(0, 1);
    expect(model).toBe(ID);
  }
  expect(asked).toBeGreaterThan(rescoring.rows);
  const batched = await run("batched", []);
  expect(batched.report.tradesHash).toBe(single.report.tradesHash);
  expect(batched.report.virtualTradesHash).toBe(single.report.virtualTradesHash);
});

test("a net that fails again and again is put out of charge, and the operator is told", async () => {
  let how: "answers" | "dies" = "answers";
  let signals = 0;
  const { swaps, decidedBy, notices, view, registry } = await live("dies", {
    ...{ hours: 16, runtime: runtimeOf(() => how) },
    onRecord: ({ kind }) => {
      if (kind === "signal" && ++signals === 1) how = "dies";
    },
  });
  expect(swaps).toEqual([
    { model: ID, reason: "champion of the registry" },
    { model: "", reason: `model ${ID} gave no answer: the model process ended (SIGKILL)` },
  ]);
  expect(decidedBy.get("")).toBeGreaterThan(0);
  const why = `model ${ID} gave no answer: the model process ended (SIGKILL), 3 times in a row`;
  expect(notices.filter((text) => text.startsWith("alarm"))).toEqual([`alarm: ${why}; the rules decide`]);
  expect(registry.get(ID).state).toBe("retired");
  expect(registry.steps.at(-1)).toMatchObject({ to: "retired", reason: why });
  expect(view).toMatchObject({ model: "", away: "", server: "" });
});

test("the process of a net is killed in the middle of a run: the run goes on, and the net with another", async () => {
  const runtime = new ModelProcess({ memoryLimit: 2048, deadline: 60_000, loadDeadline: 60_000 });
  let killed: number | undefined;
  const { decidedBy, swaps } = await live("killed", {
    ...{ hours: 16, runtime },
    onRecord: ({ kind }) => {
      if (kind !== "signal" || killed !== undefined) return;
      killed = runtime.pid!;
      process.kill(killed, "SIGKILL");
    },
  });
  expect(killed).toBeNumber();
  expect(swaps[0]).toEqual({ model: ID, reason: "champion of the registry" });
  expect(decidedBy.get(ID)).toBeGreaterThan(0);
  expect(runtime.pid).toBeUndefined();
});

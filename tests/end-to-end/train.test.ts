import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ModelFolder } from "../../src/learning/registry.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import { trained } from "../learning/trained.ts";
import { MAIN, penstock, temporaryFolder } from "./penstock.ts";

const dir = temporaryFolder();
const HOUR = 3_600_000;
const to = String(GENERATED_START + 60 * HOUR);

/** The same training as below, ended by SIGKILL when there is such a file. @returns what it has left */
async function killAt(training: string, file: RegExp): Promise<string[]> {
  const args = ["train", "--generated", "8", "--to", to, "--set", "STRATEGY_MODE=self_learning"];
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { PATH: process.env.PATH ?? "", DATA_DIR: join(dir, "data") },
    ...{ stdin: "ignore", stdout: "ignore", stderr: "ignore" },
  });
  const left = () => (existsSync(training) ? readdirSync(training, { recursive: true }).map(String) : []);
  while (!left().some((name) => file.test(name)) && child.exitCode === null) await Bun.sleep(5);
  child.kill("SIGKILL");
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return left();
}

describe("penstock train", () => {
  test("on a market without a secret the gate refuses, and that is no failure; one that was killed leaves nothing", async () => {
    const training = join(dir, "data", "training");
    // Once while it labels, and once while it trains.
    expect(await killAt(training, /^bars-/)).toContainEqual(expect.stringMatching(/^bars-/));
    expect(await killAt(training, /^[0-9a-f]{16}.variant-/)).not.toContainEqual(expect.stringMatching(/^bars-/));
    const page = join(dir, "training.html");
    const mode = ["--set", "STRATEGY_MODE=self_learning"];
    const args = ["train", "--generated", "8", "--to", to, ...mode, "--html", page, "--json"];
    const { code, out } = await penstock(dir, args);
    expect(code).toBe(0);
    const outcome = JSON.parse(out);
    expect(outcome).toMatchObject({ strategy: "self_learning", promoted: false, state: "refused" });
    expect(outcome.model).toHaveLength(12);
    expect(outcome.reasons.length).toBeGreaterThan(0);
    expect(Object.keys(outcome.metrics).sort()).toEqual(
      ["auc", "brier", "deflatedSharpe", "ece", "logloss", "pbo", "trials", "walkForwardSharpe"].sort(),
    );
    expect(outcome.metrics.trials).toBe(4);
    expect(outcome.leakage.passed).toBe(true);
    expect(outcome.leakage.checks).toHaveLength(9);
    expect(outcome.timing.wallSeconds).toBeGreaterThan(0);
    expect(readdirSync(training)).toEqual([]);
    expect(readFileSync(page, "utf8")).toContain(`Model ${outcome.model} for self_learning`);

    const list = JSON.parse((await penstock(dir, ["models", "list", "--json"])).out);
    expect(list).toMatchObject([{ id: outcome.model, state: "refused", strategy: "self_learning" }]);
    const promoted = await penstock(dir, ["models", "promote", outcome.model]);
    expect(promoted.code).toBe(1);
    expect(promoted.err).toContain("it cannot become champion");
  });

  test("too little to train on is said, and no model made", async () => {
    const args = ["train", "--generated", "1", "--to", String(GENERATED_START + HOUR), "--json"];
    const { code, out } = await penstock(temporaryFolder(), args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ model: null, promoted: false, metrics: null });
  });

  test("wrong use", async () => {
    for (const [args, message] of [
      [["train", "--generated", "4"], "--generated needs --to"],
      [["train", "--generated", "4", "--to", to, "--without", "fees"], "models are judged after all costs"],
      [["backtest", "--data", dir, "--unpromoted"], "--unpromoted needs --model ID"],
    ] as const) {
      const { code, err } = await penstock(dir, args);
      expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    }
  });
});

test("penstock models: show, promote, rollback", async () => {
  const folder = temporaryFolder();
  const models = join(folder, "data", "models");
  const registry = new ModelFolder(models);
  const [a, b] = [trained("signal", 1).result, trained("signal", 2).result];
  for (const { manifest, artefact } of [a, b]) {
    registry.add(manifest, artefact);
    registry.move(manifest.id, "shadow", "passed the gate", manifest.createdAt);
  }
  const run = async (...args: string[]) => {
    const { code, out, err } = await penstock(folder, ["models", ...args, "--json"]);
    return code === 0 ? JSON.parse(out) : err;
  };
  registry.move(a.manifest.id, "champion", "the first", 2);
  expect(await run("promote", b.manifest.id.slice(0, 6))).toMatchObject({ id: b.manifest.id, state: "champion" });
  expect(await run("rollback")).toMatchObject({ id: a.manifest.id, state: "champion" });
  const outcomes = [{ trade: "AUSDT:1:sweep:1", loss: 0.5, toBeat: 0.75 }];
  registry.shadows.append({ model: b.manifest.id, market: "m", from: 0, to: 5_400_000, outcomes });
  const shown = await run("show", b.manifest.id);
  expect(shown.state).toBe("retired");
  expect(shown.shadow).toEqual({ since: 0, hours: 1.5, outcomes: 1, logLoss: 0.5, toBeat: 0.75 });
  expect((await run("show", a.manifest.id)).shadow).toMatchObject({ hours: 0, outcomes: 0, logLoss: null });
  expect(shown.life.map(({ to: state }: { to: string }) => state)).toEqual([
    "candidate",
    "shadow",
    "champion",
    "retired",
  ]);
  // What cannot be used is not let near a decision.
  writeFileSync(join(models, b.manifest.id, "model.json"), "{}");
  expect(await run("promote", b.manifest.id)).toContain("its content is not what was registered");
});

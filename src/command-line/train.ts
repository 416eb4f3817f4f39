import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import { MOST_GENERATED } from "../market/generated-market.ts";
import { dieWithParent } from "../native.ts";
import { trainingPage } from "../report/html/training-page.ts";
import { CHILD_VARIABLE } from "../service/retraining.ts";
import { type TrainingBars, type TrainingOutcome, trainModel } from "../service/training.ts";
import { addMarketOptions, judgedChoice, type MarketOptions } from "./market-options.ts";
import {
  htmlOption,
  type JsonTarget,
  jsonOption,
  print,
  setOption,
  settingsFrom,
  whole,
  writeJson,
  writeWhole,
} from "./options.ts";
import { Progress } from "./progress.ts";

interface TrainCommandOptions extends MarketOptions {
  readonly set: readonly string[];
  readonly seed: number;
  readonly generated?: number;
  readonly marketSeed: number;
  readonly json?: JsonTarget;
  readonly html?: string;
}

/** `penstock train`: labels bars, trains and judges a model. A refusal by the gate is a result and no failure. */
export function trainCommand(program: Command): void {
  const command = program
    .command("train")
    .description("train a model on recorded bars and judge it; the gate decides whether it may ever decide")
    .option("--data <dir>", "folder of recorded bars; without it the bars of the store");
  addMarketOptions(command)
    .addOption(
      new Option("--seed <number>", "seed of what is drawn").argParser(whole("--seed", 0, 2 ** 32 - 1)).default(1),
    )
    .addOption(
      new Option("--generated <count>", "train on the generated market of so many symbols, up to --to")
        .argParser(whole("--generated", 1, MOST_GENERATED))
        .conflicts("data"),
    )
    .addOption(
      new Option("--market-seed <number>", "seed of the generated market")
        .argParser(whole("--market-seed", 0, Number.MAX_SAFE_INTEGER))
        .default(1),
    )
    .addOption(setOption())
    .addOption(jsonOption("the result"))
    .addOption(htmlOption())
    .action(async (options: TrainCommandOptions) => {
      const { settings } = settingsFrom(options.set);
      const progress = new Progress();
      // A training beside a run must not outlive it; SIGKILL, because it has nothing to put in order.
      const isChild = process.env[CHILD_VARIABLE] !== undefined;
      if (isChild) dieWithParent("SIGKILL");
      const { outcome, result } = await trainModel(settings, {
        data: barsFor(options),
        seed: options.seed,
        onNotice: (text) => process.stderr.write(`penstock: ${text}\n`),
        onProgress: (what, share) => {
          if (isChild) process.stderr.write(`progress ${share.toFixed(3)}\n`);
          else progress.show(what, share);
        },
      });
      progress.end();
      if (options.html !== undefined && result !== undefined) {
        writeWhole(options.html, trainingPage(result.manifest, result.details));
      }
      if (options.json !== undefined) await writeJson(options.json, outcome);
      if (options.json !== true) await print(outcomeText(outcome));
    });
}

function barsFor(options: TrainCommandOptions): TrainingBars {
  const { data, generated, marketSeed: seed, to } = options;
  const choice = judgedChoice(data ?? "", options);
  if (generated === undefined) {
    return data === undefined ? { kind: "store", choice } : { kind: "recorded", choice };
  }
  if (to === undefined) throw new InputError("--generated needs --to: the generated market has no end", 2);
  return { kind: "generated", symbols: generated, seed, to };
}

export function outcomeText(outcome: TrainingOutcome): string {
  const { model, strategy, promoted, state, metrics, reasons, leakage, samples, timing } = outcome;
  const lines = [
    model === null
      ? `no model for ${strategy}: too little to train on`
      : `model ${model} for ${strategy}: ${promoted ? `passed the gate, now ${state}` : "refused by the gate"}`,
    ...reasons.map((reason) => `  ${reason}`),
  ];
  if (metrics !== null) {
    const figure = (value: number, digits = 3) => value.toFixed(digits);
    lines.push(
      `auc ${figure(metrics.auc)}  log loss ${figure(metrics.logloss, 4)}  brier ${figure(metrics.brier, 4)}  ece ${figure(metrics.ece)}`,
      `walk-forward sharpe ${figure(metrics.walkForwardSharpe, 2)} a year  deflated ${figure(metrics.deflatedSharpe)}  pbo ${figure(metrics.pbo)}  trials ${metrics.trials}`,
      `leakage: ${leakage.passed ? `${leakage.checks.length} checks passed` : "FAILED"}`,
      `model hash   ${outcome.modelHash}`,
      `ledger hash  ${outcome.ledgerHash}`,
    );
  }
  lines.push(
    `data hash    ${outcome.dataHash}`,
    `${samples} samples, labelled in ${timing.labelSeconds.toFixed(1)} s, trained in ${timing.trainSeconds.toFixed(1)} s`,
  );
  return `${lines.join("\n")}\n`;
}

import { type Command, Option } from "commander";
import { trainingPage } from "../report/html/training-page.ts";
import { type TrainingOutcome, trainModel } from "../service/training.ts";
import { addMarketOptions, type MarketOptions, recordedChoice, wholeNumber } from "./market-options.ts";
import {
  htmlOption,
  type JsonTarget,
  jsonOption,
  print,
  setOption,
  settingsFrom,
  writeJson,
  writeWhole,
} from "./options.ts";
import { Progress } from "./progress.ts";

interface TrainCommandOptions extends MarketOptions {
  readonly set: readonly string[];
  readonly seed: number;
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
      new Option("--seed <number>", "seed of what is drawn")
        .argParser(wholeNumber("--seed", 0, 2 ** 32 - 1))
        .default(1),
    )
    .addOption(setOption())
    .addOption(jsonOption("the result"))
    .addOption(htmlOption())
    .action(async (options: TrainCommandOptions) => {
      const { settings } = settingsFrom(options.set);
      const progress = new Progress();
      const { outcome, result } = await trainModel(settings, {
        data: options.data === undefined ? undefined : recordedChoice(options.data, options),
        seed: options.seed,
        onProgress: (what, share) => progress.show(what, share),
      });
      progress.end();
      if (options.html !== undefined && result !== undefined) {
        writeWhole(options.html, trainingPage(result.manifest, result.details));
      }
      if (options.json !== undefined) await writeJson(options.json, outcome);
      if (options.json !== true) await print(outcomeText(outcome));
    });
}

function outcomeText(outcome: TrainingOutcome): string {
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

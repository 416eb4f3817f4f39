import { type Command, Option } from "commander";
import { MODEL_STRATEGIES, type ModelStrategy } from "../learning/manifest.ts";
import type { RegisteredModel } from "../learning/registry.ts";
import type { ShadowEvidence } from "../learning/shadow.ts";
import { timeText } from "../market/timeframe.ts";
import { evaluateModel } from "../service/model-evaluation.ts";
import { importModel } from "../service/model-import.ts";
import { modelRegistry, promoteModel, rollbackModel, serveModel } from "../service/models.ts";
import { modelStrategyOf } from "../service/training.ts";
import { addMarketOptions, judgedChoice, type MarketOptions } from "./market-options.ts";
import { type JsonTarget, jsonOption, print, setOption, settingsFrom, writeJson } from "./options.ts";
import { Progress } from "./progress.ts";
import { outcomeText } from "./train.ts";

const HOUR = 3_600_000;

interface ModelsOptions {
  readonly set: readonly string[];
  readonly json?: JsonTarget;
}

/** `penstock models …`: what was trained, what of it decides, and who decides instead. */
export function modelsCommand(program: Command): void {
  const models = program
    .command("models")
    .description("trained models: list, show, promote, rollback, import, evaluate");
  const subcommand = (name: string, what: string) =>
    models.command(name).description(what).addOption(setOption()).addOption(jsonOption("the result"));

  subcommand("list", "every model with its state").action(async (options: ModelsOptions) => {
    const { settings } = settingsFrom(options.set);
    const registry = modelRegistry(settings);
    for (const reason of registry.unreadable()) process.stderr.write(`penstock: ${reason}\n`);
    const all = registry.list();
    if (options.json !== undefined) return writeJson(options.json, all.map(brief));
    if (all.length === 0) return print("no model was trained yet; penstock train --data DIR\n");
    await print(`${all.map(line).join("\n")}\n`);
  });

  subcommand("show", "one model: manifest, gate, life")
    .argument("<id>", "its id, or the beginning of it")
    .action(async (id: string, options: ModelsOptions) => {
      const { settings } = settingsFrom(options.set);
      const registry = modelRegistry(settings);
      const model = registry.get(id);
      const life = registry.steps.filter(({ model: of }) => of === model.manifest.id);
      const seen = registry.shadows.of(model.manifest.id);
      if (options.json !== undefined) {
        // What is not known yet is NaN, and null in JSON.
        const { since, watched, outcomes, loss, toBeat } = seen;
        const shadow = { since, hours: watched / HOUR, outcomes, logLoss: loss, toBeat };
        return writeJson(options.json, { ...model, life, shadow });
      }
      const { gate, leakage } = model.manifest;
      const rules = [...gate, ...leakage].map(
        ({ name, passed, detail }) => `  ${passed ? "yes" : "NO "} ${name}: ${detail}`,
      );
      const steps = life.map(({ at, to, reason }) => `  ${timeText(at)} ${to}: ${reason}`);
      await print(`${[line(model), "gate and checks", ...rules, "life", ...steps, ...shadowText(seen)].join("\n")}\n`);
    });

  subcommand("promote", "let a model that passed the gate decide from now on")
    .argument("<id>", "its id, or the beginning of it")
    .action(async (id: string, options: ModelsOptions) => {
      const { settings } = settingsFrom(options.set);
      const registry = modelRegistry(settings);
      const prove = (known: string) => serveModel(registry, known, settings).close();
      await told(options, await promoteModel(registry, id, prove));
    });

  subcommand("rollback", "let the champion before this one decide again; without one the rules")
    .addOption(
      new Option("--strategy <name>", "whose models; that of STRATEGY_MODE without it").choices([...MODEL_STRATEGIES]),
    )
    .action(async (options: ModelsOptions & { readonly strategy?: ModelStrategy }) => {
      const { settings } = settingsFrom(options.set);
      const strategy = options.strategy ?? modelStrategyOf(settings);
      const registry = modelRegistry(settings);
      const prove = (known: string) => serveModel(registry, known, settings).close();
      await told(options, await rollbackModel(registry, strategy, prove));
    });

  addMarketOptions(
    subcommand("import", "take in a model that was trained elsewhere; it passes the same gate")
      .argument(
        "<file>",
        "a model of XGBoost (JSON), LightGBM (text) or ONNX (trees or a net) over the columns of this build",
      )
      .requiredOption("--data <dir>", "folder of recorded bars to judge it on; it must not have been trained on them"),
  ).action(async (file: string, options: ModelsOptions & MarketOptions) => {
    const { settings } = settingsFrom(options.set);
    const progress = new Progress();
    const { outcome } = await importModel(settings, file, judgedChoice(options.data ?? "", options), (what, share) =>
      progress.show(what, share),
    );
    progress.end();
    if (options.json !== undefined) return writeJson(options.json, outcome);
    await print(outcomeText(outcome));
  });

  addMarketOptions(
    subcommand("evaluate", "how a model does on bars; changes nothing")
      .argument("<id>", "its id, or the beginning of it")
      .requiredOption("--data <dir>", "folder of recorded bars"),
  ).action(async (id: string, options: ModelsOptions & MarketOptions) => {
    const { settings } = settingsFrom(options.set);
    const progress = new Progress();
    const found = await evaluateModel(settings, id, judgedChoice(options.data ?? "", options), (what, share) =>
      progress.show(what, share),
    );
    progress.end();
    if (options.json !== undefined) return writeJson(options.json, found);
    const seen = found.overlapsTraining
      ? "\nthese bars overlap the ones it was trained on: the figures are too good\n"
      : "\n";
    await print(
      `model ${found.model} on ${found.samples} samples, ${found.trades} trades\n` +
        `auc ${found.auc.toFixed(3)}  log loss ${found.logloss.toFixed(4)}  brier ${found.brier.toFixed(4)}  ece ${found.ece.toFixed(3)}\n` +
        `sharpe ${found.sharpe.toFixed(2)} a year, ict ${found.ictSharpe.toFixed(2)}, no trade 0.00${seen}`,
    );
  });
}

/** What was seen of a model as a shadow, on whatever market. */
function shadowText({ since, watched, outcomes, loss, toBeat }: ShadowEvidence): string[] {
  if (watched === 0) return [];
  const losses = outcomes === 0 ? "" : `, log loss ${loss.toFixed(3)}, ${toBeat.toFixed(3)} to beat`;
  return [
    "in the shadow",
    `  ${(watched / HOUR).toFixed(1)} h since ${timeText(since)}, ${outcomes} outcomes${losses}`,
  ];
}

async function told(options: ModelsOptions, model: RegisteredModel): Promise<void> {
  if (options.json !== undefined) return writeJson(options.json, brief(model));
  await print(`${line(model)}\n`);
}

function brief({ manifest, state, since }: RegisteredModel) {
  const { id, modelHash, strategy, kind, variant, createdAt, samples, trainedFrom, trainedTo, passed, metrics } =
    manifest;
  return {
    id,
    modelHash,
    strategy,
    state,
    since,
    kind,
    variant,
    createdAt,
    samples,
    trainedFrom,
    trainedTo,
    passed,
    metrics,
  };
}

function line({ manifest, state }: RegisteredModel): string {
  const { id, strategy, createdAt, samples, metrics } = manifest;
  return (
    `${id}  ${state.padEnd(9)} ${strategy.padEnd(13)} ${timeText(createdAt)}  ${samples} samples  ` +
    `auc ${metrics.auc.toFixed(3)}  sharpe ${metrics.walkForwardSharpe.toFixed(2)}  deflated ${metrics.deflatedSharpe.toFixed(3)}  pbo ${metrics.pbo.toFixed(2)}`
  );
}

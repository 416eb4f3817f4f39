import type { LiveAnalysis } from "../analysis/live-analysis.ts";
import { SETTING_NAMES, SETTINGS, type Settings } from "../config/settings.ts";
import type { Instrument } from "../core/instrument.ts";
import { addressesOf } from "../exchange/binance/addresses.ts";
import type { ModelRegistry } from "../learning/registry.ts";
import { type Cost, tradingCosts } from "./assembly.ts";
import { LearningLoop, type ModelRuntime } from "./learning-loop.ts";
import { describeMarket, type LiveMarket } from "./live-market.ts";
import { modelRegistry } from "./models.ts";
import { type Retraining, startRetraining } from "./retraining.ts";
import type { RunTelemetry } from "./run-telemetry.ts";

const MINUTE = 60_000;

export interface LiveLearningOptions {
  readonly market: LiveMarket;
  /** In the order in which candidates count them. */
  readonly instruments: readonly Pick<Instrument, "symbol">[];
  readonly without: readonly Cost[];
  readonly onNotice: (level: "info" | "warning" | "alarm", text: string) => void;
  /** Where models are kept, where nets run, and how a training begins; for tests. */
  readonly registry?: ModelRegistry | undefined;
  readonly runtime?: ModelRuntime | undefined;
  readonly startTraining?: ((onProgress: (share: number) => void) => Retraining) | undefined;
}

/**
 * What learns beside the trading; undefined in the mode `ict`.
 * @param now market time, ms
 * @param telemetry undefined while nobody asks for figures
 */
export function liveLearning(
  settings: Settings,
  options: LiveLearningOptions,
  now: () => number,
  telemetry: () => RunTelemetry | undefined,
  analysis: Pick<LiveAnalysis, "rows">,
): LearningLoop | undefined {
  const { STRATEGY_MODE: strategy } = settings;
  if (strategy === "ict") return undefined;
  return new LearningLoop({
    settings,
    strategy,
    registry: options.registry ?? modelRegistry(settings),
    costs: tradingCosts(settings, options.without),
    market: marketOf(settings, options.market),
    symbols: options.instruments.map(({ symbol }) => symbol),
    onNotice: options.onNotice,
    onPredicted: (rows, seconds) => telemetry()?.predicted(rows, seconds),
    onTrained: (outcome) => telemetry()?.trained(outcome),
    onUnanswered: () => telemetry()?.unanswered(),
    rowsOf: (symbols) => analysis.rows(symbols),
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    startTraining: options.startTraining ?? ((onProgress) => trainBeside(settings, options.market, now(), onProgress)),
  });
}

/** Which market outcomes are of: prices of the test network are not those of the real one. */
function marketOf(settings: Settings, market: LiveMarket): string {
  return market.kind === "binance" && !addressesOf(settings).live ? "test network" : describeMarket(market);
}

/** For the report: who decided, where models might have. */
export function learningAssumption({ STRATEGY_MODE: mode }: Settings, deciders: ReadonlySet<string>): string[] {
  if (mode === "ict") return [];
  return deciders.size === 0
    ? [`No model passed its gate: ${mode} was ict.`]
    : [`Models that decided: ${[...deciders].join(", ")}.`];
}

/** A training on the bars of this market up to now: what comes after does not exist yet. */
function trainBeside(
  settings: Settings,
  market: LiveMarket,
  now: number,
  onProgress: (share: number) => void,
): Retraining {
  const args = ["--to", String(Math.floor(now))];
  if (market.kind === "generated") {
    args.push("--generated", String(market.symbols), "--market-seed", String(market.seed));
  } else if (market.kind === "recorded") {
    args.push("--data", market.dir);
    if (market.symbols !== undefined) args.push("--symbols", market.symbols.join(","));
    if (market.timeframe !== undefined) args.push("--timeframe", market.timeframe);
    if (market.fundingFile !== undefined) args.push("--funding", market.fundingFile);
    if (market.rulesFile !== undefined) args.push("--rules", market.rulesFile);
  }
  return startRetraining({
    args: [...args, ...assignmentsOf(settings)],
    env: process.env,
    memoryLimitMb: settings.PROCESS_MEMORY_LIMIT_MB,
    timeout: settings.TRAINING_TIMEOUT_MINUTES * MINUTE,
    onProgress,
  });
}

/** The settings that are not the defaults, for a child; secrets reach it by the environment or not at all. */
function assignmentsOf(settings: Settings): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const { type, default: usual } = SETTINGS[name];
    const value = settings[name];
    return type === "secret" || value === usual || name === "MAX_WORKERS" ? [] : ["--set", `${name}=${value}`];
  });
}

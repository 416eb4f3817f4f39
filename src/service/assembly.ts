import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import type { AnalysisOptions } from "../analysis/engine.ts";
import { settingsHash } from "../config/load.ts";
import { effectiveStrategy, SETTING_NAMES, SETTINGS, type Settings } from "../config/settings.ts";
import { type Instrument, USDT } from "../core/instrument.ts";
import { type CoreConfig, createState, type State } from "../core/state.ts";
import { ANALYSIS_TIMEFRAMES } from "../core/strategy.ts";
import { createSimulatedExchange, type SimulatedExchange } from "../exchange/simulated/exchange.ts";
import { createTickExchange } from "../exchange/simulated/tick-exchange.ts";
import { createGuards } from "../guards/registry.ts";
import { InputError } from "../input-error.ts";
import type { JournalHeader } from "../journal/format.ts";
import { JournalWriter } from "../journal/writer.ts";
import type { BarSource } from "../market/bar-source.ts";
import { Panel } from "../market/panel.ts";
import { hasTicks } from "../market/tick-source.ts";
import { TIMEFRAMES, timeframeName } from "../market/timeframe.ts";
import { chooseKernel } from "../native.ts";
import { createStrategy } from "../strategies/registry.ts";
import { REGIME_RULES } from "../structure/regime.ts";

/** What may be left out of a simulation, by name. Leaving one out is stamped in the report. */
export const COSTS = ["fees", "spread", "slippage", "funding"] as const;
export type Cost = (typeof COSTS)[number];

/** Bars of each analysed timeframe that strategies may look back on, and how far the writer may run ahead. */
const PANEL_CAPACITY = 256;
export const PANEL_SPARE = 64;

/** The settings as the core wants them. */
export function coreConfig(settings: Settings, instruments: readonly Instrument[], tradeFrom: number): CoreConfig {
  return {
    instruments,
    balance: Math.round(settings.DEFAULT_ACCOUNT_BALANCE * USDT),
    tradeFrom,
    cycleInterval: settings.CYCLE_INTERVAL * 1000,
    minConfidence: settings.MIN_CONFIDENCE,
    maxSignals: settings.MAX_SIGNALS,
    maxPositions: settings.MAX_POSITIONS,
    baseLeverage: settings.BASE_LEVERAGE,
    baseMarginFraction: settings.BASE_MARGIN_PCT,
    protectionTimeout: settings.PROTECTION_TIMEOUT_MS,
    guards: createGuards({
      regimeRules: REGIME_RULES,
      dailyLossLimit: settings.DAILY_LOSS_LIMIT_PCT,
      maxExposure: settings.MAX_EXPOSURE_RATIO,
      minLeverage: settings.MIN_LEVERAGE,
      maxLeverage: settings.MAX_LEVERAGE,
      minMarginFraction: settings.MIN_MARGIN_PCT,
      maxMarginFraction: settings.MAX_MARGIN_PCT,
      minimumNotional: Math.round(settings.MIN_NOTIONAL_VALUE * USDT),
    }),
  };
}

export function newState(settings: Settings, instruments: readonly Instrument[], tradeFrom: number): State {
  return createState(coreConfig(settings, instruments, tradeFrom));
}

/** The settings as analysis wants them. @throws InputError when the strategy cannot work on the base timeframe. */
export function analysisOptions(settings: Settings, source: BarSource): AnalysisOptions {
  const { strategy } = effectiveStrategy(settings);
  const strategyOptions = {
    riskRewardRatio: settings.RISK_REWARD_RATIO,
    minVolumeRatio: settings.OB_MIN_VOLUME_RATIO,
  };
  const { maxBaseTimeframe } = createStrategy(strategy, strategyOptions);
  if (source.timeframe > maxBaseTimeframe) {
    throw new InputError(
      `strategy ${strategy} works on base bars of at most ${timeframeName(maxBaseTimeframe)}; ` +
        `these are ${timeframeName(source.timeframe)} bars`,
      2,
    );
  }
  return {
    instruments: source.instruments,
    kernel: chooseKernel(settings.PENSTOCK_KERNEL),
    strategy,
    strategyOptions,
    periods: {
      emaFast: settings.EMA_FAST,
      emaSlow: settings.EMA_SLOW,
      rsi: settings.RSI_PERIOD,
      atr: settings.ATR_PERIOD,
      adx: settings.ADX_PERIOD,
    },
    adxTrendThreshold: settings.ADX_TREND_THRESHOLD,
  };
}

export function newPanel(source: BarSource): Panel {
  return Panel.create({
    symbols: source.instruments.length,
    origin: source.start,
    timeframes: ANALYSIS_TIMEFRAMES.map((name) => ({
      name,
      ms: TIMEFRAMES[name],
      capacity: PANEL_CAPACITY,
      spare: PANEL_SPARE,
    })),
  });
}

/** The simulated exchange with its costs, and what it takes for granted. */
export function newExchange(settings: Settings, source: BarSource, without: readonly Cost[]): SimulatedExchange {
  const charged = (cost: Cost, value: number) => (without.includes(cost) ? 0 : value);
  const options = {
    balance: Math.round(settings.DEFAULT_ACCOUNT_BALANCE * USDT),
    takerFee: charged("fees", settings.SIMULATED_TAKER_FEE),
    makerFee: charged("fees", settings.SIMULATED_MAKER_FEE),
    spreadBps: charged("spread", settings.SIMULATED_SPREAD_BPS),
    slippageBps: charged("slippage", settings.SIMULATED_SLIPPAGE_BPS),
    volumeShare: settings.SIMULATED_VOLUME_SHARE,
    fundingOn: !without.includes("funding"),
    leverage: settings.BASE_LEVERAGE,
  };
  return hasTicks(source) ? createTickExchange(source, options) : createSimulatedExchange(source, options);
}

/** Everything that a reader of a result must know was assumed. */
export function assumptionsOf(source: BarSource, exchange: SimulatedExchange, without: readonly Cost[]): string[] {
  const missing = without.map((cost) => `WITHOUT ${cost}: results are better than any that can be traded.`);
  return [...missing, ...source.assumptions, ...exchange.assumptions];
}

/**
 * Number of steps that only warm up: all whose bars close before `from`, so that the bars which close at `from` are the
 * first to be decided on.
 */
export function warmUpSteps(source: BarSource, from: number | undefined): number {
  if (from === undefined) return 0;
  const steps = Math.ceil((from - source.timeframe - source.start) / source.timeframe);
  return steps > 0 ? steps : 0;
}

/** What identifies a run: everything that can change a decision, apart from the data itself. */
export function runHash(
  settings: Settings,
  run: {
    readonly symbols: readonly string[];
    readonly timeframe: number;
    readonly from: number | undefined;
    readonly without: readonly Cost[];
  },
): string {
  const extra = [run.symbols.join(), String(run.timeframe), String(run.from ?? ""), [...run.without].sort().join()];
  return settingsHash(settings, extra);
}

/** Opens the journal of a run: DATA_DIR/journal/<time>-<pid>-<command>.journal */
export function openJournal(
  settings: Settings,
  run: Pick<JournalHeader, "command" | "kernel" | "settingsHash" | "instruments" | "bars" | "data">,
): JournalWriter {
  const created = Date.now();
  const stamp = new Date(created).toISOString().replaceAll(":", "-").replace("Z", "");
  const path = join(settings.DATA_DIR, "journal", `${stamp}-${process.pid}-${run.command}.journal`);
  const header: JournalHeader = {
    ...run,
    settings: publicSettings(settings),
    build: packageJson.version,
    mode: "simulated",
    epoch: created,
    created,
    effects: "orders",
  };
  return new JournalWriter(path, header, "buffered");
}

/** The settings without the secrets among them: journals are shown to others. */
function publicSettings(settings: Settings): JournalHeader["settings"] {
  const named = SETTING_NAMES.filter((name) => SETTINGS[name].type !== "secret");
  return Object.fromEntries(named.map((name) => [name, settings[name]]));
}

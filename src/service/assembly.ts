import { availableParallelism } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { analysisPanel } from "../analysis/analysis-panel.ts";
import type { AnalysisOptions } from "../analysis/engine.ts";
import { AnalysisPool, mostWorkers } from "../analysis/pool.ts";
import { changedSettings } from "../config/change.ts";
import { settingsHash } from "../config/load.ts";
import { proposersOf, SETTING_NAMES, SETTINGS, type Settings } from "../config/settings.ts";
import { REGIMES } from "../core/candidate.ts";
import { type Instrument, USDT } from "../core/instrument.ts";
import { type CoreConfig, createState, type State } from "../core/state.ts";
import {
  createSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../exchange/simulated/exchange.ts";
import { createTickExchange } from "../exchange/simulated/tick-exchange.ts";
import { createGuards } from "../guards/registry.ts";
import { InputError } from "../input-error.ts";
import type { JournalHeader } from "../journal/format.ts";
import { JournalWriter } from "../journal/writer.ts";
import type { TradingCosts } from "../learning/labels.ts";
import type { BarSource } from "../market/bar-source.ts";
import type { Panel } from "../market/panel.ts";
import { hasTicks } from "../market/tick-source.ts";
import { timeframeName } from "../market/timeframe.ts";
import { chooseKernel } from "../native.ts";
import type { TakerCosts } from "../report/collector.ts";
import { createStrategy, type StrategyOptions } from "../strategies/registry.ts";
import { REGIME_RULES } from "../structure/regime.ts";

/** What may be left out of a simulation, by name. Leaving one out is stamped in the report. */
export const COSTS = ["fees", "spread", "slippage", "funding"] as const;
export type Cost = (typeof COSTS)[number];

const DAY = 86_400_000;
/** Time after its origin for which the panel of an endless market has room at first. Memory is taken as bars come. */
const PANEL_DAYS = 92;

const HOUR = 3_600_000;

/** Regimes in which nothing is opened; one that is not known yet is no reason to close. */
const CLOSED_REGIMES = REGIMES.filter((regime) => regime !== "unknown" && !REGIME_RULES[regime].allowed);

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
    entry: {
      order: settings.ENTRY_ORDER,
      limitOffset: settings.ENTRY_LIMIT_OFFSET_BPS,
      limitTime: settings.ENTRY_LIMIT_SECONDS * 1000,
      postOnly: settings.ENTRY_POST_ONLY,
      maxSlippage: settings.ENTRY_MAX_SLIPPAGE_BPS,
    },
    hedge: settings.POSITION_MODE === "hedge",
    protectionTimeout: settings.PROTECTION_TIMEOUT_MS,
    life: {
      breakEvenAt: settings.BREAK_EVEN_AT_R,
      trailFrom: settings.TRAIL_FROM_R,
      trailDistance: settings.TRAIL_DISTANCE_R,
      partialAt: settings.PARTIAL_EXIT_AT_R,
      partialShare: settings.PARTIAL_EXIT_SHARE,
      maxHolding: settings.MAX_HOLDING_HOURS * HOUR,
      exitRegimes: settings.EXIT_ON_REGIME_CHANGE ? CLOSED_REGIMES : [],
      virtualMaxHolding: settings.VIRTUAL_POSITION_MAX_HOLDING_HOURS * HOUR,
      smartMonitoring: settings.ENABLE_SMART_MONITORING,
      cycle: settings.VIRTUAL_POSITION_CYCLE_INTERVAL * 1000,
    },
    risk: {
      losses: [settings.CAUTIOUS_LOSSES, settings.DEFENSIVE_LOSSES, settings.REDUCE_ONLY_LOSSES],
      pause: settings.LOSS_PAUSE_HOURS * HOUR,
      drawdown: [
        settings.CAUTIOUS_DRAWDOWN_PCT,
        settings.DEFENSIVE_DRAWDOWN_PCT,
        settings.REDUCE_ONLY_DRAWDOWN_PCT,
        settings.HALT_DRAWDOWN_PCT,
      ],
      winRate: [settings.CAUTIOUS_WIN_RATE, settings.DEFENSIVE_WIN_RATE],
      window: settings.WIN_RATE_WINDOW,
      minTrades: settings.WIN_RATE_MIN_TRADES,
      hysteresis: settings.STATE_HYSTERESIS,
      recovery: settings.STATE_RECOVERY_HOURS * HOUR,
    },
    dayStart: settings.DAILY_LOSS_RESET_HOUR * HOUR,
    guards: createGuards({
      regimeRules: REGIME_RULES,
      feedAgeLimit: settings.FEED_AGE_LIMIT * 1000,
      dailyLossLimit: settings.DAILY_LOSS_LIMIT_PCT,
      maxDrawdown: settings.REDUCE_ONLY_DRAWDOWN_PCT,
      maxLosses: settings.REDUCE_ONLY_LOSSES,
      volatilityLimit: settings.VOLATILITY_LIMIT_PCT,
      riskPerTrade: settings.MAX_RISK_PER_TRADE_PCT,
      maxSymbolExposure: settings.MAX_SYMBOL_EXPOSURE_RATIO,
      maxExposure: settings.MAX_EXPOSURE_RATIO,
      maxCorrelatedExposure: settings.MAX_CORRELATED_EXPOSURE_RATIO,
      maxClusterPositions: settings.MAX_CLUSTER_POSITIONS,
      clusterCorrelation: settings.CLUSTER_CORRELATION,
      liquidityShare: settings.MAX_LIQUIDITY_SHARE,
      minConfidence: settings.MIN_CONFIDENCE,
      breakEvenWinRate: 1 / (1 + settings.RISK_REWARD_RATIO),
      baseLeverage: settings.BASE_LEVERAGE,
      minLeverage: settings.MIN_LEVERAGE,
      maxLeverage: settings.MAX_LEVERAGE,
      minMarginFraction: settings.MIN_MARGIN_PCT,
      maxMarginFraction: settings.MAX_MARGIN_PCT,
      minimumNotional: Math.round(settings.MIN_NOTIONAL_VALUE * USDT),
    }),
  };
}

export function newState(settings: Settings, instruments: readonly Instrument[], tradeFrom: number): State {
  return createState(coreConfig(settings, instruments, tradeFrom), (changed) =>
    coreConfig(changedSettings(settings, changed), instruments, tradeFrom),
  );
}

/**
 * The settings as analysis wants them.
 * @param mode what must be able to decide; without a model that is `ict`, whatever STRATEGY_MODE says
 * @throws InputError when the strategy cannot work on the base timeframe.
 */
export function analysisOptions(
  settings: Settings,
  source: BarSource,
  mode: Settings["STRATEGY_MODE"] = settings.STRATEGY_MODE,
): AnalysisOptions {
  const { strategy, also } = proposersOf({ STRATEGY_MODE: mode });
  const strategyOptions = strategyOptionsOf(settings);
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
    kernel: chooseKernel(settings.PENSTOCK_KERNEL).name,
    strategy,
    ...(also === undefined ? {} : { also }),
    strategyOptions,
    ...indicatorOptions(settings),
    incrementalFeatures: settings.ENABLE_INCREMENTAL_CACHE,
  };
}

/** The settings as strategies want them. */
export function strategyOptionsOf(settings: Settings): StrategyOptions {
  return {
    riskRewardRatio: settings.RISK_REWARD_RATIO,
    minVolumeRatio: settings.OB_MIN_VOLUME_RATIO,
    ageing: {
      maxTests: settings.OB_MAX_TEST_COUNT,
      decayEnabled: settings.OB_DECAY_ENABLED,
      decayHours: settings.OB_TIME_DECAY_HOURS,
      decayRate: settings.OB_DECAY_RATE,
    },
  };
}

/** The part of the options that says how indicators are computed. */
export function indicatorOptions(settings: Settings): Pick<AnalysisOptions, "periods" | "adxTrendThreshold"> {
  return {
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

/** The panel of a live run. It keeps all bars, so that a new worker can take them in as the old one did. */
export function newPanel(source: BarSource): Panel {
  const history = source.steps === Number.POSITIVE_INFINITY ? PANEL_DAYS * DAY : source.steps * source.timeframe;
  return analysisPanel(source.instruments.length, source.start, history);
}

/** @param wanted how many workers would be of use; the settings and the machine set the bound. */
export function newPool(
  settings: Settings,
  wanted: number,
  onNotice: (level: "warning" | "alarm", text: string) => void,
): AnalysisPool {
  const workers = Math.min(wanted, mostWorkers(settings.MAX_WORKERS, availableParallelism()));
  const heapLimit = settings.PROCESS_MEMORY_LIMIT_MB * 1e6;
  return new AnalysisPool({
    workers,
    timeout: settings.PROCESS_TIMEOUT_SECONDS * 1000,
    heapLimit,
    // One share for this thread.
    memoryLimit: heapLimit * (workers + 1),
    onNotice,
  });
}

/** The simulated exchange with its costs, and what it takes for granted. */
export function newExchange(settings: Settings, source: BarSource, without: readonly Cost[]): SimulatedExchange {
  const options = exchangeOptions(settings, without);
  return hasTicks(source) ? createTickExchange(source, options) : createSimulatedExchange(source, options);
}

/** What trading on a simulated exchange costs, and the account on it. */
export function exchangeOptions(settings: Settings, without: readonly Cost[]): SimulatedExchangeOptions {
  const charged = charger(without);
  return {
    balance: Math.round(settings.DEFAULT_ACCOUNT_BALANCE * USDT),
    takerFee: charged("fees", settings.SIMULATED_TAKER_FEE),
    makerFee: charged("fees", settings.SIMULATED_MAKER_FEE),
    spreadBps: charged("spread", settings.SIMULATED_SPREAD_BPS),
    slippageBps: charged("slippage", settings.SIMULATED_SLIPPAGE_BPS),
    volumeShare: settings.SIMULATED_VOLUME_SHARE,
    fundingOn: !without.includes("funding"),
    leverage: settings.BASE_LEVERAGE,
    positionMode: settings.POSITION_MODE,
  };
}

/** What the simulation takes from a taker beside fees. */
export function takerCosts(settings: Settings, without: readonly Cost[]): TakerCosts {
  const charged = charger(without);
  return {
    spreadBps: charged("spread", settings.SIMULATED_SPREAD_BPS),
    slippageBps: charged("slippage", settings.SIMULATED_SLIPPAGE_BPS),
  };
}

/** What both orders of a trade cost, for the labels of models. */
export function tradingCosts(settings: Settings, without: readonly Cost[]): TradingCosts {
  const charged = charger(without);
  const { spreadBps, slippageBps } = takerCosts(settings, without);
  return { takerFee: charged("fees", settings.SIMULATED_TAKER_FEE), slippage: (spreadBps / 2 + slippageBps) / 10_000 };
}

function charger(without: readonly Cost[]) {
  return (cost: Cost, value: number) => (without.includes(cost) ? 0 : value);
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
    readonly source: BarSource;
    readonly from: number | undefined;
    readonly without: readonly Cost[];
    /** Hash of the model that decides from the start; without one every mode is `ict`. */
    readonly model?: string | undefined;
  },
): string {
  // What was given, inferred or assumed of the contracts and of funding decides as much as any setting.
  const { instruments, contracts, timeframe, assumptions } = run.source;
  const rules = JSON.stringify([instruments, contracts, assumptions], (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  const model = run.model === undefined ? [] : [run.model];
  const from = String(run.from ?? "");
  const decided: Settings = run.model === undefined ? { ...settings, STRATEGY_MODE: "ict" } : settings;
  return settingsHash(decided, [rules, String(timeframe), from, [...run.without].sort().join(), ...model]);
}

/** Opens the journal of a run: DATA_DIR/journal/<time>-<pid>-<command>.journal */
export function openJournal(
  settings: Settings,
  run: Pick<JournalHeader, "command" | "kernel" | "settingsHash" | "instruments" | "bars" | "data"> &
    Partial<Pick<JournalHeader, "mode" | "epoch">>,
): JournalWriter {
  const created = Date.now();
  const stamp = new Date(created).toISOString().replaceAll(":", "-").replace("Z", "");
  const path = join(settings.DATA_DIR, "journal", `${stamp}-${process.pid}-${run.command}.journal`);
  const header: JournalHeader = {
    mode: "simulated",
    // Two services that start in one millisecond are two runs.
    epoch: created * 1000 + (process.pid % 1000),
    ...run,
    settings: publicSettings(settings),
    build: packageJson.version,
    created,
    effects: "orders",
  };
  // What sends orders while people watch writes them down before they leave; a backtest can be run again.
  return new JournalWriter(path, header, run.command === "run" ? "intent" : "buffered");
}

/** The settings without the secrets among them: journals are shown to others. */
function publicSettings(settings: Settings): JournalHeader["settings"] {
  const named = SETTING_NAMES.filter((name) => SETTINGS[name].type !== "secret");
  return Object.fromEntries(named.map((name) => [name, settings[name]]));
}

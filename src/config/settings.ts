/**
 * The one table of settings. The loader, `penstock config`, docs/settings.md, the types and the settings hash are all
 * derived from it. Names and defaults are those of the original system where it had them.
 */

interface Common {
  /** One or more sentences for a person; states what the unit means where that is not obvious. */
  readonly help: string;
  /** `fraction` marks shares of one, for which values that look like percents are refused with the reason. */
  readonly unit?: string;
  /** May be changed while running. */
  readonly hot?: true;
  /** Can change a decision or a fill, so it is part of the settings hash. */
  readonly decides?: true;
  /** The part that would read it and does not exist yet: the value is checked, and then has no effect. */
  readonly awaits?: string;
}

export type Definition = Common &
  (
    | { readonly type: "integer" | "number"; readonly default: number; readonly min: number; readonly max: number }
    | { readonly type: "boolean"; readonly default: boolean; readonly notYet?: readonly boolean[] }
    | {
        readonly type: "choice";
        readonly default: string;
        readonly choices: readonly string[];
        /** Choices that are known and refused until their part exists. */
        readonly notYet?: readonly string[];
        /** The one choice that exists; all others are accepted, run as this one and say so. */
        readonly runsAs?: string;
      }
    | { readonly type: "text" | "secret"; readonly default: string }
  );

type Table = Readonly<Record<string, Definition>>;

const TRADING = {
  EXCHANGE: {
    type: "choice",
    choices: ["simulated", "binance"],
    notYet: ["binance"],
    default: "simulated",
    help: "Where orders go: the embedded simulated exchange, or Binance USD-M perpetual futures.",
  },
  TRADING_ENABLED: {
    type: "boolean",
    notYet: [true],
    default: false,
    help: "Send real orders. Without it everything is paper.",
  },
  STRATEGY_MODE: {
    type: "choice",
    choices: ["ict", "self_learning", "hybrid"],
    runsAs: "ict",
    default: "hybrid",
    decides: true,
    help: "The strategy. A model decides only after it has passed its gate; without one, ict decides.",
  },
  POSITION_MODE: {
    type: "choice",
    choices: ["one-way", "hedge"],
    notYet: ["hedge"],
    default: "one-way",
    decides: true,
    help: "One position per symbol, or a long and a short leg side by side.",
  },
  MAX_POSITIONS: {
    type: "integer",
    min: 1,
    max: 10_000,
    default: 999,
    unit: "positions",
    hot: true,
    decides: true,
    help: "Most positions open at once, pending entries included.",
  },
  MAX_SIGNALS: {
    type: "integer",
    min: 1,
    max: 1000,
    default: 10,
    unit: "signals",
    hot: true,
    decides: true,
    help: "Most candidates taken per cycle, the best first.",
  },
  MIN_CONFIDENCE: {
    type: "number",
    min: 0,
    max: 1,
    default: 0.35,
    unit: "fraction",
    hot: true,
    decides: true,
    help: "Lowest confidence of a candidate that is considered. For live money at least 0.45 is advised.",
  },
  CYCLE_INTERVAL: {
    type: "integer",
    min: 1,
    max: 3600,
    default: 60,
    unit: "s",
    decides: true,
    help: "How long after the nominal close of a bar a live cycle waits for symbols that are late.",
  },
  VIRTUAL_POSITION_CYCLE_INTERVAL: {
    type: "integer",
    min: 1,
    max: 3600,
    default: 10,
    unit: "s",
    hot: true,
    awaits: "virtual positions",
    help: "How often virtual positions are scored again.",
  },
  PROTECTION_TIMEOUT_MS: {
    type: "integer",
    min: 100,
    max: 60_000,
    default: 5000,
    unit: "ms",
    decides: true,
    help: "How long a position may wait for the acknowledgement of its stop before entries end and it is closed.",
  },
  DEFAULT_ACCOUNT_BALANCE: {
    type: "number",
    min: 1,
    max: 10_000_000,
    default: 10_000,
    unit: "USDT",
    decides: true,
    help: "Balance of the account on the simulated exchange at the start.",
  },
  DATABASE_URL: {
    type: "secret",
    default: "",
    help: "postgres://user:password@host/database of a TimescaleDB or PostgreSQL server; empty: the embedded store.",
  },
  DATA_DIR: {
    type: "text",
    default: "./penstock-data",
    help: "The folder that holds all state: journals, the store, caches.",
  },
} as const satisfies Table;

const RISK = {
  BASE_LEVERAGE: {
    type: "integer",
    min: 1,
    max: 125,
    default: 3,
    unit: "×",
    hot: true,
    decides: true,
    help: "Leverage of a position before guards scale it.",
  },
  MIN_LEVERAGE: {
    type: "integer",
    min: 1,
    max: 125,
    default: 3,
    unit: "×",
    hot: true,
    decides: true,
    help: "Lowest leverage of a position.",
  },
  MAX_LEVERAGE: {
    type: "integer",
    min: 1,
    max: 125,
    default: 20,
    unit: "×",
    hot: true,
    decides: true,
    help: "Highest leverage of a position; the exchange may allow less. For live money at most 10 is advised.",
  },
  BASE_MARGIN_PCT: {
    type: "number",
    min: 0.001,
    max: 0.99,
    default: 0.1,
    unit: "fraction",
    hot: true,
    decides: true,
    help: "Share of the equity put up as margin of a position before guards scale it; 0.10 is 10 %.",
  },
  MIN_MARGIN_PCT: {
    type: "number",
    min: 0.001,
    max: 0.99,
    default: 0.03,
    unit: "fraction",
    hot: true,
    decides: true,
    help: "Lowest share of the equity put up as margin of a position; 0.03 is 3 %.",
  },
  MAX_MARGIN_PCT: {
    type: "number",
    min: 0.001,
    max: 0.99,
    default: 0.13,
    unit: "fraction",
    hot: true,
    decides: true,
    help: "Highest share of the equity put up as margin of a position; 0.13 is 13 %.",
  },
  MAX_EXPOSURE_RATIO: {
    type: "number",
    min: 0.1,
    max: 100,
    default: 3,
    unit: "x equity",
    hot: true,
    decides: true,
    help: "Most that all positions together may be worth, as a multiple of the equity.",
  },
  RISK_REWARD_RATIO: {
    type: "number",
    min: 0.1,
    max: 20,
    default: 2,
    unit: "×",
    hot: true,
    decides: true,
    help: "Distance of the target from the entry as a multiple of the distance of the stop.",
  },
  DAILY_LOSS_LIMIT_PCT: {
    type: "number",
    min: 0.0001,
    max: 0.5,
    default: 0.05,
    unit: "fraction",
    hot: true,
    decides: true,
    help: "Loss since the start of the UTC day, as a share of the equity then, at which entries end; 0.05 is 5 %.",
  },
  MIN_NOTIONAL_VALUE: {
    type: "number",
    min: 0,
    max: 1_000_000,
    default: 20,
    unit: "USDT",
    hot: true,
    decides: true,
    help: "Smallest value of an entry; the exchange's own minimum applies as well.",
  },
} as const satisfies Table;

const INDICATORS = {
  EMA_FAST: {
    type: "integer",
    min: 2,
    max: 500,
    default: 20,
    unit: "bars",
    decides: true,
    help: "Period of the fast exponential moving average.",
  },
  EMA_SLOW: {
    type: "integer",
    min: 2,
    max: 500,
    default: 50,
    unit: "bars",
    decides: true,
    help: "Period of the slow exponential moving average.",
  },
  RSI_PERIOD: {
    type: "integer",
    min: 2,
    max: 200,
    default: 14,
    unit: "bars",
    decides: true,
    help: "Period of the relative strength index.",
  },
  ATR_PERIOD: {
    type: "integer",
    min: 2,
    max: 200,
    default: 14,
    unit: "bars",
    decides: true,
    help: "Period of the average true range.",
  },
  ADX_PERIOD: {
    type: "integer",
    min: 2,
    max: 200,
    default: 14,
    unit: "bars",
    decides: true,
    help: "Period of the average directional index.",
  },
  ADX_TREND_THRESHOLD: {
    type: "number",
    min: 15,
    max: 25,
    default: 20,
    decides: true,
    help: "ADX on 1h below which a market is ranging; it lies between choppy (below 15) and strong_trending (from 25).",
  },
} as const satisfies Table;

const ORDER_BLOCKS = {
  OB_MIN_VOLUME_RATIO: {
    type: "number",
    min: 0,
    max: 100,
    default: 1.5,
    unit: "×",
    decides: true,
    help: "Volume of the move that makes an order block, as a multiple of the average volume.",
  },
  OB_MAX_TEST_COUNT: {
    type: "integer",
    min: 1,
    max: 100,
    default: 3,
    unit: "tests",
    decides: true,
    awaits: "tests of order blocks",
    help: "An order block that was tested more often is spent.",
  },
  OB_DECAY_ENABLED: {
    type: "boolean",
    default: true,
    decides: true,
    awaits: "decay of order blocks",
    help: "Whether order blocks lose strength with age.",
  },
  OB_TIME_DECAY_HOURS: {
    type: "number",
    min: 1,
    max: 8760,
    default: 48,
    unit: "h",
    decides: true,
    awaits: "decay of order blocks",
    help: "Age at which an order block begins to lose strength.",
  },
  OB_DECAY_RATE: {
    type: "number",
    min: 0,
    max: 1,
    default: 0.1,
    unit: "fraction",
    decides: true,
    awaits: "decay of order blocks",
    help: "Share of its strength that an ageing order block loses per OB_TIME_DECAY_HOURS.",
  },
} as const satisfies Table;

const SIMULATED_EXCHANGE = {
  SIMULATED_TAKER_FEE: {
    type: "number",
    min: 0,
    max: 0.01,
    default: 0.0005,
    unit: "fraction",
    decides: true,
    help: "Fee of fills that take liquidity, as a share of their value; 0.0005 is 0.05 %.",
  },
  SIMULATED_MAKER_FEE: {
    type: "number",
    min: 0,
    max: 0.01,
    default: 0.0002,
    unit: "fraction",
    decides: true,
    help: "Fee of fills that provide liquidity, as a share of their value.",
  },
  SIMULATED_SPREAD_BPS: {
    type: "number",
    min: 0,
    max: 500,
    default: 1,
    unit: "bp",
    decides: true,
    help: "Full distance of bid and ask where no quotes are recorded; 1 bp is 0.01 % of the price.",
  },
  SIMULATED_SLIPPAGE_BPS: {
    type: "number",
    min: 0,
    max: 500,
    default: 1,
    unit: "bp",
    decides: true,
    help: "How much worse than the quote a market order fills; 1 bp is 0.01 % of the price.",
  },
  SIMULATED_VOLUME_SHARE: {
    type: "number",
    min: 0.0001,
    max: 1,
    default: 0.1,
    unit: "fraction",
    decides: true,
    help: "Share of a bar's volume that one order may fill; 0.1 is 10 %.",
  },
  SIMULATED_FUNDING_RATE: {
    type: "number",
    min: -0.03,
    max: 0.03,
    default: 0.0001,
    unit: "fraction",
    decides: true,
    help: "Funding rate assumed every 8 h where no funding data is given; longs pay it when it is above 0.",
  },
} as const satisfies Table;

const LEARNING = {
  ENABLE_SELF_LEARNING: {
    type: "boolean",
    default: true,
    decides: true,
    awaits: "learning",
    help: "Train models on the own trades and on virtual positions.",
  },
  SELF_LEARNING_MODE: {
    type: "choice",
    choices: ["end_to_end"],
    default: "end_to_end",
    decides: true,
    awaits: "learning",
    help: "How the self-learning strategy is built.",
  },
  REINFORCEMENT_LEARNING_ENABLED: {
    type: "boolean",
    default: true,
    decides: true,
    awaits: "learning",
    help: "Train the policy.",
  },
  AUTOENCODER_TRAINING_ENABLED: {
    type: "boolean",
    default: true,
    decides: true,
    awaits: "learning",
    help: "Train the autoencoder of market structure.",
  },
  FEATURE_DISCOVERY_ENABLED: {
    type: "boolean",
    default: true,
    decides: true,
    awaits: "learning",
    help: "Train the network that discovers features.",
  },
  ML_MIN_TRAINING_SAMPLES: {
    type: "integer",
    min: 10,
    max: 10_000_000,
    default: 100,
    unit: "samples",
    decides: true,
    awaits: "learning",
    help: "Fewest samples on which a model is trained.",
  },
  ENABLE_MARKET_REGIME_PREDICTION: {
    type: "boolean",
    default: false,
    decides: true,
    awaits: "prediction of regimes",
    help: "Predict the change of the market's regime.",
  },
  REGIME_PREDICTION_THRESHOLD: {
    type: "number",
    min: 0,
    max: 1,
    default: 0.65,
    unit: "fraction",
    decides: true,
    awaits: "prediction of regimes",
    help: "Lowest probability at which a predicted regime counts.",
  },
  ENABLE_DYNAMIC_FEATURES: {
    type: "boolean",
    default: false,
    decides: true,
    awaits: "evolved features",
    help: "Evolve features from expressions of the base features.",
  },
  DYNAMIC_FEATURE_MIN_SHARPE: {
    type: "number",
    min: -10,
    max: 10,
    default: 0.3,
    decides: true,
    awaits: "evolved features",
    help: "Lowest Sharpe ratio with which an evolved feature is used.",
  },
  ENABLE_LIQUIDITY_HUNTING: {
    type: "boolean",
    default: false,
    decides: true,
    awaits: "the strategy liquidity-hunting",
    help: "Place passive orders near predicted clusters of liquidity.",
  },
  LIQUIDITY_HUNT_CONFIDENCE_THRESHOLD: {
    type: "number",
    min: 0,
    max: 1,
    default: 0.7,
    unit: "fraction",
    decides: true,
    awaits: "the strategy liquidity-hunting",
    help: "Lowest confidence of a predicted cluster of liquidity.",
  },
  ENABLE_QUANTIZATION: {
    type: "boolean",
    default: false,
    decides: true,
    awaits: "served models",
    help: "Serve quantised models where their error gate allows it.",
  },
} as const satisfies Table;

const PERFORMANCE = {
  PENSTOCK_KERNEL: {
    type: "choice",
    choices: ["auto", "portable", "sse2", "avx2", "avx512"],
    default: "auto",
    help: "The kernel that computes indicators. All give the same bits; one that this machine lacks is an error.",
  },
  MAX_WORKERS: {
    type: "integer",
    min: 1,
    max: 64,
    default: 16,
    unit: "workers",
    awaits: "the worker pool",
    help: "Most analysis workers; never more than the number of processors plus 4.",
  },
  PROCESS_MEMORY_LIMIT_MB: {
    type: "integer",
    min: 128,
    max: 1_048_576,
    default: 1024,
    unit: "MB",
    awaits: "child processes",
    help: "Memory that a child process may use; it is enforced.",
  },
  PROCESS_TIMEOUT_SECONDS: {
    type: "number",
    min: 0.1,
    max: 3600,
    default: 30,
    unit: "s",
    awaits: "the worker pool",
    help: "Time after which work that was handed out counts as lost.",
  },
  BATCH_SIZE: {
    type: "integer",
    min: 1,
    max: 10_000,
    default: 50,
    unit: "symbols",
    awaits: "the worker pool",
    help: "Symbols per piece of work.",
  },
  ENABLE_BATCH_PREDICTION: {
    type: "boolean",
    default: true,
    awaits: "served models",
    help: "Predict for many rows in one call.",
  },
  BATCH_PREDICTION_SIZE: {
    type: "integer",
    min: 1,
    max: 10_000,
    default: 32,
    unit: "rows",
    awaits: "served models",
    help: "Rows at which a waiting batch of predictions is sent.",
  },
  ENABLE_INCREMENTAL_CACHE: {
    type: "boolean",
    default: true,
    awaits: "the cache of klines",
    help: "Fetch only the bars after the last known one.",
  },
  ENABLE_MEMORY_MAPPED_STORAGE: {
    type: "boolean",
    default: true,
    awaits: "virtual positions",
    help: "Keep the features of virtual positions in mapped memory.",
  },
  ENABLE_SMART_MONITORING: {
    type: "boolean",
    default: true,
    awaits: "virtual positions",
    help: "Score positions more often the nearer they are to their stop or target.",
  },
} as const satisfies Table;

const EXCHANGE_CLIENT = {
  BINANCE_API_KEY: { type: "secret", default: "", awaits: "the exchange client", help: "API key for reading." },
  BINANCE_API_SECRET: {
    type: "secret",
    default: "",
    awaits: "the exchange client",
    help: "Secret of BINANCE_API_KEY.",
  },
  BINANCE_TRADING_API_KEY: {
    type: "secret",
    default: "",
    awaits: "the exchange client",
    help: "API key for orders; BINANCE_API_KEY where not set.",
  },
  BINANCE_TESTNET: {
    type: "boolean",
    default: false,
    awaits: "the exchange client",
    help: "Use the exchange's test network.",
  },
  RATE_LIMIT_REQUESTS: {
    type: "integer",
    min: 1,
    max: 100_000,
    default: 1920,
    unit: "weight/min",
    awaits: "the exchange client",
    help: "Request weight per minute that may be used.",
  },
  GRADED_CIRCUIT_BREAKER_ENABLED: {
    type: "boolean",
    default: true,
    hot: true,
    awaits: "the API breaker",
    help: "Slow down and then stop requests when the exchange fails. Exits and stops always pass.",
  },
  CIRCUIT_BREAKER_WARNING_THRESHOLD: {
    type: "integer",
    min: 1,
    max: 1000,
    default: 2,
    unit: "failures",
    hot: true,
    awaits: "the API breaker",
    help: "Failures in a row at which the breaker warns.",
  },
  CIRCUIT_BREAKER_THROTTLED_THRESHOLD: {
    type: "integer",
    min: 1,
    max: 1000,
    default: 4,
    unit: "failures",
    hot: true,
    awaits: "the API breaker",
    help: "Failures in a row at which requests are delayed.",
  },
  CIRCUIT_BREAKER_BLOCKED_THRESHOLD: {
    type: "integer",
    min: 1,
    max: 1000,
    default: 5,
    unit: "failures",
    hot: true,
    awaits: "the API breaker",
    help: "Failures in a row at which requests stop.",
  },
  CIRCUIT_BREAKER_THROTTLE_DELAY: {
    type: "number",
    min: 0,
    max: 600,
    default: 2,
    unit: "s",
    hot: true,
    awaits: "the API breaker",
    help: "Delay of each request while throttled.",
  },
  DISCORD_TOKEN: { type: "secret", default: "", awaits: "notifications", help: "Token of the bot that reports." },
} as const satisfies Table;

export const SETTINGS = {
  ...TRADING,
  ...RISK,
  ...INDICATORS,
  ...ORDER_BLOCKS,
  ...SIMULATED_EXCHANGE,
  ...LEARNING,
  ...PERFORMANCE,
  ...EXCHANGE_CLIENT,
};

/** Headings for people, in order; each names its part of the table. */
export const SECTIONS: Readonly<Record<string, Table>> = {
  Trading: TRADING,
  Risk: RISK,
  Indicators: INDICATORS,
  "Order blocks": ORDER_BLOCKS,
  "Simulated exchange": SIMULATED_EXCHANGE,
  Learning: LEARNING,
  Performance: PERFORMANCE,
  "Exchange client": EXCHANGE_CLIENT,
};

export type SettingName = keyof typeof SETTINGS;

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

type ValueOf<D extends Definition> = D extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : D["type"] extends "integer" | "number"
    ? number
    : D["type"] extends "boolean"
      ? boolean
      : string;

/** Every setting with its checked value. */
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof SETTINGS)[Name]> };

/** Settings that must rise in this order; `strictly` where equal values make no sense. */
export const ASCENDING: readonly { readonly names: readonly SettingName[]; readonly strictly: boolean }[] = [
  { names: ["MIN_LEVERAGE", "BASE_LEVERAGE", "MAX_LEVERAGE"], strictly: false },
  { names: ["MIN_MARGIN_PCT", "BASE_MARGIN_PCT", "MAX_MARGIN_PCT"], strictly: false },
  { names: ["EMA_FAST", "EMA_SLOW"], strictly: true },
  {
    names: [
      "CIRCUIT_BREAKER_WARNING_THRESHOLD",
      "CIRCUIT_BREAKER_THROTTLED_THRESHOLD",
      "CIRCUIT_BREAKER_BLOCKED_THRESHOLD",
    ],
    strictly: true,
  },
];

/** The strategy that runs for a STRATEGY_MODE, and a note where that is not what was asked for. */
export function effectiveStrategy(settings: Pick<Settings, "STRATEGY_MODE">): { strategy: "ict"; note?: string } {
  const mode = settings.STRATEGY_MODE;
  const strategy = TRADING.STRATEGY_MODE.runsAs;
  if (mode === strategy) return { strategy };
  return { strategy, note: `STRATEGY_MODE=${mode} is not available yet and runs as ${strategy}` };
}

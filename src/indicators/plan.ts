import { LANES } from "../market/panel.ts";

/**
 * The indicators there are, with their parameters and outputs. All parameters but `deviations` (population standard
 * deviations) are numbers of bars.
 */
export const INDICATORS = {
  ema: { parameters: ["period"], outputs: ["ema"] },
  sma: { parameters: ["period"], outputs: ["sma"] },
  rsi: { parameters: ["period"], outputs: ["rsi"] },
  atr: { parameters: ["period"], outputs: ["atr"] },
  adx: { parameters: ["period"], outputs: ["adx", "plusDi", "minusDi"] },
  bollinger: { parameters: ["period", "deviations"], outputs: ["upper", "middle", "lower"] },
  volumeRatio: { parameters: ["period"], outputs: ["volumeRatio"] },
  trueRange: { parameters: [], outputs: ["trueRange"] },
  macd: { parameters: ["fast", "slow", "signal"], outputs: ["macd", "signal", "histogram"] },
  stochastic: { parameters: ["period", "slowing", "smoothing"], outputs: ["k", "d"] },
  highest: { parameters: ["period"], outputs: ["highest"] },
  lowest: { parameters: ["period"], outputs: ["lowest"] },
  standardDeviation: { parameters: ["period"], outputs: ["standardDeviation"] },
  volumeAverage: { parameters: ["period"], outputs: ["volumeAverage"] },
  obv: { parameters: [], outputs: ["obv"] },
  vwap: { parameters: ["period"], outputs: ["vwap"] },
} as const satisfies Record<string, { parameters: readonly IndicatorParameter[]; outputs: readonly string[] }>;

export type IndicatorParameter = "period" | "fast" | "slow" | "signal" | "slowing" | "smoothing" | "deviations";
export type IndicatorKind = keyof typeof INDICATORS;
export type IndicatorOutput = (typeof INDICATORS)[IndicatorKind]["outputs"][number];

/** A kind with its parameters, such as `{ kind: "macd", fast: 12, slow: 26, signal: 9 }`. */
export type IndicatorRequest = {
  readonly [Kind in IndicatorKind]: { readonly kind: Kind } & {
    readonly [Parameter in (typeof INDICATORS)[Kind]["parameters"][number]]: number;
  };
}[IndicatorKind];

/** Bounds of periods: one bar is no average, and windows are kept in the state of every symbol. */
export const MIN_PERIOD = 2;
export const MAX_PERIOD = 5000;

/** The least value of a period; those that only smooth what is already averaged may be 1 and then do nothing. */
export function minimumOf(parameter: Exclude<IndicatorParameter, "deviations">): number {
  return parameter === "signal" || parameter === "slowing" || parameter === "smoothing" ? 1 : MIN_PERIOD;
}

/**
 * What a kernel computes at each bar, laid out in rows of 32 lanes: four groups of eight symbols side by side are a
 * block, and per block, a last one that is not full included, the state is `stateRows` rows and the outputs are
 * `outputRows` rows (see `lengthOf` and `placeOf`). In one bar a few of these rows are touched here and there, and
 * memory gives four neighbouring lines of a row in clearly less time than four single ones.
 *
 * Rows 0 to 3 of the state are common: bars that the lane has seen, and close, high and low of the last of them. Then
 * come the rings of the windows, and what each step keeps for itself. State that is all zero is the state before a
 * lane's first bar.
 */
export interface IndicatorPlan {
  readonly requests: readonly IndicatorRequest[];
  /** All windows, in the order of their ladders. */
  readonly windows: readonly Window[];
  readonly ladders: readonly Ladder[];
  readonly steps: readonly PlanStep[];
  readonly stateRows: number;
  readonly outputRows: number;
  /** What windows give to the steps of the same bar; at most MAX_RESULT_ROWS. */
  readonly resultRows: number;
  /**
   * The same as whole numbers, for kernels that are not TypeScript: a header of 8 (TABLE_VERSION, number of windows and
   * steps, stateRows, outputRows, resultRows, 0, 0), 4 per window (source, period, rings, result) and 8 per step (kind,
   * period, second, third, state, output, first window, second window); codes are positions in WINDOW_SOURCES and
   * STEP_KINDS.
   */
  readonly table: Int32Array<SharedArrayBuffer>;
  /** Four per step: deviations and the three weights. Then the weight of each window. */
  readonly numbers: Float64Array<SharedArrayBuffer>;
}

export const WINDOW_SOURCES = ["close", "volume", "high", "low", "turnover"] as const;
export type WindowSource = (typeof WINDOW_SOURCES)[number];

/**
 * The last `period` values of a source (`turnover` is volume · (high + low + close)), shared by all steps that look at
 * them. From row `result` of the results on is what the steps need. It is put together from the rings of its ladder,
 * which begin at row `rings` of the state.
 */
export interface Window {
  readonly source: WindowSource;
  readonly period: number;
  readonly rings: number;
  readonly result: number;
  /** 1 / period. */
  readonly weight: number;
}

/** Rows of results: mean and standard deviation; mean; highest; lowest; mean. */
const RESULT_ROWS: Readonly<Record<WindowSource, number>> = { close: 2, volume: 1, high: 1, low: 1, turnover: 1 };
export const MAX_RESULT_ROWS = 128;

/** The length of a ring that is read at `lag`: the next power of two, or none for no lag. */
export function ringLength(lag: number): number {
  return lag <= 1 ? lag : 1 << (32 - Math.clz32(lag - 1));
}

/** The rows of all rings of a window, of 1, 2, 4 … rows below the largest power of two in n, and of that itself. */
export function ringRows(n: number): number {
  const largest = 1 << (31 - Math.clz32(n));
  return largest - 1 + ringLength(n - largest);
}

/**
 * The windows over one source, the shortest first, and the rings that they share.
 *
 * Not the values are kept, but what is known of the last 1, 2, 4 … of them, each in a ring that reaches as far back as
 * it is looked at: the last 2n are the last n and, n bars ago, the last n before them. Any number of values is a few
 * such blocks side by side, or two that overlap where that is allowed. So a window costs as many operations as its
 * period has binary digits, and nothing is ever taken away from a sum, which would drift. All rings together have about
 * as many rows as the longest window has values; a shorter one reads them in passing.
 *
 * What a bar costs is above all the rows it writes, so nothing is kept twice: the last single close, high or low is in
 * the common rows, and single values have no squares.
 */
export interface Ladder {
  readonly source: WindowSource;
  readonly windows: readonly Window[];
  readonly longest: number;
  /** The ring of blocks of n values begins at row `rings + n - 1`, of one value at row `last`. */
  readonly rings: number;
  readonly last: number;
  /** Rows from a ring of sums, of two values or more, to the ring of squares; 0 without such rings. */
  readonly beside: number;
}

/** Rows of the state from `first` on that a ladder has for itself. */
function ladderRows(source: WindowSource, longest: number): number {
  if (source === "volume" || source === "turnover") return ringRows(longest);
  return (ringRows(longest) - 1) * (source === "close" ? 2 : 1);
}

function ladderOf(source: WindowSource, windows: readonly Window[], longest: number, first: number): Ladder {
  const last = LAST_OF[source];
  const rings = last === undefined ? first : first - 1;
  return {
    source,
    windows,
    longest,
    rings,
    last: last ?? first,
    beside: source === "close" ? ringRows(longest) - 1 : 0,
  };
}

/** One request with its places: `state` and `output` are its first rows. What a kind does not have is 0. */
export interface PlanStep {
  readonly kind: IndicatorKind;
  /** The periods, in the order of the kind's parameters. */
  readonly period: number;
  readonly second: number;
  readonly third: number;
  readonly deviations: number;
  /** The weight of the newest value in the average over each period. */
  readonly weight: number;
  readonly secondWeight: number;
  readonly thirdWeight: number;
  readonly state: number;
  readonly output: number;
  /** First rows of the results of its windows. */
  readonly firstWindow: number;
  readonly secondWindow: number;
  /** Of a stochastic: what it smooths with, from its state on; their means are in row SMOOTHED. */
  readonly smoothing: readonly Ladder[];
}

/** Lanes of a row of state or outputs: four groups side by side. */
export const ROW = 4 * LANES;

/** Doubles of `rows` rows of state or outputs of as many groups. */
export function lengthOf(rows: number, groups: number): number {
  return Math.ceil(groups / 4) * rows * ROW;
}

/** Where the lane of a symbol is in row `row` of `rows`. */
export function placeOf(rows: number, row: number, symbol: number): number {
  return (Math.floor(symbol / ROW) * rows + row) * ROW + (symbol % ROW);
}

/** Common rows of the state. */
export const SEEN = 0;
export const LAST_CLOSE = 1;
export const LAST_HIGH = 2;
export const LAST_LOW = 3;
const COMMON_ROWS = 4;

/** Where the last value of a source is kept for everyone. */
const LAST_OF: Readonly<Partial<Record<WindowSource, number>>> = { close: LAST_CLOSE, high: LAST_HIGH, low: LAST_LOW };

/** A row of results beyond those of the windows. */
export const SMOOTHED = MAX_RESULT_ROWS;

/** Counts up with every change of the table, the numbers or the meaning of a row. */
export const TABLE_VERSION = 3;
export const STEP_KINDS = Object.keys(INDICATORS) as readonly IndicatorKind[];

/** Lays requests out in the order given. @throws RangeError for a parameter out of bounds. */
export function planIndicators(requests: readonly IndicatorRequest[]): IndicatorPlan {
  for (const request of requests) check(request);
  let rows = COMMON_ROWS;
  const take = (count: number) => {
    rows += count;
    return rows - count;
  };

  const ladders: Ladder[] = [];
  let resultRows = 0;
  for (const source of WINDOW_SOURCES) {
    const periods = requests.flatMap((request) =>
      "period" in request && SOURCES[request.kind].includes(source) ? [request.period] : [],
    );
    const ascending = [...new Set(periods)].sort((a, b) => a - b);
    const longest = ascending.at(-1);
    if (longest === undefined) continue;
    const rings = take(ladderRows(source, longest));
    const windows = ascending.map((period, i): Window => {
      const result = resultRows + i * RESULT_ROWS[source];
      return { source, period, rings, result, weight: 1 / period };
    });
    resultRows += ascending.length * RESULT_ROWS[source];
    ladders.push(ladderOf(source, windows, longest, rings));
  }
  const windows = ladders.flatMap((ladder) => ladder.windows);
  if (resultRows > MAX_RESULT_ROWS) throw new RangeError(`${windows.length} windows at once are too many`);
  const windowOf = (request: IndicatorRequest, place: number) => {
    const source = SOURCES[request.kind][place];
    if (source === undefined || !("period" in request)) return 0;
    return windows.find((window) => window.source === source && window.period === request.period)!.result;
  };

  let outputRows = 0;
  const steps = requests.map((request): PlanStep => {
    const { kind } = request;
    const [period = 0, second = 0, third = 0] = periodsOf(request);
    const weight = kind === "ema" || kind === "macd" ? emaWeight : wilderWeight;
    const output = outputRows;
    outputRows += INDICATORS[kind].outputs.length;
    const state = take(ownRows(request));
    return {
      kind,
      period,
      second,
      third,
      deviations: "deviations" in request ? request.deviations : 0,
      weight: weight(period),
      secondWeight: weight(second),
      thirdWeight: weight(third),
      state,
      output,
      firstWindow: windowOf(request, 0),
      secondWindow: windowOf(request, 1),
      smoothing: kind === "stochastic" ? [smoother(second, state), smoother(third, state + ringRows(second))] : [],
    };
  });
  // An odd number of rows, so that the same rows of neighbouring blocks do not fall into the same sets of the cache.
  const stateRows = rows % 2 === 0 ? rows + 1 : rows;
  const layout = { requests, ladders, windows, steps, stateRows, outputRows, resultRows };
  return { ...layout, ...tablesOf(layout) };
}

/** Output row of a request, by its position among the requests. @throws RangeError when it has no such output. */
export function outputRow(plan: IndicatorPlan, request: number, output: IndicatorOutput): number {
  const step = plan.steps[request];
  if (step === undefined) throw new RangeError(`request ${request} of ${plan.steps.length}`);
  const outputs: readonly string[] = INDICATORS[step.kind].outputs;
  const place = outputs.indexOf(output);
  if (place < 0) throw new RangeError(`${step.kind} has the outputs ${outputs.join(", ")}, not ${output}`);
  return step.output + place;
}

/** Windows over the first period. */
const SOURCES: Readonly<Record<IndicatorKind, readonly WindowSource[]>> = {
  ema: [],
  sma: ["close"],
  rsi: [],
  atr: [],
  adx: [],
  bollinger: ["close"],
  volumeRatio: ["volume"],
  trueRange: [],
  macd: [],
  stochastic: ["high", "low"],
  highest: ["high"],
  lowest: ["low"],
  standardDeviation: ["close"],
  volumeAverage: ["volume"],
  obv: [],
  vwap: ["turnover", "volume"],
};

function check(request: IndicatorRequest): void {
  for (const parameter of INDICATORS[request.kind].parameters) {
    const value = parameterOf(request, parameter);
    if (parameter === "deviations") {
      if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
        throw new RangeError(`${request.kind}: ${value} standard deviations`);
      }
      continue;
    }
    const least = minimumOf(parameter);
    if (!(Number.isInteger(value) && value >= least && value <= MAX_PERIOD)) {
      throw new RangeError(
        `${request.kind}: ${parameter} ${value} is not a whole number from ${least} to ${MAX_PERIOD}`,
      );
    }
  }
  if (request.kind === "macd" && request.fast >= request.slow) {
    throw new RangeError(`macd: the fast period ${request.fast} is not below the slow one ${request.slow}`);
  }
}

function parameterOf(request: IndicatorRequest, parameter: IndicatorParameter): number {
  return (request as Readonly<Partial<Record<IndicatorParameter, number>>>)[parameter] ?? Number.NaN;
}

function periodsOf(request: IndicatorRequest): number[] {
  return INDICATORS[request.kind].parameters
    .filter((parameter) => parameter !== "deviations")
    .map((parameter) => parameterOf(request, parameter));
}

/** Rows of state that belong to one request alone. */
function ownRows(request: IndicatorRequest): number {
  switch (request.kind) {
    case "ema":
    case "atr":
    case "obv":
      return 1;
    case "rsi":
      return 2;
    case "macd":
      return 3;
    case "adx":
      return 4;
    case "stochastic":
      return ringRows(request.slowing) + ringRows(request.smoothing);
    default:
      return 0;
  }
}

function smoother(period: number, rings: number): Ladder {
  const window: Window = { source: "volume", period, rings, result: SMOOTHED, weight: 1 / period };
  return ladderOf("volume", [window], period, rings);
}

function emaWeight(period: number): number {
  return 2 / (period + 1);
}

function wilderWeight(period: number): number {
  return period === 0 ? 0 : 1 / period;
}

function tablesOf(plan: Omit<IndicatorPlan, "table" | "numbers">): Pick<IndicatorPlan, "table" | "numbers"> {
  const { windows, steps, stateRows, outputRows, resultRows } = plan;
  const whole = [
    [TABLE_VERSION, windows.length, steps.length, stateRows, outputRows, resultRows, 0, 0],
    ...windows.map((w) => [WINDOW_SOURCES.indexOf(w.source), w.period, w.rings, w.result]),
    ...steps.map((s) => [
      STEP_KINDS.indexOf(s.kind),
      s.period,
      s.second,
      s.third,
      s.state,
      s.output,
      s.firstWindow,
      s.secondWindow,
    ]),
  ].flat();
  const numbers = [
    ...steps.flatMap((s) => [s.deviations, s.weight, s.secondWeight, s.thirdWeight]),
    ...windows.map(({ weight }) => weight),
  ];
  // Explicit shared buffers, because native kernels take their address.
  const table = new Int32Array(new SharedArrayBuffer(whole.length * 4));
  table.set(whole);
  const doubles = new Float64Array(new SharedArrayBuffer(numbers.length * 8));
  doubles.set(numbers);
  return { table, numbers: doubles };
}

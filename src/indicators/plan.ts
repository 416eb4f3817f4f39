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
 * What a kernel computes at each bar, laid out in rows of eight lanes. Per group of eight symbols the state is
 * `stateRows` rows and the outputs are `outputRows` rows.
 *
 * Rows 0 to 3 of the state are common: bars that the lane has seen, and close, high and low of the last of them. Then
 * come the rings of the windows, and what each step keeps for itself. State that is all zero is the state before a
 * lane's first bar.
 */
export interface IndicatorPlan {
  readonly requests: readonly IndicatorRequest[];
  readonly windows: readonly Window[];
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
 * them: rings from row `rings` of the state on, and from row `result` of the results on what the steps need.
 *
 * Not the values are kept, but what is known of the last 1, 2, 4 … of them, each in a ring that reaches as far back as
 * it is looked at: the last 2n are the last n and, n bars ago, the last n before them. Any number of values is a few
 * such blocks side by side, or two that overlap where that is allowed. So a window costs as many operations as its
 * period has binary digits, and nothing is ever taken away from a sum, which would drift. All rings together have about
 * as many rows as the window has values.
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
}

/** Common rows of the state. */
export const SEEN = 0;
export const LAST_CLOSE = 1;
export const LAST_HIGH = 2;
export const LAST_LOW = 3;
const COMMON_ROWS = 4;

/** Counts up with every change of the table, the numbers or the meaning of a row. */
export const TABLE_VERSION = 2;
export const STEP_KINDS = Object.keys(INDICATORS) as readonly IndicatorKind[];

/** Lays requests out in the order given. @throws RangeError for a parameter out of bounds. */
export function planIndicators(requests: readonly IndicatorRequest[]): IndicatorPlan {
  for (const request of requests) check(request);
  let rows = COMMON_ROWS;
  const take = (count: number) => {
    rows += count;
    return rows - count;
  };

  const windows = new Map<string, Window>();
  let resultRows = 0;
  for (const request of requests) {
    if (!("period" in request)) continue;
    const { period } = request;
    for (const source of SOURCES[request.kind]) {
      const name = `${source}:${period}`;
      if (windows.has(name)) continue;
      const rings = take(ringRows(period) * (source === "close" ? 2 : 1));
      windows.set(name, { source, period, rings, result: resultRows, weight: 1 / period });
      resultRows += RESULT_ROWS[source];
    }
  }
  if (resultRows > MAX_RESULT_ROWS) throw new RangeError(`${windows.size} windows at once are too many`);
  const windowOf = (request: IndicatorRequest, place: number) => {
    const source = SOURCES[request.kind][place];
    return source === undefined || !("period" in request) ? 0 : windows.get(`${source}:${request.period}`)!.result;
  };

  let outputRows = 0;
  const steps = requests.map((request): PlanStep => {
    const { kind } = request;
    const [period = 0, second = 0, third = 0] = periodsOf(request);
    const weight = kind === "ema" || kind === "macd" ? emaWeight : wilderWeight;
    const output = outputRows;
    outputRows += INDICATORS[kind].outputs.length;
    return {
      kind,
      period,
      second,
      third,
      deviations: "deviations" in request ? request.deviations : 0,
      weight: weight(period),
      secondWeight: weight(second),
      thirdWeight: weight(third),
      state: take(ownRows(request)),
      output,
      firstWindow: windowOf(request, 0),
      secondWindow: windowOf(request, 1),
    };
  });
  const layout = { requests, windows: [...windows.values()], steps, stateRows: rows, outputRows, resultRows };
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

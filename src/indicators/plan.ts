/**
 * The indicators there are, with their parameters and outputs. `period` is a number of bars; `deviations` are
 * population standard deviations.
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
} as const satisfies Record<string, { parameters: readonly ("period" | "deviations")[]; outputs: readonly string[] }>;

export type IndicatorKind = keyof typeof INDICATORS;
export type IndicatorOutput = (typeof INDICATORS)[IndicatorKind]["outputs"][number];

export type IndicatorRequest =
  | { readonly kind: Exclude<IndicatorKind, "bollinger" | "trueRange">; readonly period: number }
  | { readonly kind: "bollinger"; readonly period: number; readonly deviations: number }
  | { readonly kind: "trueRange" };

/** Bounds of `period`: one bar is no average, and the window is kept in the state of every symbol. */
export const MIN_PERIOD = 2;
export const MAX_PERIOD = 5000;

/**
 * What a kernel computes at each bar, laid out in rows of eight lanes. Per group of eight symbols the state is
 * `stateRows` rows and the outputs are `outputRows` rows.
 *
 * Rows 0 to 3 of the state are common: bars that the lane has seen, and close, high and low of the last of them.
 * State that is all zero is the state before a lane's first bar.
 */
export interface IndicatorPlan {
  readonly requests: readonly IndicatorRequest[];
  readonly steps: readonly PlanStep[];
  readonly stateRows: number;
  readonly outputRows: number;
}

/** One request with its places: `state` and `output` are its first rows. */
export interface PlanStep {
  readonly kind: IndicatorKind;
  readonly period: number;
  readonly deviations: number;
  readonly state: number;
  readonly output: number;
}

/** Common rows of the state. */
export const SEEN = 0;
export const LAST_CLOSE = 1;
export const LAST_HIGH = 2;
export const LAST_LOW = 3;
const COMMON_ROWS = 4;

/** Lays requests out in the order given. @throws RangeError for a period or a number of deviations out of bounds. */
export function planIndicators(requests: readonly IndicatorRequest[]): IndicatorPlan {
  const steps: PlanStep[] = [];
  let state = COMMON_ROWS;
  let output = 0;
  for (const request of requests) {
    const period = "period" in request ? request.period : 0;
    const deviations = "deviations" in request ? request.deviations : 0;
    if ("period" in request && !(Number.isInteger(period) && period >= MIN_PERIOD && period <= MAX_PERIOD)) {
      throw new RangeError(
        `${request.kind}: period ${period} is not a whole number from ${MIN_PERIOD} to ${MAX_PERIOD}`,
      );
    }
    if ("deviations" in request && !(deviations > 0 && deviations < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`${request.kind}: ${deviations} standard deviations`);
    }
    steps.push({ kind: request.kind, period, deviations, state, output });
    state += stateRows(request.kind, period);
    output += INDICATORS[request.kind].outputs.length;
  }
  return { requests, steps, stateRows: state, outputRows: output };
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

function stateRows(kind: IndicatorKind, period: number): number {
  switch (kind) {
    case "ema":
    case "atr":
      return 1;
    case "rsi":
      return 2;
    case "adx":
      return 4;
    case "sma":
    case "bollinger":
    case "volumeRatio":
      return 1 + period;
    case "trueRange":
      return 0;
    default:
      return kind satisfies never;
  }
}

import { type Columns, computeIndicators } from "../indicators/indicators.ts";
import type { Kernel } from "../indicators/kernel.ts";
import {
  INDICATORS,
  type IndicatorKind,
  type IndicatorParameter,
  type IndicatorRequest,
  MAX_PERIOD,
  minimumOf,
} from "../indicators/plan.ts";
import { InputError } from "../input-error.ts";

/** A request and the words it was asked in, which name it in the output. */
export interface NamedRequest {
  readonly key: string;
  readonly request: IndicatorRequest;
}

/** One bar: its open time (ms UTC) and a value per request, `null` in warm-up. */
export type IndicatorRow = { readonly openTime: number } & Readonly<Record<string, IndicatorValue>>;
export type IndicatorValue = number | null | Readonly<Record<string, number | null>>;

/** Parses a comma-separated list such as `ema:20,bollinger:20:2,adx:14`. @throws InputError (exit 2) */
export function parseIndicators(list: string): NamedRequest[] {
  return list.split(",").map((key) => ({ key: key.trim(), request: parseIndicator(key.trim()) }));
}

/** Rows for the bars that open at or before `until` (all without it). Bars after it are not even looked at. */
export function indicatorRows(
  ohlcv: Columns & { readonly openTime: Float64Array },
  requests: readonly NamedRequest[],
  until = Number.POSITIVE_INFINITY,
  kernel?: Kernel,
): IndicatorRow[] {
  let length = 0;
  while (length < ohlcv.openTime.length && ohlcv.openTime[length]! <= until) length++;
  const shown: Columns = {
    open: ohlcv.open.subarray(0, length),
    high: ohlcv.high.subarray(0, length),
    low: ohlcv.low.subarray(0, length),
    close: ohlcv.close.subarray(0, length),
    volume: ohlcv.volume.subarray(0, length),
  };
  const results = computeIndicators(
    requests.map(({ request }) => request),
    shown,
    kernel,
  ).map((columns) => Object.entries(columns));

  return Array.from({ length }, (_, bar) => {
    const row: Record<string, IndicatorValue> = {};
    for (const [i, { key }] of requests.entries()) {
      const outputs = results[i]!;
      row[key] =
        outputs.length === 1
          ? known(outputs[0]![1][bar]!)
          : Object.fromEntries(outputs.map(([name, column]) => [name, known(column[bar]!)]));
    }
    return { openTime: ohlcv.openTime[bar]!, ...row } as IndicatorRow;
  });
}

/** JSON has no NaN: what is not known is null. */
function known(x: number): number | null {
  return Number.isFinite(x) ? x : null;
}

/** Other spellings of kinds. */
const SPELLINGS: Readonly<Record<string, IndicatorKind>> = {
  "volume-ratio": "volumeRatio",
  "volume-average": "volumeAverage",
  "true-range": "trueRange",
  "standard-deviation": "standardDeviation",
};

function parseIndicator(key: string): IndicatorRequest {
  const [name = "", ...texts] = key.split(":");
  const kind = SPELLINGS[name] ?? name;
  if (!isKind(kind)) throw new InputError(`indicator "${key}": there is no "${name}"; available: ${available()}`, 2);
  const parameters: readonly IndicatorParameter[] = INDICATORS[kind].parameters;
  if (texts.length !== parameters.length) throw new InputError(`indicator "${key}": write ${form(kind)}`, 2);
  const values = parameters.map((parameter, i) => [parameter, parseParameter(key, parameter, texts[i]!)] as const);
  // Every parameter of the kind has a value of the right type: the table says which ones a request of it has.
  const request = { kind, ...Object.fromEntries(values) } as IndicatorRequest;
  if (request.kind === "macd" && request.fast >= request.slow) {
    throw new InputError(`indicator "${key}": the fast period is below the slow one`, 2);
  }
  return request;
}

function parseParameter(key: string, parameter: IndicatorParameter, text: string): number {
  if (parameter === "deviations") {
    const deviations = /^\d{1,3}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (deviations > 0) return deviations;
    throw new InputError(`indicator "${key}": deviations are a number above 0, for example 2`, 2);
  }
  const least = minimumOf(parameter);
  const period = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (period >= least && period <= MAX_PERIOD) return period;
  const name = parameter === "period" ? "the period" : `the ${parameter} period`;
  throw new InputError(`indicator "${key}": ${name} is a whole number from ${least} to ${MAX_PERIOD}`, 2);
}

function isKind(name: string): name is IndicatorKind {
  return Object.hasOwn(INDICATORS, name);
}

function form(kind: IndicatorKind): string {
  return [kind, ...INDICATORS[kind].parameters].join(":");
}

function available(): string {
  return Object.keys(INDICATORS).filter(isKind).map(form).join(", ");
}

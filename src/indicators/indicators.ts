import { BAR, CLOSE, HIGH, LANES, LOW, OPEN, type Panel, STARTS, VOLUME } from "../market/panel.ts";
import type { Kernel } from "./kernel.ts";
import {
  INDICATORS,
  type IndicatorOutput,
  type IndicatorPlan,
  type IndicatorRequest,
  lengthOf,
  placeOf,
  planIndicators,
} from "./plan.ts";
import { portable } from "./portable.ts";

/**
 * The indicators of all symbols of a panel on one timeframe. State is a function of the panel's bars since the first
 * that was advanced over, and each bar is advanced over exactly once.
 */
export class Indicators {
  readonly plan: IndicatorPlan;
  readonly kernel: Kernel;
  /** `[block][state row][32 lanes]` (see `placeOf`); all of it is the state: a copy continues as the original would. */
  readonly state: Float64Array<SharedArrayBuffer>;
  /** `[block][output row][32 lanes]` at the last bar. */
  readonly out: Float64Array<SharedArrayBuffer>;
  private readonly panel: Panel;
  private readonly timeframe: number;
  private last = -1;

  constructor(plan: IndicatorPlan, kernel: Kernel, panel: Panel, timeframe: number) {
    this.plan = plan;
    this.kernel = kernel;
    this.panel = panel;
    this.timeframe = timeframe;
    // Explicit buffers, because native kernels take their address.
    this.state = new Float64Array(new SharedArrayBuffer(lengthOf(plan.stateRows, panel.groups) * 8));
    this.out = new Float64Array(new SharedArrayBuffer(lengthOf(plan.outputRows, panel.groups) * 8)).fill(Number.NaN);
  }

  /** Index of the last bar that was advanced over, -1 before the first. */
  get index(): number {
    return this.last;
  }

  /**
   * Advances all symbols over a published bar; a symbol whose bar carries STARTS begins anew with it. Bars may be passed
   * over only when no symbol had one: while nothing is listed no bar closes.
   * @throws RangeError when the bar is not after the last, or not in the panel.
   */
  advance(index: number): void {
    const { panel, timeframe, plan } = this;
    if (index <= this.last) {
      throw new RangeError(`indicators at bar ${this.last} cannot go on with bar ${index}`);
    }
    const offset = panel.offset(timeframe, 0, index);
    const stride = panel.groupStride(timeframe);
    this.resetStarting(index);
    this.kernel.step(plan, panel.values, offset, stride, panel.groups, this.state, this.out);
    this.last = index;
    panel.assertHeld(timeframe, index);
  }

  /** Value of an output row (see `outputRow`) for a symbol at the last bar; NaN when absent or in warm-up. */
  value(row: number, symbol: number): number {
    return this.out[placeOf(this.plan.outputRows, row, symbol)]!;
  }

  /** Resets the symbols whose listing begins with this bar. */
  private resetStarting(index: number): void {
    const { statuses, groups } = this.panel;
    const first = this.panel.statusOffset(this.timeframe, 0, index);
    const stride = this.panel.statusStride(this.timeframe);
    for (let group = 0; group < groups; group++) {
      const at = first + group * stride;
      for (let lane = 0; lane < LANES; lane++) {
        if ((statuses[at + lane]! & STARTS) !== 0) this.reset(group * LANES + lane);
      }
    }
  }

  /** Forgets what a symbol has shown. */
  reset(symbol: number): void {
    const rows = this.plan.stateRows;
    for (let row = 0; row < rows; row++) this.state[placeOf(rows, row, symbol)] = 0;
  }
}

/** Columns of one series; equal lengths. A NaN close is an absent bar. */
export interface Columns {
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
}

/** Outputs of one request by name, each as long as the series, NaN in warm-up. */
export type IndicatorColumns = Partial<Record<IndicatorOutput, Float64Array>>;

/** Computes indicators over one whole series: a loop over the same step that trades. Results in request order. */
export function computeIndicators(
  requests: readonly IndicatorRequest[],
  columns: Columns,
  kernel: Kernel = portable,
): IndicatorColumns[] {
  const plan = planIndicators(requests);
  const outputs = lengthOf(plan.outputRows, 1);
  // In pieces, because all lanes of every output of a long series at once would be a lot of memory.
  const length = columns.close.length;
  const piece = length < PIECE ? length : PIECE;
  const bars = new Float64Array(new SharedArrayBuffer(piece * BAR * 8)).fill(Number.NaN);
  const state = new Float64Array(new SharedArrayBuffer(lengthOf(plan.stateRows, 1) * 8));
  const out = new Float64Array(new SharedArrayBuffer(piece * outputs * 8));
  const rows = Array.from({ length: plan.outputRows }, () => new Float64Array(length));
  for (let first = 0; first < length; first += piece) {
    const count = length - first < piece ? length - first : piece;
    for (let i = 0; i < count; i++) {
      bars[i * BAR + OPEN] = columns.open[first + i]!;
      bars[i * BAR + HIGH] = columns.high[first + i]!;
      bars[i * BAR + LOW] = columns.low[first + i]!;
      bars[i * BAR + CLOSE] = columns.close[first + i]!;
      bars[i * BAR + VOLUME] = columns.volume[first + i]!;
    }
    kernel.run(plan, bars, 0, 0, 1, count, state, out, "all");
    for (let row = 0; row < plan.outputRows; row++) {
      for (let i = 0; i < count; i++) rows[row]![first + i] = out[i * outputs + placeOf(plan.outputRows, row, 0)]!;
    }
  }
  return plan.steps.map((step) =>
    Object.fromEntries(INDICATORS[step.kind].outputs.map((output, i) => [output, rows[step.output + i]!])),
  );
}

/** Bars that are computed in one call. */
const PIECE = 256;

import { ABSENT, type BarStep, FLAT, REAL } from "./bar-source.ts";

/** The newest bars of one timeframe, as columns by symbol index; overwritten when the next ones close. */
export interface ClosedBars {
  /** ms. */
  readonly timeframe: number;
  /** Of the window that closed last, ms UTC; NaN before the first. */
  openTime: number;
  /** REAL, or FLAT when all base bars were; ABSENT where there is no complete bar: its columns mean nothing then. */
  readonly status: Uint8Array;
  /** In the unit of the base bars. */
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
}

/**
 * Builds bars of higher timeframes from base bars, for all symbols at once.
 *
 * A window [T, T + timeframe) closes when the base bar that ends at its end is pushed; before that nothing of it can
 * be seen. A symbol gets the window's bar only if it had every base bar in it, flat ones included: where listing,
 * delisting or the beginning of the data fall inside a window, that window has no bar, because it would claim a range
 * and a volume that were never seen whole. Volumes are added in the order of the base bars.
 *
 * A timeframe equal to the base closes at every push, so callers need no special case for it.
 */
export class Aggregator {
  /** In the order of the timeframes given. */
  readonly closed: readonly ClosedBars[];
  readonly #base: number;
  readonly #windows: readonly Window[];
  readonly #closedNow: number[] = [];

  /** @throws RangeError when a timeframe is not a whole multiple of the base. */
  constructor(symbols: number, base: number, timeframes: readonly number[]) {
    for (const timeframe of timeframes) {
      if (!(timeframe >= base && timeframe % base === 0)) {
        throw new RangeError(`bars of ${timeframe} ms cannot be built from bars of ${base} ms`);
      }
    }
    this.#base = base;
    this.closed = timeframes.map((timeframe) => ({ timeframe, openTime: Number.NaN, ...columns(symbols) }));
    this.#windows = timeframes.map((timeframe) => ({
      openTime: Number.NaN,
      bars: timeframe / base,
      count: new Int32Array(symbols),
      ...columns(symbols),
    }));
  }

  /**
   * Takes the next step of base bars and returns which timeframes closed at its close, as indices into `closed`. The
   * list is reused by the next call.
   */
  push(step: Pick<BarStep, "openTime" | "status" | "open" | "high" | "low" | "close" | "volume">): readonly number[] {
    const closedNow = this.#closedNow;
    closedNow.length = 0;
    for (let index = 0; index < this.closed.length; index++) {
      const closed = this.closed[index]!;
      const window = this.#windows[index]!;
      const openTime = step.openTime - (step.openTime % closed.timeframe);
      if (openTime !== window.openTime) {
        window.openTime = openTime;
        window.count.fill(0);
      }
      extend(window, step);
      if (step.openTime + this.#base === openTime + closed.timeframe) {
        publish(window, closed);
        closedNow.push(index);
      }
    }
    return closedNow;
  }
}

/** The window that is still open. */
interface Window extends Columns {
  openTime: number;
  /** Base bars that make it whole, and how many each symbol has. */
  readonly bars: number;
  readonly count: Int32Array;
}

interface Columns {
  readonly status: Uint8Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
}

function columns(symbols: number): Columns {
  return {
    status: new Uint8Array(symbols),
    open: new Float64Array(symbols),
    high: new Float64Array(symbols),
    low: new Float64Array(symbols),
    close: new Float64Array(symbols),
    volume: new Float64Array(symbols),
  };
}

function extend(window: Window, step: Columns): void {
  const { count, status, open, high, low, close, volume } = window;
  for (let symbol = 0; symbol < count.length; symbol++) {
    if (step.status[symbol] === ABSENT) continue;
    const stepHigh = step.high[symbol]!;
    const stepLow = step.low[symbol]!;
    if (count[symbol] === 0) {
      status[symbol] = FLAT;
      open[symbol] = step.open[symbol]!;
      high[symbol] = stepHigh;
      low[symbol] = stepLow;
      volume[symbol] = step.volume[symbol]!;
    } else {
      if (stepHigh > high[symbol]!) high[symbol] = stepHigh;
      if (stepLow < low[symbol]!) low[symbol] = stepLow;
      volume[symbol] = volume[symbol]! + step.volume[symbol]!;
    }
    if (step.status[symbol] === REAL) status[symbol] = REAL;
    close[symbol] = step.close[symbol]!;
    count[symbol] = count[symbol]! + 1;
  }
}

function publish(window: Window, closed: ClosedBars): void {
  closed.openTime = window.openTime;
  for (let symbol = 0; symbol < window.count.length; symbol++) {
    closed.status[symbol] = window.count[symbol] === window.bars ? window.status[symbol]! : ABSENT;
  }
  closed.open.set(window.open);
  closed.high.set(window.high);
  closed.low.set(window.low);
  closed.close.set(window.close);
  closed.volume.set(window.volume);
}

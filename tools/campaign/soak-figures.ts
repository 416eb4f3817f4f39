/** One look at the running service. Times in ms, memory in MB. */
export interface Sample {
  /** Wall ms since the faults began. */
  readonly wall: number;
  /** Market time at the exchange, and how late the service's newest bar is, market ms. */
  readonly market: number;
  readonly behind: number;
  readonly residentMb: number;
  readonly exchangeMb: number;
  /** Time on processors since they were started, ms. */
  readonly serviceCpu: number;
  readonly exchangeCpu: number;
  /** Open file descriptors of the service. */
  readonly handles: number;
  /** Timeouts and intervals that are set. */
  readonly timeouts: number;
  readonly intervals: number;
  /** Longest time that nothing else ran on the trading thread since the sample before, wall ms. */
  readonly blocked: number;
  readonly positions: number;
  readonly openOrders: number;
  /** Orders that have left and of which the exchange has not said a word. */
  readonly unacknowledged: number;
  readonly unprotected: number;
}

/** The figures of one column of samples. */
export interface Range {
  readonly least: number;
  readonly median: number;
  readonly most: number;
  readonly last: number;
}

/** @throws RangeError for no values at all */
export function rangeOf(values: readonly number[]): Range {
  if (values.length === 0) throw new RangeError("a range of no values");
  const sorted = values.toSorted((a, b) => a - b);
  return { least: sorted[0]!, median: medianOf(sorted), most: sorted.at(-1)!, last: values.at(-1)! };
}

function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The median of the slopes through all pairs of points (Theil 1950, Sen 1968): up to 29 % of the points may be as wrong
 * as they like, so neither a burst nor a collection of garbage tilts it. In units of y per unit of x.
 *
 * @throws RangeError for fewer than two different x
 */
export function theilSen(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const run = points[j]![0] - points[i]![0];
      if (run !== 0) slopes.push((points[j]![1] - points[i]![1]) / run);
    }
  }
  if (slopes.length === 0) throw new RangeError("a slope needs two points");
  return medianOf(slopes.sort((a, b) => a - b));
}

const DAY = 86_400_000;

/** What the samples of the second half come to; growth is per simulated day. */
export interface SoakFigures {
  readonly samples: number;
  readonly residentMb: Range;
  readonly residentMbPerDay: number;
  readonly exchangeMbPerDay: number;
  readonly handles: Range;
  readonly handlesPerDay: number;
  readonly timers: Range;
  readonly timersPerDay: number;
  readonly unacknowledged: Range;
  readonly unprotected: Range;
  readonly openOrders: Range;
  readonly positions: Range;
  readonly behind: Range;
  readonly blocked: Range;
  /** Processors kept busy on average. */
  readonly serviceCores: number;
  readonly exchangeCores: number;
}

/** @throws RangeError for fewer than two samples in the second half */
export function figuresOf(samples: readonly Sample[]): SoakFigures {
  const [first, last] = [samples[0]?.market ?? 0, samples.at(-1)?.market ?? 0];
  const half = samples.filter(({ market }) => market >= first + (last - first) / 2);
  const column = (of: (sample: Sample) => number) => half.map(of);
  const slope = (of: (sample: Sample) => number) =>
    theilSen(half.map((sample) => [sample.market / DAY, of(sample)] as const));
  const [begin, end] = [half[0]!, half.at(-1)!];
  const timers = ({ timeouts, intervals }: Sample) => timeouts + intervals;
  return {
    samples: samples.length,
    residentMb: rangeOf(column(({ residentMb }) => residentMb)),
    residentMbPerDay: slope(({ residentMb }) => residentMb),
    exchangeMbPerDay: slope(({ exchangeMb }) => exchangeMb),
    handles: rangeOf(column(({ handles }) => handles)),
    handlesPerDay: slope(({ handles }) => handles),
    timers: rangeOf(column(timers)),
    timersPerDay: slope(timers),
    unacknowledged: rangeOf(column(({ unacknowledged }) => unacknowledged)),
    unprotected: rangeOf(column(({ unprotected }) => unprotected)),
    openOrders: rangeOf(column(({ openOrders }) => openOrders)),
    positions: rangeOf(column(({ positions }) => positions)),
    behind: rangeOf(column(({ behind }) => behind)),
    blocked: rangeOf(column(({ blocked }) => blocked)),
    serviceCores: (end.serviceCpu - begin.serviceCpu) / (end.wall - begin.wall),
    exchangeCores: (end.exchangeCpu - begin.exchangeCpu) / (end.wall - begin.wall),
  };
}

import { ABSENT } from "./bar-source.ts";

/**
 * All bars that analysis may look at, in one block of shared memory: one writer, any number of reading threads.
 *
 * ```
 * byte    0  magic u32 | 4 version u32 | 8 symbols u32 | 12 timeframes u32
 *        16  bytes in all f64 | 24 origin f64 (ms UTC) | 32 byte offset of funding f64 | 40 … 63 zero
 *
 *   64 (i+1)  timeframe i, shortest (the base) first; one cache line each
 *         0  ms f64 | 8 name, 8 ASCII bytes, zero padded
 *        16  capacity u32 | 20 slots u32 (capacity + spare)
 *        24  byte offset of bars f64 | 32 byte offset of statuses f64
 *        40  writing i32 | 44 published i32 (bar indices, -1 before the first; both belong to the writer)
 *        48 … 63 zero
 *
 *  then, per timeframe and at multiples of 64 bytes:
 *    bars      [group of 8 symbols][slot][open, high, low, close, volume][8 lanes]   f64
 *    statuses  [group of 8 symbols][slot][8 lanes]                                    u8
 *
 *  then, at a multiple of 64 bytes:
 *    funding   [symbol][16 settlements, a ring][time ms, rate as a fraction]          f64
 * ```
 *
 * Symbols are padded to a multiple of eight; padding lanes stay absent. Bar k of a timeframe opens at
 * `floor(origin / ms) · ms + k · ms` and lies in slot `k mod slots`. An absent bar is NaN in all five fields and
 * ABSENT (0) as status. Numbers are little-endian, as on every machine that Bun runs on.
 *
 * A bar is complete when `published` has reached its index; published bars never change. Before the writer touches
 * the slot of bar k, it stores k in `writing`: from then on bar k - slots is gone. A reader that was told "up to t"
 * may look back over `capacity` bars while the writer is at most `spare` bars ahead of t; `holds` tells.
 */
export class Panel {
  readonly buffer: SharedArrayBuffer;
  /** Number of symbols without padding; symbol s is lane `s % 8` of group `floor(s / 8)`. */
  readonly symbols: number;
  readonly groups: number;
  /** Start of bar indices, ms UTC. */
  readonly origin: number;
  readonly timeframes: readonly PanelTimeframe[];
  /** The whole buffer as doubles: what kernels read; `offset` gives positions in it. */
  readonly values: Float64Array<SharedArrayBuffer>;
  /** The whole buffer as bytes; `statusOffset` gives positions in it. */
  readonly statuses: Uint8Array<SharedArrayBuffer>;
  private readonly counters: Int32Array<SharedArrayBuffer>;
  /** Where funding begins, in doubles. */
  private readonly funding: number;

  /** @param firstGroup @param symbols what of the buffer this panel shows; all of it when absent */
  private constructor(buffer: SharedArrayBuffer, firstGroup = 0, symbols?: number) {
    const words = new Uint32Array(buffer, 0, 4);
    const header = new DataView(buffer);
    this.buffer = buffer;
    this.symbols = symbols ?? words[2]!;
    this.groups = Math.ceil(this.symbols / LANES);
    this.origin = header.getFloat64(24, true);
    this.values = new Float64Array(buffer);
    this.statuses = new Uint8Array(buffer);
    this.counters = new Int32Array(buffer);
    this.funding = header.getFloat64(32, true) / 8 + firstGroup * LANES * SETTLEMENTS * 2;
    this.timeframes = Array.from({ length: words[3]! }, (_, i) => {
      const at = LINE * (i + 1);
      const ms = header.getFloat64(at, true);
      const slots = header.getUint32(at + 20, true);
      return {
        name: String.fromCharCode(...this.statuses.subarray(at + 8, at + 16)).replace(/\0+$/, ""),
        ms,
        capacity: header.getUint32(at + 16, true),
        slots,
        start: Math.floor(this.origin / ms) * ms,
        bars: header.getFloat64(at + 24, true) / 8 + firstGroup * slots * BAR,
        statuses: header.getFloat64(at + 32, true) + firstGroup * slots * LANES,
        writing: (at + 40) / 4,
        published: (at + 44) / 4,
      };
    });
  }

  /** Makes an empty panel. @throws RangeError when the specification contradicts itself. */
  static create(spec: PanelSpec): Panel {
    const { symbols, timeframes, origin } = spec;
    if (!Number.isInteger(symbols) || symbols < 1) throw new RangeError(`a panel of ${symbols} symbols`);
    if (!Number.isSafeInteger(origin) || origin < 0) throw new RangeError(`origin ${origin} is not a time in ms`);
    if (timeframes.length === 0) throw new RangeError("a panel without timeframes");
    const base = timeframes[0]!.ms;
    for (const [i, { name, ms, capacity, spare }] of timeframes.entries()) {
      const ok = Number.isInteger(ms) && ms > 0 && ms % base === 0 && (i === 0 || ms > timeframes[i - 1]!.ms);
      if (!ok) throw new RangeError(`${name}: timeframes are multiples of the first, in rising order, in whole ms`);
      if (!/^[\x21-\x7e]{1,8}$/.test(name)) throw new RangeError(`"${name}" is not a name of 1 to 8 ASCII characters`);
      if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError(`${name}: capacity ${capacity}`);
      if (!Number.isInteger(spare) || spare < 1) throw new RangeError(`${name}: spare ${spare} (at least 1)`);
    }

    const groups = Math.ceil(symbols / LANES);
    let size = LINE * (timeframes.length + 1);
    const regions = timeframes.map(({ capacity, spare }) => {
      const slots = capacity + spare;
      const bars = size;
      const statuses = bars + groups * slots * BAR * 8;
      size = Math.ceil((statuses + groups * slots * LANES) / LINE) * LINE;
      return { slots, bars, statuses };
    });
    const funding = size;
    size += Math.ceil((symbols * SETTLEMENTS * 16) / LINE) * LINE;

    const buffer = new SharedArrayBuffer(size);
    const header = new DataView(buffer);
    header.setUint32(4, VERSION, true);
    header.setUint32(8, symbols, true);
    header.setUint32(12, timeframes.length, true);
    header.setFloat64(16, size, true);
    header.setFloat64(24, origin, true);
    header.setFloat64(32, funding, true);
    new Float64Array(buffer, funding, symbols * SETTLEMENTS * 2).fill(Number.NaN);
    for (const [i, { name, ms, capacity }] of timeframes.entries()) {
      const at = LINE * (i + 1);
      const { slots, bars, statuses } = regions[i]!;
      header.setFloat64(at, ms, true);
      for (let c = 0; c < name.length; c++) header.setUint8(at + 8 + c, name.charCodeAt(c));
      header.setUint32(at + 16, capacity, true);
      header.setUint32(at + 20, slots, true);
      header.setFloat64(at + 24, bars, true);
      header.setFloat64(at + 32, statuses, true);
      header.setInt32(at + 40, -1, true);
      header.setInt32(at + 44, -1, true);
    }
    // The magic number must be last: a buffer that has it is complete.
    Atomics.store(new Uint32Array(buffer, 0, 1), 0, MAGIC);
    return new Panel(buffer);
  }

  /** Looks at a panel that another thread made. @throws Error that says what is wrong with the buffer. */
  static attach(buffer: SharedArrayBuffer): Panel {
    if (!(buffer instanceof SharedArrayBuffer)) throw new TypeError("a panel lives in a SharedArrayBuffer");
    if (buffer.byteLength < 2 * LINE) throw new RangeError(`${buffer.byteLength} bytes are too few for a panel`);
    const header = new DataView(buffer);
    const magic = Atomics.load(new Uint32Array(buffer, 0, 1), 0);
    if (magic !== MAGIC)
      throw new RangeError(`not a panel: magic 0x${magic.toString(16)}, not 0x${MAGIC.toString(16)}`);
    const version = header.getUint32(4, true);
    if (version !== VERSION) throw new RangeError(`panel version ${version}, this build reads version ${VERSION}`);
    const size = header.getFloat64(16, true);
    if (size !== buffer.byteLength) throw new RangeError(`panel of ${size} bytes in a buffer of ${buffer.byteLength}`);
    return new Panel(buffer);
  }

  /**
   * The same memory as a panel of some of its groups, for reading: symbol 0 is the first lane of `firstGroup`.
   * @throws RangeError when there are no such symbols.
   */
  range(firstGroup: number, symbols: number): Panel {
    const first = firstGroup * LANES;
    if (!(Number.isInteger(firstGroup) && firstGroup >= 0 && symbols >= 1 && first + symbols <= this.symbols)) {
      throw new RangeError(`symbols ${first} to ${first + symbols} of a panel of ${this.symbols}`);
    }
    return new Panel(this.buffer, firstGroup, symbols);
  }

  /** Whether the next bar of some timeframe would take the place of its first. */
  get isFull(): boolean {
    return this.timeframes.some(({ slots, writing }) => Atomics.load(this.counters, writing) >= slots - 1);
  }

  /** A panel with all bars of this one, none of which is overwritten yet, and twice the room. For the writer. */
  grown(): Panel {
    const grown = Panel.create({
      symbols: this.symbols,
      origin: this.origin,
      timeframes: this.timeframes.map(({ name, ms, capacity, slots }) => ({
        name,
        ms,
        capacity,
        spare: 2 * slots - capacity,
      })),
    });
    for (const [i, from] of this.timeframes.entries()) {
      const to = grown.timeframes[i]!;
      const bars = this.counters[from.writing]! + 1;
      if (bars > from.slots) throw new RangeError(`${from.name}: bars of the panel are overwritten already`);
      for (let group = 0; group < this.groups; group++) {
        const at = from.bars + group * from.slots * BAR;
        grown.values.set(this.values.subarray(at, at + bars * BAR), to.bars + group * to.slots * BAR);
        const status = from.statuses + group * from.slots * LANES;
        grown.statuses.set(
          this.statuses.subarray(status, status + bars * LANES),
          to.statuses + group * to.slots * LANES,
        );
      }
      grown.counters[to.writing] = this.counters[from.writing]!;
      Atomics.store(grown.counters, to.published, this.counters[from.published]!);
    }
    const funding = this.values.subarray(this.funding, this.funding + this.symbols * SETTLEMENTS * 2);
    grown.values.set(funding, grown.funding);
    return grown;
  }

  /** Position of a timeframe in `timeframes`. @throws RangeError for a name that the panel does not have. */
  timeframe(name: string): number {
    const index = this.timeframes.findIndex((timeframe) => timeframe.name === name);
    if (index < 0) throw new RangeError(`no timeframe ${name} in a panel of ${this.timeframes.map((t) => t.name)}`);
    return index;
  }

  /** Index of the bar that is open at a time (ms UTC); negative before the origin. */
  indexAt(timeframe: number, time: number): number {
    const { ms, start } = this.timeframes[timeframe]!;
    return Math.floor((time - start) / ms);
  }

  /** Open time of a bar, ms UTC. */
  openTime(timeframe: number, index: number): number {
    const { ms, start } = this.timeframes[timeframe]!;
    return start + index * ms;
  }

  /** Index of the newest complete bar, -1 before the first. */
  published(timeframe: number): number {
    return Atomics.load(this.counters, this.timeframes[timeframe]!.published);
  }

  /**
   * Whether a bar is complete and not yet overwritten. A thread other than the writer's asks again after reading:
   * only then is what it read known to have been that bar.
   */
  holds(timeframe: number, index: number): boolean {
    const { slots, writing, published } = this.timeframes[timeframe]!;
    return (
      index >= 0 &&
      index <= Atomics.load(this.counters, published) &&
      index > Atomics.load(this.counters, writing) - slots
    );
  }

  /** @throws RangeError when the bar is not (or no longer) readable. */
  assertHeld(timeframe: number, index: number): void {
    if (this.holds(timeframe, index)) return;
    const { name, slots, writing } = this.timeframes[timeframe]!;
    const published = this.published(timeframe);
    const oldest = Math.max(0, Atomics.load(this.counters, writing) - slots + 1);
    throw new RangeError(`${name} bar ${index} is not in the panel, which holds ${oldest}…${published}`);
  }

  /**
   * Position in `values` of a bar of one group: 40 doubles, opens of the eight lanes first. The same bar of the next
   * group lies `groupStride` doubles further. @throws RangeError when the bar is not readable.
   */
  offset(timeframe: number, group: number, index: number): number {
    this.assertHeld(timeframe, index);
    const { bars, slots } = this.timeframes[timeframe]!;
    return bars + (group * slots + (index % slots)) * BAR;
  }

  /** Distance in doubles from a bar of one group to the same bar of the next. */
  groupStride(timeframe: number): number {
    return this.timeframes[timeframe]!.slots * BAR;
  }

  /** Position in `statuses` of the eight status bytes of a bar of one group; groups are `statusStride` bytes apart. */
  statusOffset(timeframe: number, group: number, index: number): number {
    this.assertHeld(timeframe, index);
    const { statuses, slots } = this.timeframes[timeframe]!;
    return statuses + (group * slots + (index % slots)) * LANES;
  }

  /** Distance in bytes from the statuses of a bar of one group to those of the next. */
  statusStride(timeframe: number): number {
    return this.timeframes[timeframe]!.slots * LANES;
  }

  /** One field (OPEN, HIGH, LOW, CLOSE or VOLUME) of one symbol's bar; NaN when absent. */
  value(timeframe: number, index: number, symbol: number, field: number): number {
    return this.values[this.offset(timeframe, symbol >> 3, index) + field + (symbol & 7)]!;
  }

  /** ABSENT, REAL or FLAT, with STARTS added at the first bar of a listing. */
  status(timeframe: number, index: number, symbol: number): number {
    return this.statuses[this.statusOffset(timeframe, symbol >> 3, index) + (symbol & 7)]!;
  }

  /**
   * Writes a symbol's bar that is not published yet. Symbols that are not written stay absent.
   * @param status REAL or FLAT, plus STARTS when the symbol's listing begins with this bar.
   * @throws RangeError for a published bar, or numbers that are not finite.
   */
  writeBar(
    timeframe: number,
    index: number,
    symbol: number,
    open: number,
    high: number,
    low: number,
    close: number,
    volume: number,
    status: number,
  ): void {
    const sum = open + high + low + close + volume;
    if (sum - sum !== 0) {
      throw new RangeError(`symbol ${symbol}, bar ${index}: ${open} ${high} ${low} ${close} ${volume} is not a bar`);
    }
    if (!(symbol >= 0 && symbol < this.symbols)) throw new RangeError(`symbol ${symbol} of ${this.symbols}`);
    this.begin(timeframe, index);
    const { bars, statuses, slots } = this.timeframes[timeframe]!;
    const block = (symbol >> 3) * slots + (index % slots);
    const lane = symbol & 7;
    const at = bars + block * BAR + lane;
    this.values[at + OPEN] = open;
    this.values[at + HIGH] = high;
    this.values[at + LOW] = low;
    this.values[at + CLOSE] = close;
    this.values[at + VOLUME] = volume;
    this.statuses[statuses + block * LANES + lane] = status;
  }

  /** Makes a bar, and all before it, visible to readers. It never changes again. */
  publish(timeframe: number, index: number): void {
    this.begin(timeframe, index);
    // The store must follow the bars: a reader that sees the index sees them.
    Atomics.store(this.counters, this.timeframes[timeframe]!.published, index);
  }

  /**
   * Takes a settlement of funding; the oldest of its symbol is forgotten. Settlements come in the order of time.
   * @param rate a fraction, above 0 where longs pay
   */
  writeFunding(symbol: number, time: number, rate: number): void {
    if (!(symbol >= 0 && symbol < this.symbols)) throw new RangeError(`symbol ${symbol} of ${this.symbols}`);
    let oldest = this.funding + symbol * SETTLEMENTS * 2;
    let oldestTime = Number.POSITIVE_INFINITY;
    for (let i = 0; i < SETTLEMENTS; i++) {
      const at = this.funding + (symbol * SETTLEMENTS + i) * 2;
      const known = this.values[at]!;
      if (known === time) return;
      if (!(known >= oldestTime)) {
        oldest = at;
        oldestTime = Number.isNaN(known) ? Number.NEGATIVE_INFINITY : known;
      }
    }
    // Without its time nobody takes the entry while it changes.
    this.values[oldest] = Number.NaN;
    this.values[oldest + 1] = rate;
    this.values[oldest] = time;
  }

  /**
   * The symbol's newest funding rate that was settled before a time, NaN when none is remembered. What was settled at
   * the very time counts as later, so that the order in which events of one time arrive does not matter.
   */
  fundingBefore(symbol: number, time: number): number {
    let newest = Number.NEGATIVE_INFINITY;
    let rate = Number.NaN;
    for (let i = 0; i < SETTLEMENTS; i++) {
      const at = this.funding + (symbol * SETTLEMENTS + i) * 2;
      const settled = this.values[at]!;
      if (settled < time && settled > newest) {
        newest = settled;
        rate = this.values[at + 1]!;
      }
    }
    return rate;
  }

  /** Clears the slots of all bars up to `index` that were not begun yet, so that unwritten symbols are absent. */
  private begin(timeframe: number, index: number): void {
    const { name, bars, statuses, slots, writing, published } = this.timeframes[timeframe]!;
    const complete = this.counters[published]!;
    if (!Number.isInteger(index) || index <= complete) {
      throw new RangeError(`${name} bar ${index} cannot be written: published up to ${complete}`);
    }
    const begun = this.counters[writing]!;
    if (index <= begun) {
      if (index <= begun - slots) throw new RangeError(`${name} bar ${index} was overwritten by bar ${begun}`);
      return;
    }
    // Readers must learn that old bars are gone before the first of them is touched.
    Atomics.store(this.counters, writing, index);
    for (let bar = Math.max(begun, index - slots) + 1; bar <= index; bar++) {
      for (let group = 0; group < this.groups; group++) {
        const block = group * slots + (bar % slots);
        this.values.fill(Number.NaN, bars + block * BAR, bars + (block + 1) * BAR);
        this.statuses.fill(ABSENT, statuses + block * LANES, statuses + (block + 1) * LANES);
      }
    }
  }
}

/** Symbols that are computed side by side, whatever the width of the machine's vectors. */
export const LANES = 8;
/** Offsets of the fields within a bar of a group, in doubles. */
export const OPEN = 0;
export const HIGH = LANES;
export const LOW = 2 * LANES;
export const CLOSE = 3 * LANES;
export const VOLUME = 4 * LANES;
/** Doubles in a bar of a group. */
export const BAR = 5 * LANES;

/** Added to the status of the first bar of a listing: whatever is derived from the symbol's bars starts over here. */
export const STARTS = 4;

const MAGIC = 0x4c4e5050; // "PPNL" in memory
const VERSION = 2;
/** Settlements of funding that are remembered per symbol: more than a writer may be ahead of its readers. */
const SETTLEMENTS = 16;
/** A cache line, bytes. */
const LINE = 64;

export interface PanelSpec {
  readonly symbols: number;
  /** Shortest first; each a multiple of the first. */
  readonly timeframes: readonly TimeframeSpec[];
  /** Time of bar 0, ms UTC; floored to each timeframe's grid. */
  readonly origin: number;
}

export interface TimeframeSpec {
  readonly name: string;
  readonly ms: number;
  /** Bars that a reader may look back over, the newest included. */
  readonly capacity: number;
  /** Bars that the writer may be ahead of a reader. */
  readonly spare: number;
}

export interface PanelTimeframe {
  readonly name: string;
  readonly ms: number;
  readonly capacity: number;
  readonly slots: number;
  /** Open time of bar 0. */
  readonly start: number;
  /** Where bars begin, in doubles; where statuses begin, in bytes. */
  readonly bars: number;
  readonly statuses: number;
  /** Positions of the two counters, in 32-bit words. */
  readonly writing: number;
  readonly published: number;
}

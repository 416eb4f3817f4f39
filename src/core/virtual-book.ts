import { invariantBroken } from "./assert.ts";
import type { Candidate, Direction, Regime } from "./candidate.ts";
import type { Effect } from "./effects.ts";
import { type LifeRules, movedStop, riskOf, scoringInterval } from "./life.ts";
import { TriggerHeap } from "./trigger-heap.ts";

/** What a virtual position lives through. A mark is counted and never recorded; everything else is a record. */
export const VIRTUAL_EVENTS = [
  "opened",
  "marked",
  "best-excursion",
  "worst-excursion",
  "target-near",
  "stop-near",
  "stop-moved",
  "regime-changed",
  "target-hit",
  "stop-hit",
  "expired",
] as const;
export type VirtualEvent = (typeof VIRTUAL_EVENTS)[number];

/** How a virtual position can end. */
export const VIRTUAL_OUTCOMES = ["target-hit", "stop-hit", "expired"] as const;
export type VirtualOutcome = (typeof VIRTUAL_OUTCOMES)[number];

/** A virtual position from signal to end with the summary of its path. ms and ticks; prices are without any costs. */
export interface VirtualTrade {
  /** 1, 2, 3 … in the order of the signals of a run. */
  readonly id: number;
  readonly symbol: number;
  readonly direction: Direction;
  readonly strategy: string;
  readonly setup: string;
  readonly confidence: number;
  readonly scores: Readonly<Record<string, number>>;
  readonly regime: Regime;
  readonly signalTime: number;
  readonly entryTime: number;
  readonly exitTime: number;
  /** The price of the plan, and those of entry and exit. */
  readonly plannedEntry: number;
  readonly entry: number;
  readonly exit: number;
  readonly stop: number;
  readonly target: number;
  /** Where the stop lay at the end, and how often it was moved. */
  readonly finalStop: number;
  readonly stopMoves: number;
  readonly outcome: VirtualOutcome;
  /** The best and the worst price of the path, and when it was there first. */
  readonly best: number;
  readonly bestAt: number;
  readonly worst: number;
  readonly worstAt: number;
}

/** Result of a virtual trade as a multiple of what it risked by plan. */
export function virtualResult(trade: VirtualTrade): number {
  return (trade.exit - trade.entry) / (trade.plannedEntry - trade.stop);
}

/** Sums over all virtual positions of a run; results in R. */
export interface VirtualStatistics {
  /** Live now, those waiting for their entry included. */
  live: number;
  opened: number;
  /** Signals whose entry found no trading. */
  missed: number;
  marked: number;
  targets: number;
  stops: number;
  expired: number;
  /** Closed with a result above 0. */
  wins: number;
  result: number;
  gains: number;
  losses: number;
}

export interface VirtualRules extends LifeRules {
  /** Virtual positions end after this time, ms; 0 for never. */
  readonly virtualMaxHolding: number;
  /** Score by risk; otherwise every `cycle`. */
  readonly smartMonitoring: boolean;
  /** Time between two statistics, ms. */
  readonly cycle: number;
}

const FREE = 0;
const PENDING = 1;
const OPEN = 2;

const BEST_EXTENDED = 1;
const WORST_EXTENDED = 2;
const TARGET_NEAR = 4;
const STOP_NEAR = 8;

/** Share of the way left at which a target or stop counts as near, and beyond which it is not near any more. */
const NEAR = 0.2;
const NEAR_NO_MORE = 0.5;

const NONE = -1;

/** One symbol's part of the book. */
class Track {
  head = NONE;
  tail = NONE;
  open = 0;
  pending = 0;
  /** Extremes of the price since they were last folded into the positions, and when. */
  high = Number.NEGATIVE_INFINITY;
  highAt = 0;
  low = Number.POSITIVE_INFINITY;
  lowAt = 0;
  /** Earliest deadline at which one of the positions is to be scored. */
  due = Number.POSITIVE_INFINITY;
  /** The last regime that was known. */
  regime: Regime = "unknown";
  readonly longStops = new TriggerHeap(false);
  readonly shortStops = new TriggerHeap(true);
  readonly longTargets = new TriggerHeap(true);
  readonly shortTargets = new TriggerHeap(false);
}

/**
 * The positions that every qualifying signal would have opened, whether or not an order was sent: what learning and
 * the statistics are made from. They follow the rules of real ones: entry at the next bar's open, the adverse side of a
 * bar first, stops act when touched and at the worse of stop and open, targets when traded through, stops move at the
 * close of bars only.
 *
 * Hits come from prices in order (one heap per symbol, side and kind): a price costs a comparison with four tops,
 * however many positions are open. Scoring is due at absolute deadlines and happens with the first price from then on:
 * without a new price there is nothing to score.
 *
 * Columns instead of objects: 10,000 positions are some 6 MB, most of it their names.
 */
export class VirtualBook {
  readonly statistics: VirtualStatistics = {
    live: 0,
    opened: 0,
    missed: 0,
    marked: 0,
    targets: 0,
    stops: 0,
    expired: 0,
    wins: 0,
    result: 0,
    gains: 0,
    losses: 0,
  };
  #rules: VirtualRules;
  readonly #tracks: readonly Track[];
  /** Slot by symbol, side and setup. */
  readonly #live = new Map<string, number>();
  #nextId = 1;
  #armed = false;

  #capacity = 0;
  #free = new Int32Array(0);
  #freeCount = 0;
  #phase = new Uint8Array(0);
  #flags = new Uint8Array(0);
  #direction = new Int8Array(0);
  #symbol = new Int32Array(0);
  #before = new Int32Array(0);
  #after = new Int32Array(0);
  #stopPlace = new Int32Array(0);
  #targetPlace = new Int32Array(0);
  #stopMoves = new Int32Array(0);
  #id = new Float64Array(0);
  #signalTime = new Float64Array(0);
  #entryTime = new Float64Array(0);
  #entry = new Float64Array(0);
  #stop = new Float64Array(0);
  #target = new Float64Array(0);
  #best = new Float64Array(0);
  #bestAt = new Float64Array(0);
  #worst = new Float64Array(0);
  #worstAt = new Float64Array(0);
  #bestClose = new Float64Array(0);
  #due = new Float64Array(0);
  #risk = new Float64Array(0);
  readonly #candidates: (Candidate | undefined)[] = [];
  readonly #regimes: Regime[] = [];

  constructor(symbols: number, rules: VirtualRules) {
    this.#rules = rules;
    this.#tracks = Array.from({ length: symbols }, () => new Track());
  }

  /** How positions are led from now on. */
  set rules(rules: VirtualRules) {
    this.#rules = rules;
  }

  /** Positions that have been entered and not ended. */
  get open(): number {
    let open = 0;
    for (const track of this.#tracks) open += track.open;
    return open;
  }

  /**
   * Takes a signal at `now`, the close of its bar; it enters with the next bar. A second one of the same symbol, side
   * and setup while the first is live changes nothing. @returns whether a position begins
   */
  signal(candidate: Candidate, now: number): boolean {
    const key = keyOf(candidate);
    if (this.#live.has(key)) return false;
    const slot = this.#take();
    const { symbol } = candidate;
    this.#live.set(key, slot);
    this.#phase[slot] = PENDING;
    this.#flags[slot] = 0;
    this.#direction[slot] = candidate.direction;
    this.#symbol[slot] = symbol;
    this.#id[slot] = this.#nextId++;
    this.#signalTime[slot] = now;
    this.#stop[slot] = candidate.stop;
    this.#target[slot] = candidate.target;
    this.#stopMoves[slot] = 0;
    this.#candidates[slot] = candidate;
    const track = this.#track(symbol);
    this.#link(track, slot);
    track.pending += 1;
    this.statistics.live += 1;
    return true;
  }

  /**
   * A bar of `symbol` has closed at `time`: entries at its open, then hits inside of it, then what happens at a close.
   * @param traded whether anything was traded; nothing fills in a bar without
   */
  bar(
    symbol: number,
    openTime: number,
    time: number,
    open: number,
    high: number,
    low: number,
    close: number,
    traded: boolean,
    out: Effect[],
  ): void {
    const track = this.#tracks[symbol]!;
    if (track.head === NONE) return;
    if (track.pending > 0) this.#enter(track, openTime, open, traded, out);
    if (track.open === 0) return;
    if (traded) this.#touch(track, open, high, low, time - 1, out);
    if (track.open === 0) return;
    this.#closeBar(track, close, time, out);
    this.#arm(time, out);
  }

  /**
   * Prices traded since the last call and after the last bar: first, highest, lowest and last. What is conflated loses
   * no extreme. Signals that wait do not enter here but with their bar.
   */
  prices(symbol: number, time: number, first: number, high: number, low: number, last: number, out: Effect[]): void {
    const track = this.#track(symbol);
    if (track.open === 0) return;
    this.#touch(track, first, high, low, time, out);
    if (time >= track.due) {
      this.#score(track, last, time, out);
      this.#arm(time, out);
    }
  }

  /** The market of a symbol is in `regime` from `now` on; `unknown` is no news. */
  regime(symbol: number, regime: Regime, price: number, now: number, out: Effect[]): void {
    const track = this.#track(symbol);
    if (regime === "unknown" || regime === track.regime) return;
    const known = track.regime !== "unknown";
    track.regime = regime;
    if (!known) return;
    for (let slot = track.head; slot !== NONE; slot = this.#after[slot]!) {
      if (this.#phase[slot] === OPEN) this.#tell(slot, "regime-changed", now, price, out);
    }
  }

  /** The symbol is traded no more: its positions end at the last price. */
  delisted(symbol: number, price: number, now: number, out: Effect[]): void {
    const track = this.#track(symbol);
    this.#fold(track);
    for (let slot = track.head; slot !== NONE; ) {
      const next = this.#after[slot]!;
      if (this.#phase[slot] === OPEN) this.#close(track, slot, "expired", price, now, out);
      else this.#drop(track, slot);
      slot = next;
    }
    track.regime = "unknown";
  }

  /** The statistics timer went off. */
  cycle(now: number, out: Effect[]): void {
    this.#armed = false;
    out.push({ kind: "record", record: { kind: "virtual-statistics", time: now, statistics: { ...this.statistics } } });
  }

  /** Risk of a live position, 0 to 1; undefined when there is none. For views and tests. */
  riskOf(symbol: number, direction: Direction, setup: string): number | undefined {
    const slot = this.#live.get(`${symbol}:${direction}:${setup}`);
    return slot === undefined || this.#phase[slot] !== OPEN ? undefined : this.#risk[slot];
  }

  /** Every symbol and direction that a position is open in, each pair once. For views. */
  openSides(): { readonly symbol: number; readonly direction: Direction }[] {
    return this.#tracks.flatMap((track, symbol) => {
      const directions = new Set<Direction>();
      for (let slot = track.head; slot !== NONE; slot = this.#after[slot]!) {
        if (this.#phase[slot] === OPEN) directions.add(this.#direction[slot]! as Direction);
      }
      return [...directions].map((direction) => ({ symbol, direction }));
    });
  }

  /**
   * Everything that must hold between two events, for tests and the simulation. @returns what is broken
   */
  check(): string[] {
    const broken: string[] = [];
    let live = 0;
    this.#tracks.forEach((track, symbol) => {
      let open = 0;
      let pending = 0;
      let last = NONE;
      for (let slot = track.head; slot !== NONE; slot = this.#after[slot]!) {
        live += 1;
        const direction = this.#direction[slot]!;
        if (this.#symbol[slot] !== symbol || this.#before[slot] !== last) broken.push(`virtual slot ${slot}: links`);
        if (this.#phase[slot] === OPEN) {
          open += 1;
          const stops = direction === 1 ? track.longStops : track.shortStops;
          if (this.#stopPlace[slot]! >= stops.size) broken.push(`virtual slot ${slot} has no stop trigger`);
          if (direction * (this.#best[slot]! - this.#worst[slot]!) < 0) broken.push(`virtual slot ${slot}: excursions`);
        } else {
          pending += 1;
        }
        last = slot;
      }
      if (open !== track.open || pending !== track.pending)
        broken.push(`virtual positions of symbol ${symbol}: counts`);
      const stops = track.longStops.size + track.shortStops.size;
      const targets = track.longTargets.size + track.shortTargets.size;
      if (stops !== open || targets !== open) broken.push(`virtual positions of symbol ${symbol}: triggers`);
    });
    if (live !== this.#live.size || live !== this.statistics.live) broken.push("virtual positions: live ones");
    if (live + this.#freeCount !== this.#capacity) broken.push("virtual positions: slots");
    return broken;
  }

  #track(symbol: number): Track {
    const track = this.#tracks[symbol];
    if (track === undefined) invariantBroken(`there is no symbol ${symbol}`);
    return track;
  }

  #enter(track: Track, openTime: number, open: number, traded: boolean, out: Effect[]): void {
    // The extremes so far belong to the positions that were there.
    this.#fold(track);
    for (let slot = track.head; slot !== NONE; ) {
      const next = this.#after[slot]!;
      if (this.#phase[slot] === PENDING) {
        if (traded) this.#open(track, slot, openTime, open, out);
        else {
          this.#drop(track, slot);
          this.statistics.missed += 1;
        }
      }
      slot = next;
    }
  }

  #open(track: Track, slot: number, time: number, price: number, out: Effect[]): void {
    track.pending -= 1;
    track.open += 1;
    this.#phase[slot] = OPEN;
    this.#entryTime[slot] = time;
    this.#entry[slot] = price;
    this.#best[slot] = price;
    this.#worst[slot] = price;
    this.#bestClose[slot] = price;
    this.#bestAt[slot] = time;
    this.#worstAt[slot] = time;
    this.#risk[slot] = 0;
    this.#due[slot] = time;
    this.#regimes[slot] = track.regime;
    if (time < track.due) track.due = time;
    const long = this.#direction[slot] === 1;
    (long ? track.longStops : track.shortStops).push(slot, this.#stop, this.#stopPlace);
    (long ? track.longTargets : track.shortTargets).push(slot, this.#target, this.#targetPlace);
    this.statistics.opened += 1;
    const candidate = this.#candidates[slot]!;
    out.push({
      kind: "record",
      record: {
        kind: "virtual-opened",
        time,
        id: this.#id[slot]!,
        symbol: candidate.symbol,
        direction: candidate.direction,
        setup: candidate.setup,
        confidence: candidate.confidence,
        entry: price,
        stop: candidate.stop,
        target: candidate.target,
      },
    });
    // The market opened where the plan ends: a real position would be sent to market at once.
    const direction = this.#direction[slot]!;
    if (direction * (price - this.#stop[slot]!) <= 0) this.#close(track, slot, "stop-hit", price, time, out);
    else if (direction * (price - this.#target[slot]!) >= 0) this.#close(track, slot, "target-hit", price, time, out);
  }

  /** The adverse side first: whatever stop was in reach is hit before any target is. */
  #touch(track: Track, first: number, high: number, low: number, time: number, out: Effect[]): void {
    const { longStops, shortStops, longTargets, shortTargets } = track;
    const stops = this.#stop;
    const targets = this.#target;
    const hit =
      (longStops.size > 0 && low <= stops[longStops.top]!) ||
      (shortStops.size > 0 && high >= stops[shortStops.top]!) ||
      (longTargets.size > 0 && high > targets[longTargets.top]!) ||
      (shortTargets.size > 0 && low < targets[shortTargets.top]!);
    if (hit) {
      // What came before this price, and the price it began with, belong to all.
      this.#reach(track, first, first, time);
      this.#fold(track);
      while (longStops.size > 0 && low <= stops[longStops.top]!) {
        const slot = longStops.top;
        this.#close(track, slot, "stop-hit", first < stops[slot]! ? first : stops[slot]!, time, out);
      }
      while (shortStops.size > 0 && high >= stops[shortStops.top]!) {
        const slot = shortStops.top;
        this.#close(track, slot, "stop-hit", first > stops[slot]! ? first : stops[slot]!, time, out);
      }
      while (longTargets.size > 0 && high > targets[longTargets.top]!) {
        const slot = longTargets.top;
        this.#extend(slot, low, time);
        this.#close(track, slot, "target-hit", targets[slot]!, time, out);
      }
      while (shortTargets.size > 0 && low < targets[shortTargets.top]!) {
        const slot = shortTargets.top;
        this.#extend(slot, high, time);
        this.#close(track, slot, "target-hit", targets[slot]!, time, out);
      }
    }
    this.#reach(track, high, low, time);
  }

  #reach(track: Track, high: number, low: number, time: number): void {
    if (high > track.high) {
      track.high = high;
      track.highAt = time;
    }
    if (low < track.low) {
      track.low = low;
      track.lowAt = time;
    }
  }

  /** Gives the symbol's extremes to its open positions. */
  #fold(track: Track): void {
    if (track.high < track.low) return;
    for (let slot = track.head; slot !== NONE; slot = this.#after[slot]!) {
      if (this.#phase[slot] !== OPEN) continue;
      this.#extend(slot, track.high, track.highAt);
      this.#extend(slot, track.low, track.lowAt);
    }
    track.high = Number.NEGATIVE_INFINITY;
    track.low = Number.POSITIVE_INFINITY;
  }

  #extend(slot: number, price: number, time: number): void {
    const direction = this.#direction[slot]!;
    if (direction * (price - this.#best[slot]!) > 0) {
      this.#best[slot] = price;
      this.#bestAt[slot] = time;
      this.#flags[slot]! |= BEST_EXTENDED;
    } else if (direction * (price - this.#worst[slot]!) < 0) {
      this.#worst[slot] = price;
      this.#worstAt[slot] = time;
      this.#flags[slot]! |= WORST_EXTENDED;
    }
  }

  #closeBar(track: Track, close: number, time: number, out: Effect[]): void {
    this.#moveStops(track, close, time, out);
    if (time >= track.due) this.#score(track, close, time, out);
  }

  #moveStops(track: Track, close: number, time: number, out: Effect[]): void {
    for (let slot = track.head; slot !== NONE; slot = this.#after[slot]!) {
      if (this.#phase[slot] !== OPEN) continue;
      const direction = this.#direction[slot]! as Direction;
      if (direction * (close - this.#bestClose[slot]!) <= 0) continue;
      this.#bestClose[slot] = close;
      const candidate = this.#candidates[slot]!;
      const entry = this.#entry[slot]!;
      const risk = direction * (entry - candidate.stop);
      const stop = movedStop(this.#rules, direction, entry, risk, this.#stop[slot]!, close);
      if (stop === this.#stop[slot]) continue;
      this.#stop[slot] = stop;
      this.#stopMoves[slot]! += 1;
      (direction === 1 ? track.longStops : track.shortStops).moved(slot, this.#stop, this.#stopPlace);
      this.#tell(slot, "stop-moved", time, stop, out);
    }
  }

  /** Scores the positions whose deadline has come; ends those that are too old. */
  #score(track: Track, price: number, time: number, out: Effect[]): void {
    this.#fold(track);
    const { virtualMaxHolding, smartMonitoring, cycle } = this.#rules;
    let due = Number.POSITIVE_INFINITY;
    for (let slot = track.head; slot !== NONE; ) {
      const next = this.#after[slot]!;
      if (this.#phase[slot] === OPEN) {
        if (this.#due[slot]! <= time) {
          if (virtualMaxHolding > 0 && time - this.#entryTime[slot]! >= virtualMaxHolding) {
            this.#close(track, slot, "expired", price, time, out);
            slot = next;
            continue;
          }
          this.#mark(slot, price, time, out);
          const interval = smartMonitoring ? scoringInterval(this.#risk[slot]!) : cycle;
          // Deadlines are absolute: what was missed is skipped, and lateness does not add up.
          this.#due[slot] = time + interval - ((time - this.#due[slot]!) % interval);
        }
        if (this.#due[slot]! < due) due = this.#due[slot]!;
      }
      slot = next;
    }
    track.due = due;
  }

  #mark(slot: number, price: number, time: number, out: Effect[]): void {
    this.statistics.marked += 1;
    const direction = this.#direction[slot]! as Direction;
    const entry = this.#entry[slot]!;
    const stop = this.#stop[slot]!;
    const target = this.#target[slot]!;
    this.#risk[slot] = riskOf(direction, entry, stop, target, price);
    const flags = this.#flags[slot]!;
    if ((flags & BEST_EXTENDED) !== 0) this.#tell(slot, "best-excursion", this.#bestAt[slot]!, this.#best[slot]!, out);
    if ((flags & WORST_EXTENDED) !== 0) {
      this.#tell(slot, "worst-excursion", this.#worstAt[slot]!, this.#worst[slot]!, out);
    }
    this.#flags[slot]! &= ~(BEST_EXTENDED | WORST_EXTENDED);
    const targetWay = direction * (target - entry);
    const stopWay = direction * (entry - this.#candidates[slot]!.stop);
    this.#near(slot, TARGET_NEAR, "target-near", (direction * (target - price)) / targetWay, time, price, out);
    this.#near(slot, STOP_NEAR, "stop-near", (direction * (price - stop)) / stopWay, time, price, out);
  }

  #near(
    slot: number,
    flag: number,
    event: VirtualEvent,
    distance: number,
    time: number,
    price: number,
    out: Effect[],
  ): void {
    if ((this.#flags[slot]! & flag) === 0) {
      if (distance >= NEAR) return;
      this.#flags[slot]! |= flag;
      this.#tell(slot, event, time, price, out);
    } else if (distance > NEAR_NO_MORE) {
      this.#flags[slot]! &= ~flag;
    }
  }

  #tell(slot: number, event: VirtualEvent, time: number, price: number, out: Effect[]): void {
    const id = this.#id[slot]!;
    const symbol = this.#symbol[slot]!;
    out.push({ kind: "record", record: { kind: "virtual", time, id, symbol, event, price } });
  }

  #close(track: Track, slot: number, outcome: VirtualOutcome, price: number, time: number, out: Effect[]): void {
    const candidate = this.#candidates[slot]!;
    this.#extend(slot, price, time);
    const trade: VirtualTrade = {
      id: this.#id[slot]!,
      symbol: candidate.symbol,
      direction: candidate.direction,
      strategy: candidate.strategy,
      setup: candidate.setup,
      confidence: candidate.confidence,
      scores: candidate.scores,
      regime: this.#regimes[slot]!,
      signalTime: this.#signalTime[slot]!,
      entryTime: this.#entryTime[slot]!,
      exitTime: time,
      plannedEntry: candidate.entry,
      entry: this.#entry[slot]!,
      exit: price,
      stop: candidate.stop,
      target: candidate.target,
      finalStop: this.#stop[slot]!,
      stopMoves: this.#stopMoves[slot]!,
      outcome,
      best: this.#best[slot]!,
      bestAt: this.#bestAt[slot]!,
      worst: this.#worst[slot]!,
      worstAt: this.#worstAt[slot]!,
    };
    const long = candidate.direction === 1;
    (long ? track.longStops : track.shortStops).remove(slot, this.#stop, this.#stopPlace);
    (long ? track.longTargets : track.shortTargets).remove(slot, this.#target, this.#targetPlace);
    this.#count(trade);
    this.#release(track, slot);
    track.open -= 1;
    if (track.open === 0) {
      track.due = Number.POSITIVE_INFINITY;
      track.high = Number.NEGATIVE_INFINITY;
      track.low = Number.POSITIVE_INFINITY;
    }
    out.push({ kind: "record", record: { kind: "virtual-closed", time, trade } });
    this.#arm(time, out);
  }

  #count(trade: VirtualTrade): void {
    const { statistics } = this;
    if (trade.outcome === "target-hit") statistics.targets += 1;
    else if (trade.outcome === "stop-hit") statistics.stops += 1;
    else statistics.expired += 1;
    const result = virtualResult(trade);
    statistics.result += result;
    if (result > 0) {
      statistics.wins += 1;
      statistics.gains += result;
    } else {
      statistics.losses -= result;
    }
  }

  #drop(track: Track, slot: number): void {
    this.#release(track, slot);
    track.pending -= 1;
  }

  /** Asks for the statistics timer once, at the next whole multiple of the cycle. */
  #arm(now: number, out: Effect[]): void {
    if (this.#armed) return;
    this.#armed = true;
    const { cycle } = this.#rules;
    out.push({ kind: "set-timer", timer: VIRTUAL_TIMER, at: now - (now % cycle) + cycle });
  }

  #link(track: Track, slot: number): void {
    this.#before[slot] = track.tail;
    this.#after[slot] = NONE;
    if (track.tail === NONE) track.head = slot;
    else this.#after[track.tail] = slot;
    track.tail = slot;
  }

  #release(track: Track, slot: number): void {
    const before = this.#before[slot]!;
    const after = this.#after[slot]!;
    if (before === NONE) track.head = after;
    else this.#after[before] = after;
    if (after === NONE) track.tail = before;
    else this.#before[after] = before;
    this.#live.delete(keyOf(this.#candidates[slot]!));
    this.#candidates[slot] = undefined;
    this.#phase[slot] = FREE;
    this.#free[this.#freeCount++] = slot;
    this.statistics.live -= 1;
  }

  #take(): number {
    if (this.#freeCount === 0) this.#grow();
    this.#freeCount -= 1;
    return this.#free[this.#freeCount]!;
  }

  #grow(): void {
    const before = this.#capacity;
    const capacity = before === 0 ? 256 : before * 2;
    this.#capacity = capacity;
    const wider = <Column extends Int8Array | Uint8Array | Int32Array | Float64Array>(column: Column): Column => {
      const larger = new (column.constructor as new (length: number) => Column)(capacity);
      larger.set(column);
      return larger;
    };
    this.#phase = wider(this.#phase);
    this.#flags = wider(this.#flags);
    this.#direction = wider(this.#direction);
    this.#symbol = wider(this.#symbol);
    this.#before = wider(this.#before);
    this.#after = wider(this.#after);
    this.#stopPlace = wider(this.#stopPlace);
    this.#targetPlace = wider(this.#targetPlace);
    this.#stopMoves = wider(this.#stopMoves);
    this.#id = wider(this.#id);
    this.#signalTime = wider(this.#signalTime);
    this.#entryTime = wider(this.#entryTime);
    this.#entry = wider(this.#entry);
    this.#stop = wider(this.#stop);
    this.#target = wider(this.#target);
    this.#best = wider(this.#best);
    this.#bestAt = wider(this.#bestAt);
    this.#worst = wider(this.#worst);
    this.#worstAt = wider(this.#worstAt);
    this.#bestClose = wider(this.#bestClose);
    this.#due = wider(this.#due);
    this.#risk = wider(this.#risk);
    this.#free = wider(this.#free);
    // The lowest slot is taken first.
    for (let slot = capacity - 1; slot >= before; slot--) this.#free[this.#freeCount++] = slot;
  }
}

/** Name of the timer of the statistics. */
export const VIRTUAL_TIMER = "virtual-statistics";

function keyOf(candidate: Candidate): string {
  return `${candidate.symbol}:${candidate.direction}:${candidate.setup}`;
}

/**
 * Market events for other threads: fixed slots in shared memory, one producer, any number of consumers that each keep
 * their own place. The producer never waits for anyone. A consumer that is lapped is told how much it lost.
 *
 * ```
 * byte   0  magic u32 | 4 version u32 | 8 slots u32 | 12 … 63 zero
 *       64  head u64: slots claimed so far, published or about to be; the producer's alone
 *      128  conflated u64: quotes that took the place of an older one that nobody had to see; the producer's alone
 *      192  epoch u64: how many producers there have been; the newest producer's alone
 *      256  slots of 64 bytes: sequence u64 | payload, 14 words of 32 bits
 * ```
 *
 * Sequences start at 1; event n lies in slot (n - 1) mod slots. While the producer writes a slot, its sequence is 0;
 * the sequence is stored last. A reader copies the payload and looks at the sequence before and after: it has the event
 * only if both are the one it came for. All words go through Atomics, so that neither compiler nor processor may move
 * the payload past the sequence.
 */
export class RingProducer {
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigInt64Array<SharedArrayBuffer>;
  readonly #halves: Int32Array<SharedArrayBuffer>;
  readonly #slots: number;
  #head: number;
  #conflated: number;
  /** Latest quote of a symbol that is not published yet. */
  readonly #quotes = new Map<number, RingEvent>();

  /** Goes on where the last producer of this ring stopped, or died: a slot that it left half written stays unread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#slots = slotsOf(buffer);
    this.#words = new BigInt64Array(buffer);
    this.#halves = new Int32Array(buffer);
    this.#head = Number(Atomics.load(this.#words, HEAD));
    this.#conflated = Number(Atomics.load(this.#words, CONFLATED));
    Atomics.store(this.#words, EPOCH, Atomics.load(this.#words, EPOCH) + 1n);
  }

  /** Publishes an event at once: what must never be conflated. */
  publish(event: RingEvent): void {
    const sequence = this.#head + 1;
    const at = FIRST + ((sequence - 1) % this.#slots) * WORDS;
    const words = this.#words;
    // Claimed before it is touched, so that a producer that comes after a death inside of this slot skips it.
    Atomics.store(words, HEAD, BigInt(sequence));
    Atomics.store(words, at, 0n);
    halves[0] = event.kind;
    halves[1] = event.symbol;
    doubles[1] = event.time;
    for (let i = 0; i < VALUES; i++) doubles[2 + i] = event.values[i]!;
    for (let i = 0; i < HALVES; i++) Atomics.store(this.#halves, 2 * at + 2 + i, halves[i]!);
    Atomics.store(words, at, BigInt(sequence));
    this.#head = sequence;
  }

  /** Holds a quote back until `flush`: of several of one symbol only the latest is published, the others are counted. */
  quote(event: RingEvent): void {
    if (this.#quotes.delete(event.symbol)) {
      this.#conflated++;
      Atomics.store(this.#words, CONFLATED, BigInt(this.#conflated));
    }
    this.#quotes.set(event.symbol, { ...event, values: [...event.values] as unknown as RingValues });
  }

  /** Publishes the quotes that were held back, in the order of their times of arrival. */
  flush(): void {
    for (const event of this.#quotes.values()) this.publish(event);
    this.#quotes.clear();
  }
}

export type RingValues = readonly [number, number, number, number, number];

/** What fits into a slot; kinds and the meaning of the values are the producer's to say. */
export interface RingEvent {
  /** Whole number below 2^31. */
  readonly kind: number;
  /** Index of the symbol, below 2^31. */
  readonly symbol: number;
  /** ms UTC. */
  readonly time: number;
  readonly values: RingValues;
}

export class RingConsumer {
  /** Events that were overwritten before this consumer came to them, and events it has had. */
  lost = 0;
  received = 0;
  readonly #words: BigInt64Array<SharedArrayBuffer>;
  readonly #slots: number;
  readonly #halves: Int32Array<SharedArrayBuffer>;
  /** Sequence of the next event. */
  #next: number;

  /** Begins with what is published from now on. */
  constructor(buffer: SharedArrayBuffer) {
    this.#slots = slotsOf(buffer);
    this.#words = new BigInt64Array(buffer);
    this.#halves = new Int32Array(buffer);
    this.#next = Number(Atomics.load(this.#words, HEAD)) + 1;
  }

  /** Events published and not yet taken or known to be lost. */
  get lag(): number {
    return Number(Atomics.load(this.#words, HEAD)) - this.#next + 1;
  }

  /** Quotes that the producer has conflated, and how many producers the ring has had. */
  get conflated(): number {
    return Number(Atomics.load(this.#words, CONFLATED));
  }

  get epoch(): number {
    return Number(Atomics.load(this.#words, EPOCH));
  }

  /** The next event, or undefined when there is none yet. What was lost on the way is added to `lost`. */
  take(): RingEvent | undefined {
    const words = this.#words;
    for (;;) {
      const head = Number(Atomics.load(words, HEAD));
      if (this.#next > head) return undefined;
      if (head - this.#next >= this.#slots) {
        this.#lose(head - this.#slots + 1 - this.#next);
        continue;
      }
      const at = FIRST + ((this.#next - 1) % this.#slots) * WORDS;
      const wanted = BigInt(this.#next);
      const before = Atomics.load(words, at);
      if (before !== wanted) {
        // Still being written, if it is the newest; given up by a producer that died, if there are newer ones.
        if (before < wanted && head === this.#next) return undefined;
        if (Number(Atomics.load(words, HEAD)) !== head) continue;
        this.#lose(1);
        continue;
      }
      for (let i = 0; i < HALVES; i++) halves[i] = Atomics.load(this.#halves, 2 * at + 2 + i);
      if (Atomics.load(words, at) !== wanted) continue;
      this.#next++;
      this.received++;
      return decode();
    }
  }

  #lose(events: number): void {
    this.lost += events;
    this.#next += events;
  }
}

/** Makes an empty ring. @param slots events that a consumer may lag behind @throws RangeError */
export function createRing(slots: number): SharedArrayBuffer {
  if (!Number.isInteger(slots) || slots < 2) throw new RangeError(`a ring of ${slots} slots (at least 2)`);
  const buffer = new SharedArrayBuffer((FIRST + slots * WORDS) * 8);
  const header = new Uint32Array(buffer, 0, 3);
  header[1] = VERSION;
  header[2] = slots;
  Atomics.store(header, 0, MAGIC);
  return buffer;
}

function slotsOf(buffer: SharedArrayBuffer): number {
  const [magic, version, slots] = new Uint32Array(buffer, 0, 3) as unknown as [number, number, number];
  if (magic !== MAGIC || version !== VERSION || buffer.byteLength !== (FIRST + slots * WORDS) * 8) {
    throw new RangeError(`not a ring of version ${VERSION}: ${buffer.byteLength} bytes, version ${version}`);
  }
  return slots;
}

/** The event in the scratch memory. */
function decode(): RingEvent {
  const [, time, a, b, c, d, e] = doubles as unknown as [number, number, ...RingValues];
  return { kind: halves[0]!, symbol: halves[1]!, time, values: [a, b, c, d, e] };
}

const MAGIC = 0x474e5250; // "PRNG" in memory
const VERSION = 1;
/** 64-bit words in a cache line, which is a slot. */
const WORDS = 8;
const VALUES = 5;
/** Positions in words; every counter has a cache line of its own. */
const HEAD = 8;
const CONFLATED = 16;
const EPOCH = 24;
const FIRST = 32;

/** A payload on its way in or out: kind and symbol, then time and values. */
const halves = new Int32Array(new ArrayBuffer(7 * 8));
const doubles = new Float64Array(halves.buffer);
const HALVES = halves.length;

/** The beats of the trading loop in shared memory: one thread counts, another looks whether the number changes. */
export class Heartbeat {
  readonly buffer: SharedArrayBuffer;
  readonly #beats: Int32Array<SharedArrayBuffer>;

  /** @param buffer that of another thread; a new one when absent */
  constructor(buffer = new SharedArrayBuffer(4)) {
    this.buffer = buffer;
    this.#beats = new Int32Array(buffer);
  }

  beat(): void {
    Atomics.add(this.#beats, 0, 1);
  }

  /** 0 before the first beat. It wraps: only that it differs means something. */
  get beats(): number {
    return Atomics.load(this.#beats, 0);
  }
}

import { isLoopback } from "../exchange/binance/addresses.ts";
import { InputError } from "../input-error.ts";

/** What the control port says of its market. */
interface LockstepState {
  readonly step: number;
  readonly time: number;
  readonly ended: boolean;
  readonly quiet: boolean;
}

/** How long a step may take from its acknowledgement until it is heard on every connection, ms. */
const LONGEST_STEP = 30_000;

/**
 * The other side of `penstock exchange --lockstep`: a market that stands still until this client has done with what it
 * was shown. A step counts as heard when its marker has come on every stream connection, because messages of one
 * connection keep their order.
 *
 * The market is never let past the next timer of the trader, so that what is decided on a timer meets the same market
 * as in a backtest.
 */
export class Lockstep {
  readonly #address: string;
  #state: LockstepState;
  /** Of events that have come in, ms. */
  #time: number;
  /** Markers of steps by number. */
  readonly #heard = new Map<number, number>();
  #connections = 0;
  #wake: () => void = () => {};
  #late: ReturnType<typeof setTimeout> | undefined;
  #failure: Error | undefined;

  private constructor(address: string, state: LockstepState) {
    this.#address = address;
    this.#state = state;
    this.#time = state.time;
  }

  /**
   * @param address of the control port
   * @throws InputError where nothing in lockstep listens there, or the address leaves this machine
   */
  static async open(address: string): Promise<Lockstep> {
    const url = URL.parse(address);
    if (url === null || url.protocol !== "http:" || !isLoopback(url.hostname)) {
      throw new InputError(`BINANCE_LOCKSTEP_URL: "${address}" is no http:// address of this machine`, 2);
    }
    const { lockstep } = (await ask(`${url.origin}/state`)) as { lockstep?: LockstepState };
    if (lockstep === undefined) {
      throw new InputError(`BINANCE_LOCKSTEP_URL: the market at ${url.origin} does not wait for anybody`, 2);
    }
    return new Lockstep(url.origin, lockstep);
  }

  /** @param count stream connections of this client @param wake called when a step has been heard on all of them */
  watch(count: number, wake: () => void): void {
    this.#connections = count;
    this.#wake = wake;
  }

  /** Takes every text of a stream connection. */
  hear(text: string): void {
    if (!text.includes('"lockstep"')) {
      const time = /"E":(\d+)/.exec(text);
      if (time !== null) this.heardOf(Number(time[1]));
      return;
    }
    const value = JSON.parse(text) as { data?: { step: number }; step: number };
    const { step } = value.data ?? value;
    this.#heard.set(step, (this.#heard.get(step) ?? 0) + 1);
    if (this.isHeard) this.#wake();
  }

  /** Something of this market time has come in. */
  heardOf(time: number): void {
    if (time > this.#time) this.#time = time;
  }

  /** Market time, ms. */
  now(): number {
    return this.#time;
  }

  /** Whether everything of the present step has come in. */
  get isHeard(): boolean {
    const { step } = this.#state;
    return step === 0 || (this.#heard.get(step) ?? 0) >= this.#connections;
  }

  /** Whether the market has nothing (more) to say up to `now`, so that timers of that very time are due. */
  get isQuiet(): boolean {
    return this.#state.quiet;
  }

  get ended(): boolean {
    return this.#state.ended && this.isHeard;
  }

  /** Lets the market go on to its next happening, but not past `until`. */
  async goOn(until: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { step } = this.#state;
    clearTimeout(this.#late);
    const body = JSON.stringify({ step, ...(until < Number.POSITIVE_INFINITY && { until }) });
    this.#state = (await ask(`${this.#address}/ack`, body)) as unknown as LockstepState;
    this.#heard.delete(step);
    this.heardOf(this.#state.time);
    this.#late = setTimeout(() => {
      if (this.isHeard) return;
      this.#failure = new Error(`step ${this.#state.step} was not heard on all connections: one of them was lost`);
      this.#wake();
    }, LONGEST_STEP);
  }

  /** @throws Error when a step did not come through, which nothing in lockstep can make good */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    clearTimeout(this.#late);
  }
}

async function ask(address: string, body?: string): Promise<Record<string, unknown>> {
  let response: Response;
  try {
    response = await fetch(address, body === undefined ? {} : { method: "POST", body });
  } catch (error) {
    throw new InputError(`BINANCE_LOCKSTEP_URL: ${address} does not answer (${(error as Error).message})`);
  }
  const text = await response.text();
  if (!response.ok) throw new InputError(`BINANCE_LOCKSTEP_URL: ${address} says ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

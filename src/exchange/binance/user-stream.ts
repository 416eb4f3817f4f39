import { InputError } from "../../input-error.ts";
import { LISTEN_KEY_GONE } from "./errors.ts";
import { ShapeError } from "./fields.ts";
import type { Outcome, UserEvent } from "./gateway.ts";
import { parseBody } from "./reply.ts";
import { type LineTiming, SocketLine } from "./socket-line.ts";
import { userEvent } from "./user-events.ts";

export interface UserStreamOptions {
  /** `wss://fstream.binance.com` */
  readonly address: string;
  /** Gets a listen key (the one that is in force, if there is one), and makes it last longer. */
  readonly newKey: () => Promise<Outcome<string>>;
  readonly keepKey: () => Promise<Outcome<null>>;
  readonly onEvent: (event: UserEvent) => void;
  /** Hears every text before it is taken. */
  readonly onText?: (text: string) => void;
  /** The exchange's time, ms. */
  readonly now: () => number;
  readonly timing?: UserStreamTiming;
}

/** ms; replaced in tests only. */
export interface UserStreamTiming {
  readonly line?: LineTiming;
  /** A key lives for an hour. */
  readonly keep: number;
  /** After a keep-alive of which nobody knows whether it worked. */
  readonly keepAgain: number;
}

const TIMING: UserStreamTiming = { keep: 30 * 60_000, keepAgain: 60_000 };

/**
 * The account's events. The stream keeps itself up: its key is made to last, another one is got when the exchange says
 * that it has expired (which it says twice, and sometimes although it was kept alive), and a lost connection comes
 * back. Each time, `stream` events tell that something may have been missed; so does an event that cannot be read.
 * Events may come twice while connections overlap.
 */
export class UserStream {
  readonly #options: UserStreamOptions;
  readonly #timing: UserStreamTiming;
  readonly #line: SocketLine;
  #keeper: ReturnType<typeof setTimeout> | undefined;
  #opened: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(options: UserStreamOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
    this.#line = new SocketLine({
      address: () => this.#address(),
      // The stream flows from the moment it is open.
      prepare: () => Promise.resolve(),
      onText: (text) => this.#take(text),
      onState: (up) => this.#state(up),
      ...(this.#timing.line && { timing: this.#timing.line }),
    });
  }

  /** Resolves when the stream is up for the first time. @throws InputError when the key may not have one */
  open(): Promise<void> {
    this.#opened = Promise.withResolvers<void>();
    this.#line.open();
    return this.#opened.promise;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#keeper);
    this.#line.close();
  }

  async #address(): Promise<string> {
    const outcome = await this.#options.newKey();
    if (outcome.kind === "done") {
      this.#keepLater(this.#timing.keep);
      return `${this.#options.address}/private/ws/${outcome.value}`;
    }
    const reason = outcome.kind === "refused" ? outcome.message : outcome.reason;
    if (outcome.kind === "refused" && outcome.consequence === "fatal") {
      this.close();
      this.#opened?.reject(new InputError(`the exchange refuses the user stream to this key: ${reason}`, 2));
    }
    throw new Error(`no listen key: ${reason}`);
  }

  #keepLater(pause: number): void {
    clearTimeout(this.#keeper);
    // An answer may come after the end.
    if (this.#closed) return;
    this.#keeper = setTimeout(() => void this.#keep(), pause);
  }

  async #keep(): Promise<void> {
    const outcome = await this.#options.keepKey();
    if (outcome.kind === "done") this.#keepLater(this.#timing.keep);
    else if (outcome.kind === "refused" && outcome.code === LISTEN_KEY_GONE)
      this.#line.reconnect("the listen key is gone");
    else this.#keepLater(this.#timing.keepAgain);
  }

  #state(up: boolean): void {
    this.#options.onEvent({ kind: "stream", time: this.#options.now(), up });
    if (up) this.#opened?.resolve();
  }

  #take(text: string): void {
    this.#options.onText?.(text);
    let event: UserEvent | undefined;
    try {
      event = userEvent(parseBody(text));
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      // Something happened that we do not understand: whoever reconciles after a gap finds out what it was.
      this.#state(false);
      this.#state(true);
      return;
    }
    if (event === undefined) return;
    this.#options.onEvent(event);
    if (event.kind === "listen-key-expired") this.#line.reconnect("the listen key has expired");
  }
}

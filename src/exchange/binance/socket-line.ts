/** How patient a line is, ms. Replaced in tests only. */
export interface LineTiming {
  /** Until a socket must be open, and then ready. */
  readonly connect: number;
  /** Between pings, and from a ping to its pong: a peer that is gone without a word is found so. */
  readonly ping: number;
  readonly pong: number;
  /** Age at which a socket is replaced, before the exchange ends it after 24 hours. */
  readonly renew: number;
  /** For how long a replaced socket is still listened to. */
  readonly retire: number;
  /** First and longest pause before another attempt; each failure doubles it. */
  readonly retryFirst: number;
  readonly retryLongest: number;
}

export const LINE_TIMING: LineTiming = {
  connect: 15_000,
  ping: 10_000,
  pong: 5_000,
  renew: 23 * 3_600_000,
  retire: 10_000,
  retryFirst: 250,
  retryLongest: 30_000,
};

/** A socket that was up for this long counts as one that worked, ms. */
const LASTING = 10_000;

export interface LineOptions {
  /** Where to connect; asked before every attempt. A rejection counts as a failed attempt. */
  readonly address: () => string | Promise<string>;
  /** Makes an open socket usable (subscribes, logs on). Resolves when it can take the place of the one before. */
  readonly prepare: (socket: LineSocket) => Promise<void>;
  readonly onText: (text: string, socket: LineSocket) => void;
  /** Up: `prepare` has resolved for a first or a new socket. Down: there is no usable socket any more. */
  readonly onState: (up: boolean, reason: string) => void;
  readonly timing?: LineTiming;
}

/** One WebSocket of a line. */
export interface LineSocket {
  readonly isOpen: boolean;
  /** False when it is not open: nothing has left. */
  send(text: string): boolean;
  /** Aborted when the socket is gone; the reason is a text. */
  readonly gone: AbortSignal;
}

/**
 * A connection that is kept: one socket, another one when it is lost, and a second one beside it before the exchange
 * would end it, so that nothing is missed in between. While two overlap, messages come twice.
 */
export class SocketLine {
  readonly #options: LineOptions;
  readonly #timing: LineTiming;
  #current: Socket | undefined;
  #attempt: Socket | undefined;
  readonly #retired = new Set<Socket>();
  #failures = 0;
  #readySince = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #closed = true;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#timing = options.timing ?? LINE_TIMING;
  }

  /** The socket in use, or undefined while there is none. */
  get socket(): LineSocket | undefined {
    return this.#current;
  }

  open(): void {
    if (!this.#closed) return;
    this.#closed = false;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#renewal);
    this.#attempt?.end("closed");
    this.#current?.end("closed");
    for (const old of this.#retired) old.end("closed");
    this.#attempt = undefined;
    this.#current = undefined;
  }

  /** Gives the socket up and gets another one: it is open and yet of no use. */
  reconnect(reason: string): void {
    this.#current?.end(reason);
  }

  /** Gets another socket beside the present one, which goes when the new one is ready. */
  renew(): void {
    clearTimeout(this.#retry);
    if (!this.#closed && this.#attempt === undefined) this.#connect();
  }

  #connect(): void {
    const socket = new Socket(this.#timing, (text) => this.#options.onText(text, socket));
    this.#attempt = socket;
    socket.gone.addEventListener("abort", () => this.#lost(socket), { once: true });
    this.#prepare(socket).then(
      () => this.#ready(socket),
      (error: unknown) => socket.end(error instanceof Error ? error.message : String(error)),
    );
  }

  async #prepare(socket: Socket): Promise<void> {
    const address = await this.#options.address();
    await socket.open(address);
    // What is said by a socket that is lost meanwhile need not be waited for.
    await Promise.race([this.#options.prepare(socket), socket.lost]);
  }

  #ready(socket: Socket): void {
    if (socket.gone.aborted || this.#closed) return;
    const old = this.#current;
    this.#attempt = undefined;
    this.#current = socket;
    this.#readySince = performance.now();
    socket.watch();
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => this.renew(), this.#timing.renew);
    if (old !== undefined) this.#retire(old);
    this.#options.onState(true, "");
  }

  /** What was asked on a replaced socket is still answered on it. */
  #retire(old: Socket): void {
    const timer = setTimeout(() => old.end("replaced"), this.#timing.retire);
    this.#retired.add(old);
    const forget = () => {
      clearTimeout(timer);
      this.#retired.delete(old);
    };
    old.gone.addEventListener("abort", forget, { once: true });
    if (old.gone.aborted) forget();
  }

  #lost(socket: Socket): void {
    if (this.#closed) return;
    const wasCurrent = socket === this.#current;
    if (wasCurrent) this.#current = undefined;
    else if (socket === this.#attempt) this.#attempt = undefined;
    else return;
    if (wasCurrent) this.#options.onState(false, String(socket.gone.reason));
    // An attempt that is under way already takes the place of the lost one.
    if (this.#attempt !== undefined) return;
    const { retryFirst, retryLongest } = this.#timing;
    // A connection that has lasted is tried again at once: the exchange ends connections every few days. One that is
    // lost as soon as it is there would otherwise be tried again and again, which the exchange answers with a ban.
    if (wasCurrent && performance.now() - this.#readySince >= LASTING) this.#failures = 0;
    const pause = this.#failures === 0 ? 0 : Math.min(retryLongest, retryFirst * 2 ** (this.#failures - 1));
    this.#failures = Math.min(this.#failures + 1, 16);
    clearTimeout(this.#retry);
    // Spread, so that many clients do not come back in the same moment.
    this.#retry = setTimeout(() => this.#connect(), pause * (0.5 + Math.random() / 2));
  }
}

class Socket implements LineSocket {
  readonly #timing: LineTiming;
  readonly #onText: (text: string) => void;
  readonly #gone = new AbortController();
  #ws: WebSocket | undefined;
  #ping: ReturnType<typeof setTimeout> | undefined;

  constructor(timing: LineTiming, onText: (text: string) => void) {
    this.#timing = timing;
    this.#onText = onText;
    this.#ping = setTimeout(() => this.end("not ready in time"), timing.connect);
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Rejects when the socket is gone. */
  get lost(): Promise<never> {
    return new Promise((_, reject) => {
      const fail = () => reject(new Error(String(this.gone.reason)));
      if (this.gone.aborted) fail();
      else this.gone.addEventListener("abort", fail, { once: true });
    });
  }

  get isOpen(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  open(address: string): Promise<void> {
    if (this.gone.aborted) return this.lost;
    const ws = new WebSocket(address);
    this.#ws = ws;
    ws.addEventListener("message", ({ data }) => {
      if (typeof data === "string" && !this.gone.aborted) this.#onText(data);
    });
    ws.addEventListener("close", ({ code, reason }) => this.end(`closed: ${code}${reason === "" ? "" : ` ${reason}`}`));
    // "close" follows and says as much; without a listener the error would count as unhandled.
    ws.addEventListener("error", () => {});
    return Promise.race([new Promise<void>((resolve) => ws.addEventListener("open", () => resolve())), this.lost]);
  }

  send(text: string): boolean {
    if (!this.isOpen) return false;
    this.#ws!.send(text);
    return true;
  }

  /** Begins to ask whether the peer is there. */
  watch(): void {
    clearTimeout(this.#ping);
    this.#ws?.addEventListener("pong" as "message", () => this.#nextPing());
    this.#nextPing();
  }

  end(reason: string): void {
    if (this.gone.aborted) return;
    clearTimeout(this.#ping);
    this.#gone.abort(reason);
    const ws = this.#ws;
    if (ws === undefined || ws.readyState === WebSocket.CLOSED) return;
    // `close` waits for the peer, and this one may be gone; `terminate` (Bun's) does not.
    (ws as unknown as { terminate(): void }).terminate();
  }

  #nextPing(): void {
    clearTimeout(this.#ping);
    if (this.gone.aborted) return;
    this.#ping = setTimeout(() => {
      if (this.isOpen) (this.#ws as unknown as { ping(): void }).ping();
      this.#ping = setTimeout(() => this.end("no answer to a ping"), this.#timing.pong);
    }, this.#timing.ping);
  }
}

import { LINE_TIMING, type LineSocket, type LineTiming, SocketLine } from "./socket-line.ts";

/** Streams in one SUBSCRIBE, and the pause between two: the exchange ends connections that send over ten a second. */
const BATCH = 100;
const SUBSCRIBE_PAUSE = 200;

/** Streams on one connection; the exchange allows 1024. */
export const STREAMS_PER_LINE = 1000;

export interface StreamLineOptions {
  /** `wss://…/market/stream`: the category matters, because a stream of another one is acknowledged and stays silent. */
  readonly address: string;
  readonly streams: readonly string[];
  /** Hands over a text; false when it was no market message. */
  readonly onText: (text: string) => boolean;
  readonly onState: (up: boolean, reason: string) => void;
  readonly timing?: LineTiming;
}

/** A line of one category with its subscriptions: they are made anew on every socket. */
export class StreamLine {
  readonly streams: readonly string[];
  readonly #options: StreamLineOptions;
  readonly #line: SocketLine;
  /** By socket: requests that are not answered yet, by their ids. */
  readonly #waiting = new WeakMap<LineSocket, Map<number, PromiseWithResolvers<void>>>();
  #nextId = 1;
  readonly #ready = Promise.withResolvers<void>();

  constructor(options: StreamLineOptions) {
    this.#options = options;
    this.streams = options.streams;
    this.#line = new SocketLine({
      address: () => options.address,
      // A new socket takes over when everything is subscribed on it: nothing is missed between the two.
      prepare: (socket) => this.#request(socket, "SUBSCRIBE", this.streams),
      onText: (text, socket) => this.#take(text, socket),
      onState: (up, reason) => {
        if (up) this.#ready.resolve();
        options.onState(up, reason);
      },
      timing: options.timing ?? LINE_TIMING,
    });
  }

  /** Resolves when everything has been subscribed for the first time. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  open(): void {
    this.#line.open();
  }

  close(): void {
    this.#line.close();
  }

  reconnect(reason: string): void {
    this.#line.reconnect(reason);
  }

  renew(): void {
    this.#line.renew();
  }

  /** Lets go of streams that are silent and takes them up again. */
  resubscribe(streams: readonly string[]): void {
    const { socket } = this.#line;
    if (socket === undefined) return;
    this.#request(socket, "UNSUBSCRIBE", streams)
      .then(() => this.#request(socket, "SUBSCRIBE", streams))
      .catch((error: Error) => this.#line.reconnect(error.message));
  }

  #waitingOn(socket: LineSocket): Map<number, PromiseWithResolvers<void>> {
    let waiting = this.#waiting.get(socket);
    if (waiting === undefined) {
      waiting = new Map();
      this.#waiting.set(socket, waiting);
    }
    return waiting;
  }

  async #request(socket: LineSocket, method: "SUBSCRIBE" | "UNSUBSCRIBE", streams: readonly string[]): Promise<void> {
    const waiting = this.#waitingOn(socket);
    for (let from = 0; from < streams.length; from += BATCH) {
      if (from > 0) await Bun.sleep(SUBSCRIBE_PAUSE);
      const id = this.#nextId++;
      const answer = Promise.withResolvers<void>();
      waiting.set(id, answer);
      const params = streams.slice(from, from + BATCH);
      if (!socket.send(JSON.stringify({ method, params, id }))) throw new Error("not open");
      await answer.promise;
    }
  }

  #take(text: string, socket: LineSocket): void {
    if (this.#options.onText(text)) return;
    const answer = readAnswer(text);
    if (answer === undefined) return;
    const waiting = this.#waitingOn(socket);
    const one = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === undefined) one?.resolve();
    else one?.reject(new Error(`subscription refused: ${answer.error}`));
  }
}

/** `{"result":null,"id":1}`, or with an error: `{"error":{"code":2,"msg":"…"},"id":1}`. */
function readAnswer(text: string): { id: number; error: string | undefined } | undefined {
  let value: { id?: unknown; error?: { msg?: unknown }; code?: unknown; msg?: unknown };
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value?.id !== "number") return undefined;
  const failed = value.error !== undefined || value.code !== undefined;
  return { id: value.id, error: failed ? String(value.error?.msg ?? value.msg ?? "without a reason") : undefined };
}

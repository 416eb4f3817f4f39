import type { Server, ServerWebSocket } from "bun";

/** A socket that a client has opened, as the stand-in sees it. */
export interface StandInSocket {
  readonly path: string;
  /** Texts that it has sent, oldest first. */
  readonly received: string[];
  send(value: unknown): void;
  close(code?: number): void;
  /** Ends it as a broken connection does, without a word. */
  drop(): void;
}

export interface StandInOptions {
  /** Answers requests of REST; 404 without it. */
  readonly rest?: (request: Request, url: URL) => Response | Promise<Response>;
  /** Told of each text of a socket. Subscriptions are acknowledged by themselves. */
  readonly onText?: (text: string, socket: StandInSocket) => void;
  /** False: `onText` answers subscriptions as well. */
  readonly acknowledges?: boolean;
}

/** A small exchange of real sockets that says what a test wants it to say. */
export class StandIn {
  readonly sockets: StandInSocket[] = [];
  /** Requests of REST, as "GET /path?query". */
  readonly requests: string[] = [];
  readonly #server: Server<{ socket: StandInSocket | undefined; path: string }>;
  readonly #waiting: { readonly is: () => boolean; readonly resolve: () => void }[] = [];

  constructor(options: StandInOptions) {
    this.#server = Bun.serve<{ socket: StandInSocket | undefined; path: string }>({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request, server) => {
        const url = new URL(request.url);
        const path = url.pathname + url.search;
        if (server.upgrade(request, { data: { socket: undefined, path } })) return undefined;
        this.requests.push(`${request.method} ${path}`);
        const response = (await options.rest?.(request, url)) ?? new Response("", { status: 404 });
        this.changed();
        return response;
      },
      websocket: {
        open: (ws) => {
          const socket = socketOf(ws, ws.data.path);
          ws.data.socket = socket;
          this.sockets.push(socket);
          this.changed();
        },
        message: (ws, text) => {
          const socket = ws.data.socket!;
          socket.received.push(String(text));
          const { method, id } = JSON.parse(String(text));
          const isSubscription = method === "SUBSCRIBE" || method === "UNSUBSCRIBE";
          if (isSubscription && options.acknowledges !== false) socket.send({ result: null, id });
          options.onText?.(String(text), socket);
          this.changed();
        },
        close: (ws) => {
          const at = this.sockets.indexOf(ws.data.socket!);
          if (at !== -1) this.sockets.splice(at, 1);
          this.changed();
        },
      },
    });
  }

  get http(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  get ws(): string {
    return `ws://127.0.0.1:${this.#server.port}`;
  }

  /** Resolves when something is so, at the latest with the next thing that happens here after it has become so. */
  until(is: () => boolean): Promise<void> {
    if (is()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ is, resolve });
    });
  }

  /** Looks at what is waited for: called for everything that happens here, and by tests for what happens elsewhere. */
  changed(): void {
    for (const waiting of [...this.#waiting]) {
      if (!waiting.is()) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }

  /** The latest socket whose path begins so. */
  socket(path: string): StandInSocket {
    const found = this.sockets.findLast((socket) => socket.path.startsWith(path));
    if (found === undefined) throw new Error(`no socket of ${path}: ${this.sockets.map((one) => one.path)}`);
    return found;
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }
}

function socketOf(ws: ServerWebSocket<unknown>, path: string): StandInSocket {
  return {
    path,
    received: [],
    send: (value) => void ws.send(typeof value === "string" ? value : JSON.stringify(value)),
    close: (code) => ws.close(code),
    drop: () => ws.terminate(),
  };
}

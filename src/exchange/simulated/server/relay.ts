import type { Socket } from "bun";

/** One client's connection and ours to the port behind. */
interface Pair {
  readonly client: Socket<Pair>;
  server: Socket<Pair> | undefined;
  /** Bytes that came before the port behind was reached, or that a socket would not take yet. */
  readonly toServer: Uint8Array[];
  readonly toClient: Uint8Array[];
  /** Whether the client is through with its first bytes, and what it asked for with them. */
  first: string | undefined;
  frozen: boolean;
}

export interface Relay {
  readonly port: number;
  /**
   * Leaves open connections half-open: both ends stay connected, and nothing passes any more. Which: those whose first
   * line contains `path` ("/private/", "/ws-fapi/"); all WebSockets when absent. Returns how many.
   */
  freeze(path?: string): number;
  stop(): void;
}

/**
 * Stands in front of a port and passes bytes on, until it is told to let connections hang as a dead network does. A
 * server alone cannot do that: its WebSockets answer pings by themselves.
 */
export function relay(behind: number, port: number): Relay {
  const pairs = new Set<Pair>();
  const close = (pair: Pair) => {
    pairs.delete(pair);
    pair.client.end();
    pair.server?.end();
  };
  const listener = Bun.listen<Pair>({
    hostname: "127.0.0.1",
    port,
    socket: {
      open(client) {
        const pair: Pair = { client, server: undefined, toServer: [], toClient: [], first: undefined, frozen: false };
        client.data = pair;
        pairs.add(pair);
        Bun.connect<Pair>({
          hostname: "127.0.0.1",
          port: behind,
          data: pair,
          socket: {
            open(server) {
              pair.server = server;
              flush(server, pair.toServer);
            },
            data(_, bytes) {
              if (!pair.frozen) pass(pair.client, pair.toClient, bytes);
            },
            drain(server) {
              flush(server, pair.toServer);
            },
            close() {
              // The client of a frozen connection is not told of anything.
              if (!pair.frozen) close(pair);
            },
          },
        }).catch(() => close(pair));
      },
      data({ data: pair }, bytes) {
        pair.first ??= new TextDecoder("latin1").decode(bytes.subarray(0, 2048));
        if (pair.frozen) return;
        if (pair.server === undefined) pair.toServer.push(bytes.slice());
        else pass(pair.server, pair.toServer, bytes);
      },
      drain({ data: pair }) {
        flush(pair.client, pair.toClient);
      },
      close({ data: pair }) {
        close(pair);
      },
    },
  });
  return {
    port: listener.port,
    freeze(path) {
      let count = 0;
      for (const pair of pairs) {
        const [line = "", ...headers] = (pair.first ?? "").split("\r\n");
        const wanted =
          path === undefined ? headers.some((header) => /^upgrade: *websocket/i.test(header)) : line.includes(path);
        if (!wanted || pair.frozen) continue;
        pair.frozen = true;
        count++;
      }
      return count;
    },
    stop() {
      listener.stop(true);
      for (const pair of [...pairs]) close(pair);
    },
  };
}

/** Hands bytes to a socket, and keeps what it does not take for later. */
function pass(socket: Socket<Pair>, waiting: Uint8Array[], bytes: Uint8Array): void {
  if (waiting.length > 0) {
    waiting.push(bytes.slice());
    return;
  }
  const written = socket.write(bytes);
  if (written < bytes.length) waiting.push(bytes.slice(Math.max(written, 0)));
}

function flush(socket: Socket<Pair>, waiting: Uint8Array[]): void {
  for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
    const written = socket.write(next);
    if (written < next.length) {
      waiting[0] = next.slice(Math.max(written, 0));
      return;
    }
    waiting.shift();
  }
}

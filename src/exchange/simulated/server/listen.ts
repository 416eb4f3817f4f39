import type { Server, ServerWebSocket } from "bun";
import type { Door } from "./door.ts";
import type { StreamConnection } from "./stream-hub.ts";
import type { WireResponse } from "./wire.ts";
import { ApiSession } from "./ws-api.ts";

/** Seconds after which a connection that says nothing, not even a pong, is closed. */
const IDLE = 600;
/** Connections live for a day. */
const LONGEST_LIFE = 24 * 3_600_000;

/** What a WebSocket is for. */
type Socket =
  | { readonly kind: "api"; readonly session: ApiSession; readonly connected: number }
  | {
      readonly kind: "stream";
      readonly path: string;
      readonly query: string;
      connection?: StreamConnection;
      connected: number;
    };

export interface PublicPort {
  readonly port: number;
  /** Open connections. */
  readonly sockets: ReadonlySet<ServerWebSocket<Socket>>;
  stop(): Promise<void>;
}

/** Opens the public port of a venue on loopback: REST, streams and WS API. Port 0 takes a free one. */
export function listen(door: Door, port: number): PublicPort {
  const { venue } = door;
  const clock = () => door.now;
  const sockets = new Set<ServerWebSocket<Socket>>();
  const server: Server<Socket> = Bun.serve<Socket>({
    hostname: "127.0.0.1",
    port,
    idleTimeout: 0,
    async fetch(request, self) {
      const { path, query } = partsOf(request.url);
      if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
        const data: Socket = path.endsWith("/ws-fapi/v1")
          ? { kind: "api", session: new ApiSession(LOOPBACK, clock()), connected: clock() }
          : { kind: "stream", path, query, connected: clock() };
        return self.upgrade(request, { data }) ? undefined : new Response("no WebSocket", { status: 400 });
      }
      const body = request.method === "GET" ? "" : await request.text();
      const apiKey = request.headers.get("x-mbx-apikey") ?? undefined;
      const asked = { method: request.method, path, query, body, apiKey, ip: LOOPBACK };
      // A lost answer is a connection that hangs until the client gives up.
      const answer = await new Promise<WireResponse>((resolve) => door.request(asked, resolve));
      return new Response(answer.body, { status: answer.status, headers: answer.headers });
    },
    websocket: {
      idleTimeout: IDLE,
      sendPings: true,
      maxPayloadLength: 1024 * 1024,
      open(socket) {
        sockets.add(socket);
        const { data } = socket;
        if (data.kind === "api") return;
        const connection = door.connect(data.path, data.query, {
          send: (text) => void socket.send(text),
          close: (code, reason) => socket.close(code, reason),
        });
        if (connection === undefined) socket.close(1008, "no such stream path");
        else data.connection = connection;
      },
      message(socket, message) {
        const text = typeof message === "string" ? message : message.toString();
        const { data } = socket;
        if (data.kind === "api") door.message(data.session, text, (answer) => void socket.send(answer));
        else if (data.connection !== undefined) venue.hub.receive(data.connection, text, clock());
      },
      close(socket) {
        sockets.delete(socket);
        const { data } = socket;
        if (data.kind === "stream" && data.connection !== undefined) venue.hub.disconnect(data.connection);
      },
    },
  });
  const housekeeping = setInterval(() => {
    const now = clock();
    venue.tick(now);
    door.poll();
    for (const socket of sockets) if (now - socket.data.connected > LONGEST_LIFE) socket.close(1001, "24 hours");
  }, 1000);
  return {
    port: server.port!,
    sockets,
    async stop() {
      clearInterval(housekeeping);
      for (const socket of sockets) socket.close(1001, "going away");
      await server.stop(true);
    },
  };
}

const LOOPBACK = "127.0.0.1";

/** Path and query as they stand in the address: the signature is over these bytes. */
function partsOf(url: string): { path: string; query: string } {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const mark = url.indexOf("?", start);
  return mark < 0
    ? { path: url.slice(start), query: "" }
    : { path: url.slice(start, mark), query: url.slice(mark + 1) };
}

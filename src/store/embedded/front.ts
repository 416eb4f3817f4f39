import { createServer, type Socket } from "node:net";
import type { PGlite } from "@electric-sql/pglite";

/**
 * The Postgres wire protocol in front of PGlite: many clients, one backend session.
 *
 * The stock socket server hands over packets as they arrive, so that a query in two packets is broken by a neighbour, and
 * COPY FROM STDIN wedges it for good. Here work is handed over in units that end with Sync, Query or Flush, and a client
 * that has opened a unit or a transaction owns the backend until it is told that the backend is idle.
 *
 * One session means: no SET outside of a transaction, no session advisory locks between clients, no cancel.
 */
export interface Front {
  stop(): Promise<void>;
}

interface Client {
  readonly socket: Socket;
  started: boolean;
  unit: Buffer[];
  /** Between COPY FROM STDIN and its end: data messages belong to the unit. */
  copying: boolean;
  /** We have said CopyInResponse ourselves; the backend's own must not follow. */
  dropCopyResponse: boolean;
  gone: boolean;
}

/** Codes of the messages that are looked at; the others pass through (PostgreSQL manual, 53.7). */
const QUERY = 0x51;
const SYNC = 0x53;
const FLUSH = 0x48;
const FUNCTION_CALL = 0x46;
const TERMINATE = 0x58;
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const COPY_FAIL = 0x66;
const READY_FOR_QUERY = 0x5a;
const COPY_IN_RESPONSE = 0x47;
const NOTIFICATION = 0x41;
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;
const IDLE = 0x49;

/** Listens on a unix socket in front of an open database. */
export async function serveFront(database: PGlite, path: string, idleInTransaction: number): Promise<Front> {
  const clients = new Set<Client>();
  const queue: { readonly client: Client; readonly bytes: Buffer }[] = [];
  let owner: Client | undefined;
  let running = false;
  let idleTimer: ReturnType<typeof setTimeout> | undefined;

  /** Runs one unit and returns the transaction status that it ended with, 0 when it ended without saying one. */
  async function run(client: Client, bytes: Buffer): Promise<number> {
    let status = 0;
    let tail: Buffer = Buffer.alloc(0);
    await database.runExclusive(() =>
      database.execProtocolRawStream(new Uint8Array(bytes), {
        onRawData(data: Uint8Array) {
          tail = tail.length > 0 ? Buffer.concat([tail, data]) : Buffer.from(data);
          let offset = 0;
          const out: Buffer[] = [];
          while (tail.length - offset >= 5) {
            const length = 1 + tail.readInt32BE(offset + 1);
            if (tail.length - offset < length) break;
            const message = tail.subarray(offset, offset + length);
            const kind = tail[offset];
            offset += length;
            if (kind === READY_FOR_QUERY) status = message[5]!;
            if (kind === COPY_IN_RESPONSE && client.dropCopyResponse) {
              client.dropCopyResponse = false;
            } else if (kind === NOTIFICATION) {
              for (const other of clients) if (other.started) other.socket.write(message);
            } else {
              out.push(Buffer.from(message));
            }
          }
          tail = Buffer.from(tail.subarray(offset));
          if (out.length > 0 && !client.gone) client.socket.write(Buffer.concat(out));
        },
      }),
    );
    return status;
  }

  async function pump(): Promise<void> {
    if (running) return;
    running = true;
    try {
      for (;;) {
        const index = owner === undefined ? 0 : queue.findIndex((unit) => unit.client === owner);
        const unit = index >= 0 ? queue.splice(index, 1)[0] : undefined;
        if (unit === undefined) break;
        if (unit.client.gone) continue;
        // Only the owner's own work counts as a sign of life, not that a neighbour waits.
        clearTimeout(idleTimer);
        idleTimer = undefined;
        let status = IDLE;
        try {
          status = await run(unit.client, unit.bytes);
        } catch (error) {
          // The engine threw: this client's conversation is lost, the others go on.
          process.stderr.write(`embedded store: ${String(error)}\n`);
          unit.client.socket.destroy();
        }
        const finished = status === IDLE || (status === 0 && owner === undefined && !unit.client.started);
        owner = finished ? undefined : unit.client;
        if (owner?.gone) {
          await database.exec("ROLLBACK");
          owner = undefined;
        }
      }
    } finally {
      running = false;
    }
    const holder = owner;
    if (holder !== undefined) idleTimer ??= setTimeout(() => holder.socket.destroy(), idleInTransaction);
  }

  function push(client: Client): void {
    queue.push({ client, bytes: Buffer.concat(client.unit) });
    client.unit = [];
  }

  /** Takes one message of a started client. */
  function take(client: Client, kind: number, message: Buffer): void {
    if (kind === TERMINATE) {
      client.socket.end();
    } else if (kind === QUERY && isCopyIn(message)) {
      client.copying = true;
      client.dropCopyResponse = true;
      client.unit.push(message);
      // The data must be in the unit before the backend runs, so the client is asked for it here.
      client.socket.write(Buffer.from([COPY_IN_RESPONSE, 0, 0, 0, 7, 0, 0, 0]));
    } else if (client.copying) {
      if (kind !== COPY_DATA && kind !== COPY_DONE && kind !== COPY_FAIL) return;
      client.unit.push(message);
      if (kind === COPY_DATA) return;
      client.copying = false;
      push(client);
    } else {
      client.unit.push(message);
      if (kind === QUERY || kind === SYNC || kind === FLUSH || kind === FUNCTION_CALL) push(client);
    }
  }

  const server = createServer((socket) => {
    const client: Client = { socket, started: false, unit: [], copying: false, dropCopyResponse: false, gone: false };
    clients.add(client);
    const parts: Buffer[] = [];
    let have = 0;
    // Nothing is looked at again before this many bytes are there.
    let need = 1;
    socket.on("data", (data: Buffer) => {
      parts.push(data);
      have += data.length;
      if (have < need) return;
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      parts.length = 0;
      need = 1;
      let offset = 0;
      for (;;) {
        const left = bytes.length - offset;
        const head = client.started ? 5 : 8;
        if (left < head) {
          need = left === 0 ? 1 : head;
          break;
        }
        const length = client.started ? 1 + bytes.readInt32BE(offset + 1) : bytes.readInt32BE(offset);
        if (!client.started) {
          const code = bytes.readInt32BE(offset + 4);
          if (code === SSL_REQUEST || code === GSS_REQUEST) {
            socket.write("N");
            offset += length;
            continue;
          }
          if (code === CANCEL_REQUEST) {
            socket.end();
            return;
          }
        }
        if (left < length) {
          need = length;
          break;
        }
        const message = bytes.subarray(offset, offset + length);
        offset += length;
        if (client.started) {
          take(client, message[0]!, message);
        } else {
          client.started = true;
          client.unit.push(message);
          push(client);
        }
      }
      const rest = bytes.subarray(offset);
      have = rest.length;
      if (rest.length > 0) parts.push(rest);
      void pump();
    });
    const leave = () => {
      if (client.gone) return;
      client.gone = true;
      clients.delete(client);
      if (owner !== client || running) return;
      running = true;
      database
        .exec("ROLLBACK")
        .finally(() => {
          owner = undefined;
          running = false;
        })
        .then(pump);
    };
    socket.on("close", leave);
    socket.on("error", leave);
  });

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return {
    stop: () =>
      new Promise((resolve) => {
        for (const client of clients) client.socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function isCopyIn(message: Buffer): boolean {
  return /^\s*copy\s[\s\S]+\sfrom\s+stdin/i.test(message.toString("utf8", 5, Math.min(message.length, 2000)));
}

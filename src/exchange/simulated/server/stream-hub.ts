import { type Json, wideInteger } from "./wire.ts";

/** The three doors of the stream server since April 2026; what stands at the wrong one is acknowledged and silent. */
export type Category = "public" | "market" | "private" | "legacy";

/** Who listens at the other end of a stream connection. */
export interface StreamSink {
  send(text: string): void;
  close(code: number, reason: string): void;
}

const PUBLIC = /^(!bookTicker|[^!@]+@(bookTicker|depth\d*(@\d+ms)?|rpiDepth(@\d+ms)?|trade))$/;
/** Streams that one connection may have. */
const MOST_STREAMS = 1024;
/** Messages that a connection may send in a second. */
const MOST_MESSAGES = 10;

/** What a stream belongs to; a listen key is whatever has neither @ nor ! in it. */
export function categoryOf(stream: string): Category {
  if (!stream.includes("@") && !stream.startsWith("!")) return "private";
  return PUBLIC.test(stream) ? "public" : "market";
}

/** One connection of a client: what it asked for, and what it hears. */
export class StreamConnection {
  readonly category: Category;
  /** Whether messages come in an envelope that names their stream. */
  readonly combined: boolean;
  readonly streams = new Set<string>();
  readonly sink: StreamSink;
  /** Messages received in the second they were counted in. */
  received = { second: 0, count: 0 };

  constructor(category: Category, combined: boolean, sink: StreamSink) {
    this.category = category;
    this.combined = combined;
    this.sink = sink;
  }
}

/** Passes on, delays or drops what is sent; the fault layer. */
export type SendFilter = (connection: StreamConnection, stream: string, text: string) => void;

/** All stream connections, and who hears what. */
export class StreamHub {
  readonly connections = new Set<StreamConnection>();
  readonly #listeners = new Map<string, Set<StreamConnection>>();
  /** Refuses listen keys that are not valid, as silence. */
  readonly #isListenKey: (key: string) => boolean;
  /** Stands between the hub and the sockets; sends directly when undefined. */
  filter: SendFilter | undefined;

  constructor(isListenKey: (key: string) => boolean) {
    this.#isListenKey = isListenKey;
  }

  /**
   * A client connects to a path such as /market/ws/btcusdt@kline_1m, /public/stream?streams=a/b, /private/ws/<key>,
   * /private/ws?listenKey=<key>. Undefined when there is no such door.
   */
  connect(path: string, query: string, sink: StreamSink): StreamConnection | undefined {
    // Clients that take the whole address as a base append their own path to it.
    const parts = /(?:^|\/)(public|market|private)\/(ws|stream)(?:\/([^?]*))?$/.exec(path);
    const legacy = parts === null ? /^\/(ws|stream)(?:\/([^?]*))?$/.exec(path) : null;
    if (parts === null && legacy === null) return undefined;
    const category = parts === null ? "legacy" : (parts[1] as Category);
    const mode = parts === null ? legacy![1] : parts[2];
    const rest = (parts === null ? legacy![2] : parts[3]) ?? "";
    const parameters = new URLSearchParams(query);
    const connection = new StreamConnection(category, mode === "stream", sink);
    const named = [
      ...rest.split("/"),
      ...(parameters.get("streams") ?? "").split("/"),
      parameters.get("listenKey") ?? "",
    ];
    this.connections.add(connection);
    // Some clients number their connections in the path: that is no stream.
    for (const name of named) if (name !== "" && !/^\d+$/.test(name)) this.#add(connection, decodeURIComponent(name));
    return connection;
  }

  /** A client says something: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY or GET_PROPERTY. */
  receive(connection: StreamConnection, text: string, now: number): void {
    const second = Math.floor(now / 1000);
    if (connection.received.second !== second) connection.received = { second, count: 0 };
    if (++connection.received.count > MOST_MESSAGES) {
      connection.sink.close(1008, "Too many requests");
      return;
    }
    const message = parseMessage(text);
    if (message === undefined) return answer(connection, { error: { code: 3, msg: "Invalid JSON: expected value" } });
    const { id, method, params } = message;
    const names = Array.isArray(params) ? params.filter((name): name is string => typeof name === "string") : [];
    switch (method) {
      case "SUBSCRIBE":
        if (connection.streams.size + names.length > MOST_STREAMS) {
          return answer(connection, { error: { code: 2, msg: `Too many streams: at most ${MOST_STREAMS}` }, id });
        }
        for (const name of names) this.#add(connection, name);
        return answer(connection, { result: null, id });
      case "UNSUBSCRIBE":
        for (const name of names) this.#remove(connection, name);
        return answer(connection, { result: null, id });
      case "LIST_SUBSCRIPTIONS":
        return answer(connection, { result: [...connection.streams], id });
      case "SET_PROPERTY":
        return answer(connection, { result: null, id });
      case "GET_PROPERTY":
        return answer(connection, { result: connection.combined, id });
      default:
        return answer(connection, { error: { code: 2, msg: `Invalid request: unknown method ${method}` }, id });
    }
  }

  disconnect(connection: StreamConnection): void {
    for (const name of [...connection.streams]) this.#remove(connection, name);
    this.connections.delete(connection);
  }

  /** Whether anybody hears a stream: what nobody hears need not be made. */
  isHeard(stream: string): boolean {
    return this.#listeners.has(stream);
  }

  /** All streams that somebody hears. */
  get heard(): IterableIterator<string> {
    return this.#listeners.keys();
  }

  publish(stream: string, event: Json): void {
    const listeners = this.#listeners.get(stream);
    if (listeners === undefined) return;
    const text = JSON.stringify(event);
    let envelope: string | undefined;
    for (const connection of listeners) {
      if (connection.combined) envelope ??= `{"stream":${JSON.stringify(stream)},"data":${text}}`;
      const message = connection.combined ? envelope! : text;
      if (this.filter === undefined) connection.sink.send(message);
      else this.filter(connection, stream, message);
    }
  }

  /** Something that concerns every connection, whatever it listens to. */
  broadcast(name: string, event: Json): void {
    const text = JSON.stringify(event);
    for (const connection of this.connections) {
      connection.sink.send(connection.combined ? `{"stream":"${name}","data":${text}}` : text);
    }
  }

  /** Ends the streams of a listen key that is no more. */
  silence(stream: string): void {
    for (const connection of this.#listeners.get(stream) ?? []) connection.streams.delete(stream);
    this.#listeners.delete(stream);
  }

  #add(connection: StreamConnection, name: string): void {
    connection.streams.add(name);
    const category = categoryOf(name);
    if (category !== connection.category || (category === "private" && !this.#isListenKey(name))) return;
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, new Set([connection]));
    else listeners.add(connection);
  }

  #remove(connection: StreamConnection, name: string): void {
    connection.streams.delete(name);
    const listeners = this.#listeners.get(name);
    if (listeners?.delete(connection) && listeners.size === 0) this.#listeners.delete(name);
  }
}

function answer(connection: StreamConnection, message: Json): void {
  connection.sink.send(JSON.stringify(message));
}

interface Message {
  /** Whatever the client sent, given back verbatim. */
  readonly id: Json;
  readonly method: string;
  readonly params: unknown;
}

/** Undefined for what is no JSON object. Numbers of more digits than a double holds come as texts. */
export function parseMessage(text: string): Message | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(quoteWideIntegers(text));
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
  const { id, method, params } = parsed as Record<string, unknown>;
  const wide = typeof id === "string" && /"id"\s*:\s*\d/.test(text);
  const named = typeof id === "string" || typeof id === "number" ? id : null;
  return { id: wide ? wideInteger(id) : named, method: typeof method === "string" ? method : "", params };
}

/** Puts quotes around integers that a double could not hold. */
export function quoteWideIntegers(json: string): string {
  return json.replace(/(?<=[[,:]\s*)(\d{16,})(?=\s*[\],}])/g, '"$1"');
}

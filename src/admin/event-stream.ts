import type { ServerWebSocket } from "bun";
import type { LiveEvent } from "./mirror.ts";

/** A client that has this much unread gets no more pictures of the book, only what happened, bytes. */
const SLOW_BYTES = 256 * 1024;
/** A client that has this much unread is sent away; it may come back and ask for what it missed. */
const STUCK_BYTES = 4 * 1024 * 1024;
const CLIENTS_MAX = 200;

export interface ClientData {
  /** Whether who listens may still do so: his session lasts. */
  readonly isKnown: () => boolean;
}

/** Live events to any number of WebSocket clients. A slow one costs nothing but itself. */
export class EventStream {
  readonly #clients = new Set<ServerWebSocket<ClientData>>();
  /** Pictures of the book that were left out because a client was slow. */
  conflated = 0;

  get clients(): number {
    return this.#clients.size;
  }

  get isFull(): boolean {
    return this.#clients.size >= CLIENTS_MAX;
  }

  open(client: ServerWebSocket<ClientData>): void {
    this.#clients.add(client);
  }

  close(client: ServerWebSocket<ClientData>): void {
    this.#clients.delete(client);
  }

  /** Sends events to all. Each is written as text once, however many clients there are. */
  send(events: readonly LiveEvent[]): void {
    if (this.#clients.size === 0) return;
    const texts = events.map((event) => [event.kind === "snapshot", JSON.stringify(event)] as const);
    for (const client of this.#clients) {
      if (!client.data.isKnown()) {
        client.close(1008, "the session has ended");
        continue;
      }
      const unread = client.getBufferedAmount();
      if (unread > STUCK_BYTES) {
        // A goodbye would only wait behind what is not read.
        this.#clients.delete(client);
        client.terminate();
        continue;
      }
      for (const [isPicture, text] of texts) {
        // Each picture shows all there is: leaving one out loses nothing but its moment.
        if (!isPicture || unread <= SLOW_BYTES) client.send(text);
        else this.conflated += 1;
      }
    }
  }

  /** Says goodbye to all. */
  end(): void {
    for (const client of this.#clients) client.close(1001, "the trader is ending");
    this.#clients.clear();
  }
}

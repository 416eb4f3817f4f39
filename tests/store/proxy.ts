import { connect, createServer, type Server, type Socket } from "node:net";

/** Stands between a client and a database server, and can do to their conversation what networks do. */
export class DatabaseProxy {
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #down = false;
  /** Bytes from the client after which the conversation is cut off. */
  #left = Number.POSITIVE_INFINITY;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((client) => this.#accept(client));
  }

  static async before(target: string): Promise<DatabaseProxy> {
    const proxy = new DatabaseProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** The database's address by way of the proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
    return url.toString();
  }

  /** Cuts all conversations off; until `up` no other begins. */
  down(): void {
    this.#down = true;
    this.reset();
  }

  up(): void {
    this.#down = false;
  }

  /** Cuts all conversations off. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Cuts the conversations off, once, when the client has sent so much more. */
  resetAfter(bytes: number): void {
    this.#left = bytes;
  }

  close(): void {
    this.reset();
    this.#server.close();
  }

  #accept(client: Socket): void {
    this.#sockets.add(client);
    client.on("error", () => {});
    client.on("close", () => this.#sockets.delete(client));
    if (this.#down) return void client.resetAndDestroy();
    const server = connect(Number(this.#target.port), this.#target.hostname);
    this.#sockets.add(server);
    server.on("error", () => client.destroy());
    server.on("close", () => {
      this.#sockets.delete(server);
      client.destroy();
    });
    client.on("close", () => server.destroy());
    client.on("data", (data: Buffer) => {
      this.#left -= data.length;
      if (this.#left >= 0) return void server.write(data);
      this.#left = Number.POSITIVE_INFINITY;
      server.write(data.subarray(0, data.length >> 1));
      this.reset();
    });
    server.on("data", (data: Buffer) => client.write(data));
  }
}

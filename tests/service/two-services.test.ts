import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readJournal } from "../../src/journal/reader.ts";
import type { Store } from "../../src/store/store.ts";
import { MAIN, temporaryFolder } from "../end-to-end/penstock.ts";
import { KINDS, type TestDatabase } from "../store/database.ts";
import { DatabaseProxy } from "../store/proxy.ts";

const server = KINDS.find(({ name }) => name === "TimescaleDB")!;

/** A process of `penstock run` that has begun to say something. */
class Service {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly folder = temporaryFolder();
  said = "";
  readonly #reading: Promise<void>;

  constructor(databaseUrl: string, seed: number, leaseSeconds = 2) {
    this.child = Bun.spawn([process.execPath, MAIN, "run", "--speed", "20000x", "--seed", String(seed)], {
      cwd: this.folder,
      env: {
        PATH: process.env.PATH ?? "",
        DATA_DIR: join(this.folder, "data"),
        DATABASE_URL: databaseUrl,
        LEASE_SECONDS: String(leaseSeconds),
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#reading = this.#read();
  }

  /** Waits for a text that comes after a place in what was said. @returns where it ends */
  async says(text: string, from = 0): Promise<number> {
    while (!this.said.includes(text, from)) {
      if (this.child.exitCode !== null) throw new Error(`ended without "${text}":\n${this.said}`);
      await Bun.sleep(5);
    }
    return this.said.indexOf(text, from) + text.length;
  }

  async ended(): Promise<number> {
    await this.#reading;
    return this.child.exited;
  }

  /** Orders that the journal has, and those of them that the exchange has said something about. */
  orders(): { asked: number[]; answered: Set<number> } {
    const asked: number[] = [];
    const answered = new Set<number>();
    for (const record of this.records()) {
      if (record.kind === "effect" && record.effect.kind === "submit") asked.push(record.effect.order.id);
      if (record.kind !== "event" || record.event.kind !== "answer") continue;
      if (!record.event.reason.startsWith("not sent")) answered.add(record.event.order);
    }
    return { asked, answered };
  }

  *records() {
    const folder = join(this.folder, "data", "journal");
    for (const { record } of readJournal(join(folder, readdirSync(folder)[0]!)).records()) yield record;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const piece of this.child.stdout) this.said += decoder.decode(piece);
  }
}

describe.skipIf(server.absent)("several services on one database", () => {
  let database: TestDatabase;
  let store: Store;
  const services: Service[] = [];
  beforeAll(async () => {
    database = await server.create();
    store = await database.open();
  });
  afterAll(async () => {
    for (const { child } of services) child.kill("SIGKILL");
    await store.close();
    await database.remove();
  });

  const start = (seed: number) => {
    const service = new Service(database.options.databaseUrl, seed);
    services.push(service);
    return service;
  };
  test("whose database goes away opens nothing, but leads its positions to their end, until it is back", async () => {
    const other = await server.create();
    const proxy = await DatabaseProxy.before(other.options.databaseUrl);
    const service = new Service(proxy.url, 3, 1);
    services.push(service);
    try {
      await service.says("this service has the right to trade, epoch 1");
      // So many that some are still there when the right has run out: half a day of the market.
      await service.says("5 open");
      proxy.down();
      const alarm = await service.says(
        "the database does not answer: no entries; stops, exits and cancellations go on",
      );
      await service.says("equity", await service.says("closed", alarm));
      proxy.up();
      await service.says("this service has the right to trade, epoch", alarm);
      service.child.kill("SIGINT");
      expect(await service.ended()).toBe(0);

      const wanted = new Set<number>();
      const done: number[] = [];
      let held = false;
      for (const record of service.records()) {
        if (record.kind === "event" && record.event.kind === "hold") held = record.event.on;
        if (!held) continue;
        if (record.kind === "effect" && record.effect.kind === "submit") {
          expect(record.effect.order.purpose).not.toBe("entry");
          wanted.add(record.effect.order.id);
        }
        if (record.kind === "effect" && record.effect.kind === "cancel") wanted.add(record.effect.order);
        if (record.kind !== "event" || record.event.kind !== "answer" || !wanted.has(record.event.order)) continue;
        if (record.event.answer === "accepted" || record.event.answer === "cancelled") done.push(record.event.order);
      }
      expect(done.length).toBeGreaterThan(0);
    } finally {
      service.child.kill("SIGKILL");
      proxy.close();
      await other.remove();
    }
  });

  const ordersUnder = async (epoch: number) => {
    for (;;) {
      const [row] = await store.sql<{ n: number }[]>`SELECT count(*)::int AS n FROM orders WHERE epoch = ${epoch}`;
      if (row!.n > 0) return row!.n;
      await Bun.sleep(20);
    }
  };

  test("one trades; who was stopped and goes on sends nothing; a killed one is followed by the next", async () => {
    const first = start(3);
    await first.says("this service has the right to trade, epoch 1");
    await ordersUnder(1);
    const second = start(4);
    await second.says("has the right to trade: no positions are opened here until it is free");
    await second.says("refused");
    expect(second.said).toContain("by lease: another service has the right to trade");

    first.child.kill("SIGSTOP");
    await second.says("this service has the right to trade, epoch 2");
    await ordersUnder(2);
    // Orders are in the journal before they leave, so this is all that had left.
    const before = first.orders();
    first.child.kill("SIGCONT");
    expect(await first.ended()).toBe(1);
    expect(first.said).toContain("has taken over trading: this service ends");
    const { asked, answered } = first.orders();
    expect(asked.slice(0, before.asked.length)).toEqual(before.asked);
    expect(asked.slice(before.asked.length).filter((id) => answered.has(id))).toEqual([]);

    const third = start(3);
    await third.says("no positions are opened here until it is free");
    second.child.kill("SIGKILL");
    await third.says("this service has the right to trade, epoch 3");
    await ordersUnder(3);
    third.child.kill("SIGINT");
    expect(await third.ended()).toBe(0);

    // An order is told apart by its epoch, and no two services have ever used the same.
    const epochs = await store.sql`
      SELECT epoch, count(DISTINCT run)::int AS runs FROM orders WHERE epoch > 0 GROUP BY epoch ORDER BY epoch`;
    expect([...epochs]).toEqual([1, 2, 3].map((epoch) => ({ epoch, runs: 1 })));
  });
});

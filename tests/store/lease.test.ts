import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Lease, takeLease } from "../../src/store/lease.ts";
import type { Store } from "../../src/store/store.ts";
import { KINDS, type TestDatabase } from "./database.ts";

const DURATION = 60_000;
const MARGIN = 10_000;

describe.each(KINDS)("the lease on $name", (kind) => {
  describe.skipIf(kind.absent)("when the server is there", () => {
    let database: TestDatabase;
    let store: Store;
    beforeAll(async () => {
      database = await kind.create();
      store = await database.open();
    });
    afterAll(async () => {
      await store.close();
      await database.remove();
    });

    const take = (name: string, holder: string, clock: () => number = () => 0) =>
      takeLease(store.sql, { name, holder, duration: DURATION, margin: MARGIN, clock });

    async function taken(name: string, holder: string, clock?: () => number): Promise<Lease> {
      const lease = await take(name, holder, clock);
      if ("heldBy" in lease) throw new Error(`held by ${lease.heldBy}`);
      return lease;
    }

    /** As if the server's clock had passed the end of the lease. */
    const expire = (name: string) => store.sql`UPDATE leases SET expires_at = 1 WHERE name = ${name}`;

    test("one of many that ask at once has it; the others hear who", async () => {
      const asked = await Promise.all(["a", "b", "c", "d"].map((holder) => take("many", holder)));
      const holders = asked.filter((lease) => !("heldBy" in lease));
      expect(holders).toHaveLength(1);
      const winner = ["a", "b", "c", "d"][asked.indexOf(holders[0]!)]!;
      for (const lease of asked) if ("heldBy" in lease) expect(lease.heldBy).toBe(winner);
    });

    test("its holder stops relying on it before it ends, by its own clock", async () => {
      let now = 1000;
      const lease = await taken("clock", "a", () => now);
      expect(lease.holds()).toBe(true);
      now += DURATION - MARGIN - 1;
      expect(lease.holds()).toBe(true);
      now += 1;
      expect(lease.holds()).toBe(false);
      // A process that was stopped for so long may not come back, though the row still names it.
      expect(await lease.renew()).toBe(false);
      expect(lease.holds()).toBe(false);
    });

    test("renewed in time it goes on, counted from before the question", async () => {
      let now = 0;
      const lease = await taken("renew", "a", () => now);
      now = 30_000;
      expect(await lease.renew()).toBe(true);
      now += DURATION - MARGIN - 1;
      expect(lease.holds()).toBe(true);
      now += 1;
      expect(lease.holds()).toBe(false);
    });

    test("after it ran out another takes it with a higher epoch, and the old holder cannot get it back", async () => {
      const old = await taken("hands", "a");
      expect(await take("hands", "b")).toMatchObject({ heldBy: "a" });
      await expire("hands");
      const next = await taken("hands", "b");
      expect(next.epoch).toBe(old.epoch + 1);
      expect(await old.renew()).toBe(false);
      expect(old.holds()).toBe(false);
      // Nor can it take it from the new one by giving it back.
      await old.release();
      expect(await take("hands", "c")).toMatchObject({ heldBy: "b" });
      expect(await next.renew()).toBe(true);
    });

    test("the same holder twice is two holders: the epoch tells them apart", async () => {
      const first = await taken("twice", "a");
      await expire("twice");
      const second = await taken("twice", "a");
      expect(await first.renew()).toBe(false);
      expect(second.epoch).toBe(first.epoch + 1);
    });

    test("given back, it is free at once and no longer held", async () => {
      const lease = await taken("back", "a");
      await lease.release();
      expect(lease.holds()).toBe(false);
      expect((await taken("back", "b")).epoch).toBe(lease.epoch + 1);
    });
  });
});

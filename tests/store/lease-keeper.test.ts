import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { LeaseKeeper } from "../../src/store/lease-keeper.ts";
import type { Store } from "../../src/store/store.ts";
import { KINDS, type TestDatabase } from "./database.ts";

const DURATION = 400;

describe.each(KINDS)("the keeper of a lease on $name", (kind) => {
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

    function keeper(
      name: string,
      holder: string,
      away: () => boolean = () => false,
      ahead = () => ({ up: 0, day: 0 }),
    ) {
      const said: string[] = [];
      const alarms: string[] = [];
      const destination = {
        get sql() {
          return away() ? undefined : store.sql;
        },
      };
      const kept = new LeaseKeeper(destination, {
        name,
        holder,
        duration: DURATION,
        onChange: (text, level) => (level === "alarm" ? alarms : said).push(text),
        clock: () => performance.now() + ahead().up,
        wall: () => Date.now() + ahead().day,
      });
      return { kept, said, alarms };
    }

    const until = async (condition: () => boolean) => {
      while (!condition()) await Bun.sleep(2);
    };

    test("keeps it for longer than it lasts, and gives it to the next at its end", async () => {
      const first = keeper("kept", "a");
      await first.kept.start();
      const { epoch } = first.kept;
      expect(epoch).toBeGreaterThan(0);
      const second = keeper("kept", "b");
      await second.kept.start();
      expect(second.kept.mayAct()).toBe(false);
      expect(second.kept.heldBy).toBe("a");
      expect(second.said).toEqual(["a has the right to trade: no positions are opened here until it is free"]);
      const [before] = await store.sql`SELECT expires_at FROM leases WHERE name = 'kept'`;
      const renewed = async () =>
        (await store.sql`SELECT expires_at FROM leases WHERE name = 'kept'`)[0]!.expires_at >
        before!.expires_at + DURATION;
      while (!(await renewed())) await Bun.sleep(20);
      expect(first.kept.epoch).toBe(epoch);
      await first.kept.stop();
      expect(first.kept.mayAct()).toBe(false);
      await until(() => second.kept.mayAct());
      expect(second.kept.epoch).toBe(epoch + 1);
      await second.kept.stop();
    });

    test("without a database it stops acting by itself; afterwards it goes on under another epoch", async () => {
      let away = false;
      const { kept, said } = keeper("away", "a", () => away);
      await kept.start();
      const { epoch } = kept;
      // The row names it no longer, so that it cannot be renewed; nobody else has asked.
      away = true;
      await store.sql`UPDATE leases SET holder = 'nobody', expires_at = 1 WHERE name = 'away'`;
      await until(() => !kept.mayAct());
      expect(kept.epoch).toBe(0);
      away = false;
      await until(() => kept.mayAct());
      expect(kept.epoch).toBe(epoch + 1);
      expect(kept.lost).toBeUndefined();
      expect(said.at(-1)).toBe(`this service has the right to trade, epoch ${epoch + 1}`);
      await kept.stop();
    });

    test("when another has had it meanwhile it is over, whether that one still has it or not", async () => {
      for (const expiry of [Date.now() + 3_600_000, 1]) {
        const { kept, said } = keeper(`lost${expiry}`, "a");
        await kept.start();
        await store.sql`UPDATE leases SET epoch = epoch + 1, holder = 'b', expires_at = ${expiry}
          WHERE name = ${`lost${expiry}`}`;
        await until(() => kept.lost !== undefined);
        expect(kept.mayAct()).toBe(false);
        expect(kept.mayProtect()).toBe(false);
        expect(said.at(-1)).toContain("has taken over trading: this service ends");
        await kept.stop();
      }
    });

    test("once it has run out nothing may be sent before the database was asked, and stops when it does not answer", async () => {
      let away = false;
      const { kept, said, alarms } = keeper("alone", "a", () => away);
      await kept.start();
      const { epoch } = kept;
      expect(kept.mayProtect()).toBe(true);
      away = true;
      await store.sql`UPDATE leases SET holder = 'nobody', expires_at = 1 WHERE name = 'alone'`;
      await until(() => !kept.mayAct());
      // Nothing else has run since it ended: the question that was under way then proves nothing.
      expect(kept.mayProtect()).toBe(false);
      await until(() => kept.mayProtect());
      expect(kept.mayAct()).toBe(false);
      expect(kept.epoch).toBe(0);
      expect(alarms).toEqual([
        "the right to trade has run out and the database does not answer: " +
          "no entries; stops, exits and cancellations go on (there is no database yet)",
      ]);
      away = false;
      await until(() => kept.mayAct());
      expect(kept.epoch).toBe(epoch + 1);
      expect(said.at(-1)).toContain("this service has the right to trade");
      await kept.stop();
      expect(kept.mayProtect()).toBe(false);
    });

    test.each(["up", "day"] as const)(
      "a process that was stopped (by its %s clock) sends nothing until it asks",
      async (clock) => {
        let away = false;
        const ahead = { up: 0, day: 0 };
        const { kept } = keeper(
          `stopped-${clock}`,
          "a",
          () => away,
          () => ahead,
        );
        await kept.start();
        ahead[clock] += 3_600_000;
        expect([kept.mayAct(), kept.mayProtect()]).toEqual([false, false]);
        away = true;
        await until(() => kept.mayProtect());
        ahead[clock] += 3_600_000;
        expect(kept.mayProtect()).toBe(false);
        await kept.stop();
      },
    );

    test("a question during which it was stopped proves nothing", async () => {
      const ahead = { up: 0, day: 0 };
      let asked = 0;
      const { kept, alarms } = keeper(
        "slept",
        "a",
        () => {
          if (ahead.up === 0) return false;
          asked++;
          ahead.up += DURATION;
          return true;
        },
        () => ahead,
      );
      await kept.start();
      ahead.up = DURATION;
      await until(() => {
        expect(kept.mayProtect()).toBe(false);
        return asked > 3;
      });
      expect(alarms).toEqual([]);
      await kept.stop();
    });

    test("who never had it has nothing to protect", async () => {
      const { kept, alarms } = keeper("never", "a", () => true);
      await kept.start();
      await Bun.sleep(0);
      expect(kept.mayProtect()).toBe(false);
      expect(alarms).toEqual([]);
      await kept.stop();
    });
  });
});

import { describe, expect, test } from "bun:test";
import { parseClientId } from "../../src/exchange/binance/client-id.ts";
import { takenOver } from "../exchange/binance/kill-matrix.ts";
import { KINDS } from "../store/database.ts";

const server = KINDS.find(({ name }) => name === "TimescaleDB")!;

describe.skipIf(server.absent)("two traders on one account and one database", () => {
  test("the second does nothing until the first is dead, then takes over its position within 15 s", async () => {
    const database = await server.create();
    try {
      const { right, agreed, epochs, meddled, entries, wrong } = await takenOver(database.options.databaseUrl);
      expect(wrong).toEqual([]);
      expect(meddled).toBe(false);
      expect(epochs).toEqual([1, 2]);
      expect(right).toBeLessThan(15_000);
      expect(agreed).toBeLessThan(15_000);
      // One entry, sent under the first one's lease; no order was doubled.
      expect(entries.map((id) => parseClientId(id)?.lease)).toEqual([1]);
    } finally {
      await database.remove();
    }
  });
});

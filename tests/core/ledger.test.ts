import { expect, test } from "bun:test";
import fc from "fast-check";
import { ACCOUNTS, createLedger, post, trialBalance } from "../../src/core/ledger.ts";
import { close, newPosition, open } from "../../src/core/position.ts";
import { candidate } from "./core-fixture.ts";

test("whatever is posted, the accounts add up to zero", () => {
  const account = fc.constantFrom(...ACCOUNTS);
  const posting = fc.tuple(account, account, fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.array(posting), (capital, postings) => {
      const ledger = createLedger(capital);
      for (const [into, from, amount] of postings) if (into !== from) post(ledger, into, from, amount);
      expect(trialBalance(ledger)).toBe(0n);
    }),
  );
});

test("a position closed in any parts realises exactly exit minus entry value", () => {
  const part = fc.record({ lots: fc.integer({ min: 1, max: 1000 }), price: fc.integer({ min: 1, max: 1_000_000 }) });
  const direction = fc.constantFrom(1 as const, -1 as const);
  fc.assert(
    fc.property(direction, fc.array(part, { minLength: 1, maxLength: 8 }), fc.array(part), (side, entries, exits) => {
      const plan = {
        candidate: candidate(),
        arrival: 1,
        stop: 1,
        target: 2,
        disasterStop: 1,
        leverage: 3,
        lots: 1,
        margin: 1,
      };
      const { holding } = newPosition(0, "both", plan, 1);
      for (const { lots, price } of entries) open(holding, lots, BigInt(lots) * BigInt(price), 0);
      let realised = 0n;
      for (const { lots, price } of [...exits, { lots: Number.MAX_SAFE_INTEGER, price: 77 }]) {
        const taken = lots < holding.lots ? lots : holding.lots;
        if (taken > 0) realised += close(holding, side, taken, BigInt(taken) * BigInt(price));
      }
      expect(holding.lots).toBe(0);
      expect(holding.cost).toBe(0n);
      expect(realised).toBe(BigInt(side) * (holding.exitNotional - holding.entryNotional));
    }),
  );
});

import { describe, expect, test } from "bun:test";
import { createWorld } from "../../simulation/world.ts";
import { ExchangeRun } from "./exchange-run.ts";
import { hunt, PLANTED_BUGS } from "./planted-bugs.ts";
import { ALL_FAULT_NAMES, seedsOf } from "./venue-faults.ts";

/** Seeds after which a planted bug counts as not found. */
const SEEDS = 120;
/** Bugs that the tests plant; the others take more time than a test should. */
const QUICK = 2;

/** Worlds in which a fault has to strike once. */
const WORLDS = 40;

describe("the exchange client over a venue with faults", () => {
  test("each fault alone leaves both books the same, and nothing doubled or unprotected", async () => {
    for (const fault of ALL_FAULT_NAMES) {
      let struck = 0;
      // A short world may never come to what the fault concerns: another one is tried then.
      for (const seed of seedsOf(fault, WORLDS)) {
        const { violation, happened } = await new ExchangeRun(createWorld(seed)).run();
        expect({ seed, fault, violation: violation?.text }).toEqual({ seed, fault, violation: undefined });
        for (const other of happened.keys()) expect(other).toBe(fault);
        struck += happened.get(fault) ?? 0;
        if (struck > 0) break;
      }
      expect(struck, `${fault} never struck`).toBeGreaterThan(0);
    }
  });

  // Seeds that have found something once: a late fill after a wrong end, an entry that was carried out though it was
  // refused, a liquidation before its entry's fill, funding told twice, a stop that was slow and not stuck.
  test.each([4, 107, 113, 374, 509, 562, 711, 1013, 1882])("seed %d, a mixture of faults and crashes", async (seed) => {
    const { violation, mostPasses } = await new ExchangeRun(createWorld(seed, { entries: "market" })).run();
    expect(violation?.text).toBeUndefined();
    expect(mostPasses).toBeLessThanOrEqual(3);
  });
});

describe("a bug that is planted in the exchange client is caught", () => {
  for (const bug of PLANTED_BUGS.slice(0, QUICK)) {
    test(bug.name, async () => {
      const caught = await hunt(bug, SEEDS);
      expect(bug.breaks).toContain(caught?.invariant ?? "nothing");
    });
  }
});

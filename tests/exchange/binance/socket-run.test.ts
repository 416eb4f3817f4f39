import { expect, test } from "bun:test";
import { socketRun } from "./socket-run.ts";

/** Mixtures in which orders are lost, answers are lost and the account stream breaks. */
test.concurrent.each([33, 40])(
  "over sockets, after the faults of seed %i both books agree exactly",
  async (seed) => {
    const { violation, entries, mostPasses } = await socketRun(seed, 4000);
    expect(violation).toBeUndefined();
    expect(entries).toBeGreaterThan(0);
    expect(mostPasses).toBeLessThanOrEqual(3);
  },
  120_000,
);

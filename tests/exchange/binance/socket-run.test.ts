import { expect, test } from "bun:test";
import { FAULT_KINDS, type FaultKind, randomFaults } from "../../../src/exchange/simulated/server/faults.ts";
import { socketRun } from "./socket-run.ts";

const DURATION = 5000;
/** What is over in a moment: bans, and silence that is waited for, are the campaign's. */
const KINDS: readonly FaultKind[] = [
  "response-lost",
  "unknown",
  "partial-fill",
  "stream-drop",
  "stream-duplicate",
  "disconnect",
  "listen-key-expiry",
];

test("over sockets, after lost answers and lost events, both books agree exactly", async () => {
  const script = randomFaults(2, { duration: DURATION, count: 12, kinds: KINDS });
  const { violation, entries, mostPasses } = await socketRun(2, DURATION, { name: "mixture", script });
  expect(violation).toBeUndefined();
  expect(entries).toBeGreaterThan(0);
  expect(mostPasses).toBeLessThanOrEqual(3);
});

// One seed of a one-way account, one of an account in hedge mode.
test.each([3, 3 + 2 * FAULT_KINDS.length])(
  "over sockets, a short that somebody else holds is adopted, protected and closed, and both books agree: seed %d",
  async (seed) => {
    const quiet = { name: "nothing", script: { faults: [] } };
    const { violation, adoptions, mostPasses } = await socketRun(seed, 1000, quiet, "adopt");
    expect(violation).toBeUndefined();
    expect(adoptions).toBe(1);
    expect(mostPasses).toBeLessThanOrEqual(3);
  },
);

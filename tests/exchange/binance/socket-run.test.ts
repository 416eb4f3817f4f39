import { expect, test } from "bun:test";
import { type FaultKind, randomFaults } from "../../../src/exchange/simulated/server/faults.ts";
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
}, 120_000);

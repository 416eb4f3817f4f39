import { killedAt } from "../../tests/exchange/binance/kill-matrix.ts";
import type { Campaign } from "./campaign.ts";

/** Requests and words of the exchange in the life of a position, in and out. */
const SENDS = 9;
const WORDS = 10;
/** A restart must have come to terms with the exchange within this, ms and passes. */
const CONVERGED = 10_000;
const PASSES = 3;

const STEPS: readonly string[] = [
  ...Array.from({ length: SENDS }, (_, index) => [`send:${index + 1}:before`, `send:${index + 1}:after`]).flat(),
  ...Array.from({ length: WORDS }, (_, index) => `event:${index + 1}`),
];

/** A trader over sockets, killed at each step of a position's life and started again; --from and --seeds choose steps. */
export const kill: Campaign = {
  help: "a trader over sockets, killed (SIGKILL) at each step of a position's life and started again",
  async run({ seeds, from }, progress) {
    const totals = { steps: 0, notReached: 0, mostPasses: 0, slowestMs: 0, violations: 0 };
    const trouble: string[] = [];
    for (const step of STEPS.slice(from, from + seeds)) {
      const { died, passes, converged, wrong } = await killedAt(step);
      totals.steps++;
      progress(`${step}: ${died ? `${passes} passes, ${converged} ms` : "not reached"}`);
      if (!died) {
        totals.notReached++;
        continue;
      }
      if (passes > totals.mostPasses) totals.mostPasses = passes;
      if (converged > totals.slowestMs) totals.slowestMs = converged;
      const late = passes > PASSES || converged > CONVERGED ? [`${passes} passes, ${converged} ms`] : [];
      trouble.push(...[...wrong, ...late].map((text) => `${step}: ${text}`));
    }
    totals.violations = trouble.length;
    return { totals, trouble: trouble.length === 0 ? undefined : trouble.join("\n") };
  },
};

import { killedAt, wholeLife } from "../../tests/exchange/binance/kill-matrix.ts";
import type { Campaign } from "./campaign.ts";

/** A restart must have come to terms with the exchange within this: ms, passes, request weight of a minute. */
const CONVERGED = 10_000;
const PASSES = 3;
const WEIGHT = 1920;
/** A step that was not reached is tried again: whose cancellation is first on the way out is a race, and lives differ. */
const ATTEMPTS = 3;

/** Before and after each request that leaves in the life of a position, in and out, and at each word of the exchange. */
function stepsOf({ sends, words }: { readonly sends: number; readonly words: number }): string[] {
  return [
    ...Array.from({ length: sends }, (_, index) => [`send:${index + 1}:before`, `send:${index + 1}:after`]).flat(),
    ...Array.from({ length: words }, (_, index) => `event:${index + 1}`),
  ];
}

/** A trader over sockets, killed at each step of a position's life and started again; --from and --seeds choose steps. */
export const kill: Campaign = {
  help: "a trader over sockets, killed (SIGKILL) at each step of a position's life and started again",
  async run({ seeds, from }, progress) {
    const totals = { steps: 0, notReached: 0, mostPasses: 0, slowestMs: 0, mostWeight: 0, violations: 0 };
    const trouble: string[] = [];
    const life = await wholeLife();
    progress(`a life of ${life.sends} requests and ${life.words} words of the exchange`);
    for (const step of stepsOf(life).slice(from, from + seeds)) {
      let killed = await killedAt(step);
      for (let attempt = 1; attempt < ATTEMPTS && !killed.died; attempt++) killed = await killedAt(step);
      const { died, passes, converged, weight, wrong } = killed;
      totals.steps++;
      progress(`${step}: ${died ? `${passes} passes, ${converged} ms, weight ${weight}` : "not reached"}`);
      if (!died) {
        totals.notReached++;
        trouble.push(`${step}: not reached in ${ATTEMPTS} lives`);
        continue;
      }
      if (weight > totals.mostWeight) totals.mostWeight = weight;
      if (passes > totals.mostPasses) totals.mostPasses = passes;
      if (converged > totals.slowestMs) totals.slowestMs = converged;
      const isLate = passes > PASSES || converged > CONVERGED || weight > WEIGHT;
      const late = isLate ? [`${passes} passes, ${converged} ms, weight ${weight}`] : [];
      trouble.push(...[...wrong, ...late].map((text) => `${step}: ${text}`));
    }
    totals.violations = trouble.length;
    return { totals, trouble: trouble.length === 0 ? undefined : trouble.join("\n") };
  },
};

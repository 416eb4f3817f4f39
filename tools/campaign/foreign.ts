import { ExchangeRun } from "../../tests/exchange/binance/exchange-run.ts";
import { createWorld } from "../../tests/simulation/world.ts";
import type { Campaign } from "./campaign.ts";

/** What the setting says becomes of somebody else's positions, what else they do, and how the account is kept. */
const HANDS = [
  { policy: "adopt", closes: false, beside: false, hedge: false },
  { policy: "adopt", closes: true, beside: false, hedge: false },
  { policy: "flatten", closes: false, beside: false, hedge: false },
  { policy: "adopt", closes: false, beside: false, hedge: true },
  { policy: "flatten", closes: true, beside: true, hedge: true },
  { policy: "ignore", closes: true, beside: true, hedge: true },
] as const;

/** Somebody else trades on the account: each seed once for each of them, in the same world with the same faults. */
export const foreign: Campaign = {
  help: "somebody else opens and closes positions on the account, which are adopted or flattened (tests/exchange/binance)",
  async run({ seeds, from }, progress) {
    const totals: Record<string, number> = { seeds: 0, opened: 0, adopted: 0, flattened: 0, crashes: 0, violations: 0 };
    let longest = 0;
    let trouble: string | undefined;
    for (let seed = from; seed < from + seeds && trouble === undefined; seed++) {
      for (const hand of HANDS) {
        const outcome = await new ExchangeRun(createWorld(seed), undefined, hand, hand.hedge).run();
        const { crashes, violation, longestNaked } = outcome;
        for (const [name, count] of Object.entries({ ...outcome.foreign, crashes }))
          totals[name] = totals[name]! + count;
        if (longestNaked > longest) longest = longestNaked;
        if (violation === undefined) continue;
        totals["violations"] = 1;
        const again = `bun run campaign foreign --from ${seed} --seeds 1`;
        trouble = [
          ...violation.last,
          `seed ${seed}, ${JSON.stringify(hand)}: ${violation.text}`,
          `again: ${again}`,
        ].join("\n");
        break;
      }
      totals["seeds"] = totals["seeds"]! + 1;
      progress(`${totals["seeds"]} of ${seeds} seeds, ${totals["adopted"]} adopted`);
    }
    return { totals: { ...totals, longestUnprotectedMs: longest }, trouble };
  },
};

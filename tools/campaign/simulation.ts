import { simulate } from "../../tests/simulation/simulation.ts";
import { createWorld } from "../../tests/simulation/world.ts";
import type { Campaign } from "./campaign.ts";

/** Invented worlds one after the other until one breaks an invariant. */
export const simulation: Campaign = {
  help: "invented worlds with bad weather and crashes, one per seed (tests/simulation)",
  run({ seeds, from }, progress) {
    const totals = {
      seeds: 0,
      events: 0,
      fills: 0,
      rested: 0,
      cut: 0,
      wentOn: 0,
      trades: 0,
      crashes: 0,
      violations: 0,
      seconds: 0,
    };
    const begun = performance.now();
    let trouble: string | undefined;
    for (let seed = from; seed < from + seeds && trouble === undefined; seed++) {
      const { events, fills, rested, cut, wentOn, trades, crashes, violation } = simulate(createWorld(seed));
      totals.seeds++;
      totals.events += events;
      totals.fills += fills;
      totals.rested += rested;
      totals.cut += cut;
      totals.wentOn += wentOn;
      totals.trades += trades;
      totals.crashes += crashes;
      if (violation !== undefined) {
        totals.violations++;
        const again = `SEED=${seed} bun test tests/simulation`;
        trouble = [...violation.last, `seed ${seed}: ${violation.text}`, `again: ${again}`].join("\n");
      }
      progress(`${totals.seeds} of ${seeds} seeds, ${totals.events} events, ${totals.crashes} crashes`);
    }
    totals.seconds = Math.round((performance.now() - begun) / 1000);
    return { totals, trouble };
  },
};

import { recorded } from "../../tests/recorded.ts";
import { RECORDED, recordedWorld } from "../../tests/simulation/recorded-world.ts";
import { killedAgainAndAgain, killedAt } from "../../tests/simulation/restart.ts";
import { simulate } from "../../tests/simulation/simulation.ts";
import type { Campaign } from "./campaign.ts";

/** A recorded run, killed once at each of its events, and once more at all of them. */
export const restart: Campaign = {
  help: "a run on recorded bars, killed and restarted at every event; --from and --seeds choose the events",
  async run({ seeds, from }, progress) {
    const dir = recorded(RECORDED);
    if (dir === undefined) return { totals: { runs: 0 }, trouble: `recorded data is absent: ${RECORDED}` };
    const { world, tradesHash } = await recordedWorld(dir);
    const whole = simulate(world);
    if (whole.tradesHash !== tradesHash) return { totals: { runs: 1 }, trouble: "the simulation is not the backtest" };
    const last = Math.min(from + seeds, whole.events);
    let runs = 0;
    for (let event = Math.max(from, 1); event <= last; event++) {
      const difference = killedAt(world, whole, event);
      runs++;
      if (difference !== undefined) {
        return { totals: { runs, differences: 1 }, trouble: JSON.stringify(difference, undefined, 2) };
      }
      progress(`${event} of ${last} events`);
    }
    progress("and one run that is killed at every event");
    const difference = killedAgainAndAgain(world, whole, 1);
    const totals = { runs: runs + 1, events: whole.events, trades: whole.trades, differences: difference ? 1 : 0 };
    return { totals, trouble: difference && JSON.stringify(difference, undefined, 2) };
  },
};

import { KINDS } from "../../tests/store/database.ts";
import { FAULTS, type Outcome, survive } from "../../tests/store/faults.ts";
import type { Campaign } from "./campaign.ts";

/** Every so many runs on a server one is on the embedded store. */
const EMBEDDED_EVERY = 4;

/** Recorded runs, one per seed, that are killed, cut off, torn and starved in turn. */
export const store: Campaign = {
  help: "recorded runs that are killed or lose their database; a server too where PENSTOCK_TEST_DATABASE names one",
  async run({ seeds, from }, progress) {
    const totals = { runs: 0, kills: 0, rows: 0, acknowledged: 0, damage: 0, violations: 0, seconds: 0 };
    const begun = performance.now();
    const server = KINDS.find(({ name, absent }) => name === "TimescaleDB" && !absent);
    let trouble: string | undefined;
    for (let seed = from; seed < from + seeds && trouble === undefined; seed++) {
      const named = FAULTS[seed % FAULTS.length]!;
      const embedded = server === undefined || named === "database-killed" || seed % EMBEDDED_EVERY === 0;
      // What happens to a connection needs one that goes through a network.
      const fault = embedded && named !== "database-killed" ? "killed" : named;
      const database = embedded ? undefined : await server.create();
      let outcome: Outcome;
      try {
        outcome = await survive(fault, seed, database?.options.databaseUrl ?? "");
      } finally {
        await database?.remove();
      }
      totals.runs++;
      if (fault !== "outage" && fault !== "database-killed") totals.kills++;
      totals.rows += outcome.rows;
      totals.acknowledged += outcome.acknowledged;
      totals.damage += outcome.damage;
      if (outcome.trouble !== undefined) {
        totals.violations++;
        trouble = `seed ${seed}, ${fault} on ${embedded ? "the embedded store" : "a server"}: ${outcome.trouble}`;
      }
      progress(`${totals.runs} of ${seeds} runs, ${totals.rows} rows`);
    }
    totals.seconds = Math.round((performance.now() - begun) / 1000);
    return { totals, trouble };
  },
};

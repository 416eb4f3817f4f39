import { KINDS } from "../../tests/store/database.ts";
import { FAULTS, kills, type Outcome, survive } from "../../tests/store/faults.ts";
import { OwnServer } from "../../tests/store/own-server.ts";
import type { Campaign } from "./campaign.ts";

/** Every so many runs on a server one is on the embedded store. */
const EMBEDDED_EVERY = 4;

/** Recorded runs, one per seed, that are killed, cut off, torn and starved in turn. */
export const store: Campaign = {
  help: "recorded runs that are killed or lose their database; a server too where PENSTOCK_TEST_DATABASE names one",
  async run({ seeds, kills: wanted, from }, progress) {
    const totals = {
      ...{ runs: 0, kills: 0, databaseKills: 0, embedded: 0, rows: 0, acknowledged: 0, damage: 0 },
      ...{ violations: 0, seconds: 0 },
    };
    const begun = performance.now();
    const shared = KINDS.find(({ name, absent }) => name === "TimescaleDB" && !absent);
    // Where one can be had at all, another can be started.
    const own = shared === undefined ? undefined : await OwnServer.start();
    let trouble: string | undefined;
    const enough = () => (wanted === undefined ? totals.runs >= seeds : totals.kills >= wanted);
    try {
      for (let seed = from; !enough() && trouble === undefined; seed++) {
        const named = FAULTS[seed % FAULTS.length]!;
        const onOwn = named === "server-killed" && own !== undefined;
        const turn = Math.floor(seed / FAULTS.length);
        const embedded = !onOwn && (shared === undefined || named === "database-killed" || turn % EMBEDDED_EVERY === 0);
        // What happens to a connection needs one that goes through a network.
        const fault = embedded && named !== "database-killed" ? "killed" : named;
        const database = embedded || onOwn ? undefined : await shared!.create();
        let outcome: Outcome;
        try {
          const url = onOwn ? await own.create() : (database?.options.databaseUrl ?? "");
          outcome = await survive(fault, seed, url, own);
        } finally {
          await database?.remove();
        }
        totals.runs++;
        if (kills(fault)) totals.kills++;
        if (fault.endsWith("-killed")) totals.databaseKills++;
        if (embedded) totals.embedded++;
        totals.rows += outcome.rows;
        totals.acknowledged += outcome.acknowledged;
        totals.damage += outcome.damage;
        if (outcome.trouble !== undefined) {
          totals.violations++;
          const place = embedded ? "the embedded store" : onOwn ? "a server that was killed" : "a server";
          trouble = `seed ${seed}, ${fault} on ${place}: ${outcome.trouble}`;
        }
        const goal = wanted === undefined ? `${totals.runs} of ${seeds} runs` : `${totals.kills} of ${wanted} kills`;
        progress(`${goal}, ${totals.rows} rows`);
      }
    } finally {
      await own?.stop();
    }
    totals.seconds = Math.round((performance.now() - begun) / 1000);
    return { totals, trouble };
  },
};

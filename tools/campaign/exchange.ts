import { FAULT_KINDS } from "../../src/exchange/simulated/server/faults.ts";
import { ExchangeRun } from "../../tests/exchange/binance/exchange-run.ts";
import { type SocketOutcome, socketRun } from "../../tests/exchange/binance/socket-run.ts";
import { ALL_FAULT_NAMES } from "../../tests/exchange/binance/venue-faults.ts";
import { createWorld } from "../../tests/simulation/world.ts";
import type { Campaign, CampaignResult } from "./campaign.ts";

/** The exchange client over a venue with faults: each alone, then mixtures, with crashes in most of the worlds. */
export const exchange: Campaign = {
  help: "the exchange client over a venue in which everything goes wrong, one world per seed (tests/exchange/binance)",
  async run({ seeds, from, sockets }, progress) {
    if (sockets) return overSockets(seeds, from, progress);
    const totals: Record<string, number> = {
      seeds: 0,
      inHedgeMode: 0,
      events: 0,
      entries: 0,
      rested: 0,
      cut: 0,
      wentOn: 0,
      fills: 0,
      crashes: 0,
      comparisons: 0,
      mostPasses: 0,
      longestUnprotectedMs: 0,
    };
    for (const name of ALL_FAULT_NAMES) totals[`fault ${name}`] = 0;
    totals["violations"] = 0;
    let trouble: string | undefined;
    const begun = performance.now();
    for (let seed = from; seed < from + seeds && trouble === undefined; seed++) {
      // Every third world on an account in hedge mode.
      const hedge = seed % 3 === 2;
      const outcome = await new ExchangeRun(createWorld(seed), undefined, undefined, hedge).run();
      if (hedge) totals["inHedgeMode"] = totals["inHedgeMode"]! + 1;
      const { events, entries, rested, cut, wentOn, fills, crashes, comparisons } = outcome;
      const { mostPasses, longestNaked, happened, violation } = outcome;
      const counts = { seeds: 1, events, entries, rested, cut, wentOn, fills, crashes, comparisons };
      for (const [name, count] of Object.entries(counts)) totals[name] = totals[name]! + count;
      for (const [name, count] of happened) totals[`fault ${name}`] = totals[`fault ${name}`]! + count;
      if (mostPasses > totals["mostPasses"]!) totals["mostPasses"] = mostPasses;
      if (longestNaked > totals["longestUnprotectedMs"]!) totals["longestUnprotectedMs"] = longestNaked;
      if (violation !== undefined) {
        totals["violations"] = 1;
        const again = `bun run campaign exchange --from ${seed} --seeds 1`;
        trouble = [...violation.last, `seed ${seed}: ${violation.text}`, `again: ${again}`].join("\n");
      }
      progress(`${totals["seeds"]} of ${seeds} seeds, ${totals["events"]} events, ${totals["crashes"]} crashes`);
    }
    totals["seconds"] = Math.round((performance.now() - begun) / 1000);
    return { totals, trouble };
  },
};

/** Worlds that are played side by side: each waits most of its time. */
const AT_ONCE = 16;

/** The same client over real sockets, on the simulated exchange with its own faults; it takes wall time. */
async function overSockets(seeds: number, from: number, progress: (text: string) => void): Promise<CampaignResult> {
  const totals: Record<string, number> = {
    seeds: 0,
    events: 0,
    entries: 0,
    rested: 0,
    wentOn: 0,
    fills: 0,
    comparisons: 0,
    mostPasses: 0,
    longestUnprotectedMs: 0,
    slowestConvergenceMs: 0,
  };
  // One that never struck is named with a 0.
  const strikes = new Map<string, number>(FAULT_KINDS.map((kind) => [kind, 0]));
  const trouble: string[] = [];
  const begun = performance.now();
  const take = ({ seed, faults, violation, ...outcome }: SocketOutcome) => {
    const { events, entries, rested, wentOn, fills, comparisons, mostPasses, longestNaked, converged } = outcome;
    for (const [name, count] of Object.entries({ seeds: 1, events, entries, rested, wentOn, fills, comparisons })) {
      totals[name] = totals[name]! + count;
    }
    const most = { mostPasses, longestUnprotectedMs: longestNaked, slowestConvergenceMs: converged };
    for (const [name, value] of Object.entries(most)) if (value > totals[name]!) totals[name] = value;
    for (const [kind, count] of outcome.strikes) strikes.set(kind, (strikes.get(kind) ?? 0) + count);
    if (violation !== undefined) {
      const again = `again: bun run campaign exchange --sockets --from ${seed} --seeds 1`;
      trouble.push(`seed ${seed} (${faults}): ${violation}\n${again}`);
    }
    progress(`${totals["seeds"]} of ${seeds} seeds, ${totals["events"]} events`);
  };
  let next = from;
  const play = async () => {
    while (next < from + seeds) take(await socketRun(next++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, play));
  for (const [kind, count] of [...strikes].sort()) totals[`fault ${kind}`] = count;
  totals["violations"] = trouble.length;
  totals["seconds"] = Math.round((performance.now() - begun) / 1000);
  return { totals, trouble: trouble.length === 0 ? undefined : trouble.join("\n") };
}

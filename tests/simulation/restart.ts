import { type Outcome, simulate } from "./simulation.ts";
import type { Crash, World } from "./world.ts";

/** A run that did not end as the one without a crash. */
export interface Difference {
  readonly crash: Crash;
  readonly expected: Pick<Outcome, "book" | "tradesHash">;
  readonly got: Pick<Outcome, "book" | "tradesHash" | "violation">;
}

/**
 * Where a process can die in the middle of an event: before the core saw it, after its first effect was written but had
 * not left, after it had left, and after everything.
 */
const DEATHS: readonly Pick<Crash, "effects" | "performed">[] = [
  { effects: -1, performed: false },
  { effects: 1, performed: false },
  { effects: 1, performed: true },
  { effects: Number.POSITIVE_INFINITY, performed: true },
];

/** What a run that is killed at its `event`th event must end as, and how it did; undefined when they are the same. */
export function killedAt(world: World, whole: Outcome, event: number): Difference | undefined {
  const crash: Crash = { event, downtime: 0, ...DEATHS[event % DEATHS.length]! };
  return compared({ ...world, crashes: [crash] }, whole, crash);
}

/** One run whose process is killed at every `stride`th event. */
export function killedAgainAndAgain(world: World, whole: Outcome, stride: number): Difference | undefined {
  const crashes: Crash[] = [];
  for (let event = 1; event <= whole.events; event += stride) {
    crashes.push({ event, downtime: 0, ...DEATHS[crashes.length % DEATHS.length]! });
  }
  return compared({ ...world, crashes }, whole, crashes[0]!);
}

function compared(world: World, whole: Outcome, crash: Crash): Difference | undefined {
  const got = simulate(world);
  const same = got.book === whole.book && got.tradesHash === whole.tradesHash && got.violation === undefined;
  if (same && got.crashes === world.crashes.length) return undefined;
  return { crash, expected: whole, got };
}

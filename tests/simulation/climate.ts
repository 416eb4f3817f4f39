import type { Random } from "../../src/market/random.ts";

/** A time in which no request and no word about our orders comes through [25, 26]: what came in waits, what left is lost. */
export interface Outage {
  readonly from: number;
  readonly to: number;
  /** Bars stay out too; otherwise the trader keeps seeing the market that it cannot reach. */
  readonly feed: boolean;
}

/**
 * How messages fare between trader and exchange: chances per message from 0 to 1, times in ms. The numbers in brackets
 * are rows of the fault catalogue that a trader on a real exchange must live with.
 */
export interface Climate {
  /** A message takes longer than no time at all, and then up to this long; one in twenty up to ten times as long. */
  readonly delay: number;
  readonly longest: number;
  /** An answer, fill or bar is told twice [21]. */
  readonly duplicate: number;
  /** A request is refused before it reaches the matching engine [5]. */
  readonly refuse: number;
  /** A request is answered by nothing: it may have arrived or not, which shows later [1, 4]. */
  readonly unknown: number;
  /** A fill is told in several parts [19]. */
  readonly split: number;
  /** A stop that stands is taken away by the exchange without a reason [12]. */
  readonly vanish: number;
  readonly outages: readonly Outage[];
  /** From here on the weather is fine. */
  readonly until: number;
}

export const CALM: Climate = {
  delay: 0,
  longest: 0,
  duplicate: 0,
  refuse: 0,
  unknown: 0,
  split: 0,
  vanish: 0,
  outages: [],
  until: 0,
};

/** Each fault is there or not, so that seeds differ in kind; where it is, it may be rare or common. */
export function drawClimate(random: Random, start: number, until: number): Climate {
  const some = (most: number) => {
    const there = random.chance(0.5);
    const much = random.uniform();
    return there ? most * much * much : 0;
  };
  const outages: Outage[] = [];
  if (random.chance(0.3)) {
    for (let from = start + random.whole(0, 3_000_000); from < until; from += random.whole(1_000, 3_000_000)) {
      const to = from + random.whole(1, random.chance(0.5) ? 2_000 : 200_000);
      outages.push({ from, to: to < until ? to : until, feed: random.chance(0.5) });
      from = to;
    }
  }
  return {
    delay: some(1),
    longest: random.chance(0.5) ? 200 : random.whole(1, 30_000),
    duplicate: some(0.5),
    refuse: some(0.3),
    unknown: some(0.5),
    split: some(0.8),
    vanish: some(0.5),
    outages,
    until,
  };
}

import type { Random } from "../../../src/market/random.ts";

/** What goes wrong at a venue and on the way to it. Chances from 0 to 1; nothing goes wrong from `until` on. */
export interface VenueFaults {
  readonly until: number;
  /** A request to place is lost on its way; the answer is, after it was carried out; or it is carried out seconds later. */
  readonly lost: number;
  readonly answerLost: number;
  readonly late: number;
  /** Refused as busy without having been carried out, and in spite of it. */
  readonly busy: number;
  readonly busyButDone: number;
  readonly withheld: number;
  readonly clock: number;
  /** Cancellations and questions without an answer; cancellations that were carried out all the same. */
  readonly silence: number;
  /** A question about an order that is there is answered with "does not exist"; of conditional orders too. */
  readonly denied: number;
  /** Account events that never come, come twice, come late. */
  readonly eventLost: number;
  readonly eventTwice: number;
  readonly eventLate: number;
  /** Per bar: the account stream breaks for some seconds, and nothing of them is told. */
  readonly outage: number;
  /** Per bar and conditional order: it hangs in TRIGGERING and protects nothing; it is taken away without a word. */
  readonly stuck: number;
  readonly vanish: number;
  /** Fills in parts. */
  readonly split: number;
  /** Whether a triggered order keeps our id, and whether it names its conditional order. */
  readonly bornSameId: boolean;
  readonly bornNamed: boolean;
  /** Whether closing orders are taken while nothing is held. */
  readonly probesTaken: boolean;
}

export type FaultName = Exclude<keyof VenueFaults, "until" | "bornSameId" | "bornNamed" | "probesTaken">;

export const FAULT_NAMES: readonly FaultName[] = [
  "lost",
  "answerLost",
  "late",
  "busy",
  "busyButDone",
  "withheld",
  "clock",
  "silence",
  "denied",
  "eventLost",
  "eventTwice",
  "eventLate",
  "outage",
  "stuck",
  "vanish",
  "split",
];

const NONE = Object.fromEntries(FAULT_NAMES.map((name) => [name, 0])) as Record<FaultName, number>;

/** How often a fault happens when it is drawn. */
const USUAL: Readonly<Record<FaultName, number>> = {
  lost: 0.2,
  answerLost: 0.3,
  late: 0.2,
  busy: 0.3,
  busyButDone: 0.2,
  withheld: 0.3,
  clock: 0.2,
  silence: 0.3,
  denied: 0.3,
  eventLost: 0.2,
  eventTwice: 0.4,
  eventLate: 0.4,
  outage: 0.05,
  stuck: 0.01,
  vanish: 0.01,
  split: 0.5,
};

/** The seed's faults: one alone for the first seeds of each round, a mixture for the others. */
export function drawFaults(seed: number, random: Random, until: number): VenueFaults {
  const round = seed % (2 * FAULT_NAMES.length);
  const alone = FAULT_NAMES[round];
  const chances = { ...NONE };
  for (const name of FAULT_NAMES) {
    const drawn = alone === undefined ? random.chance(0.4) : name === alone;
    const share = random.between(0.2, 1);
    if (drawn) chances[name] = USUAL[name] * share;
  }
  return {
    ...chances,
    until,
    bornSameId: random.chance(0.5),
    bornNamed: random.chance(0.5),
    probesTaken: random.chance(0.5),
  };
}

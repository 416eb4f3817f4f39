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
  /** A request to place is refused with one of the codes that there are, and nothing was carried out. */
  readonly refused: number;
  /** Per bar, for some seconds: 451; 418; everything that changes something is refused and the stream is down. */
  readonly restricted: number;
  readonly banned: number;
  readonly maintenance: number;
  /** Per bar and position: the exchange deleverages it. */
  readonly adl: number;
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

/** Faults that came later: they have seeds of their own, so that those which have found something keep their weather. */
export const LATER_FAULT_NAMES: readonly FaultName[] = ["refused", "restricted", "banned", "maintenance", "adl"];
export const ALL_FAULT_NAMES: readonly FaultName[] = [...FAULT_NAMES, ...LATER_FAULT_NAMES];

/** Seeds come in blocks of so many, and every fifth block has the later faults as well. */
const BLOCK = 2 * FAULT_NAMES.length;
const LATER = { every: 5, at: 4 } as const;

/** The first `count` seeds at which a fault is alone. */
export function seedsOf(fault: FaultName, count: number): number[] {
  const isLater = LATER_FAULT_NAMES.includes(fault);
  const place = (isLater ? LATER_FAULT_NAMES : FAULT_NAMES).indexOf(fault);
  const seeds: number[] = [];
  for (let block = 0; seeds.length < count; block++) {
    if ((block % LATER.every === LATER.at) === isLater) seeds.push(block * BLOCK + place);
  }
  return seeds;
}

const NONE = Object.fromEntries(ALL_FAULT_NAMES.map((name) => [name, 0])) as Record<FaultName, number>;

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
  refused: 0.3,
  restricted: 0.03,
  banned: 0.03,
  maintenance: 0.03,
  adl: 0.1,
};

/** The seed's faults: one alone for the first seeds of each round, a mixture for the others. */
export function drawFaults(seed: number, random: Random, until: number): VenueFaults {
  const isLater = Math.floor(seed / BLOCK) % LATER.every === LATER.at;
  const alone = (isLater ? LATER_FAULT_NAMES : FAULT_NAMES)[seed % BLOCK];
  const chances = { ...NONE };
  for (const name of isLater ? ALL_FAULT_NAMES : FAULT_NAMES) {
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

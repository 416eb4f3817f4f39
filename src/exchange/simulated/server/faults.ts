import { Random } from "../../../market/random.ts";

/**
 * Everything that can go wrong, by name. What a fault hits: "request" REST and WS API calls, "stream" what is sent on
 * stream connections, "market" the exchange itself.
 */
export const FAULTS = {
  /** Arrives `ms` later. */
  "request-delay": "request",
  /** Is carried out at once, and answered `ms` later. */
  "response-delay": "request",
  /** Never arrives; the client hears nothing. */
  "request-lost": "request",
  /** Is carried out, and the client hears nothing. */
  "response-lost": "request",
  /** Is refused with `status`, `code`, `message`, and `retryAfter` seconds where given; nothing is carried out. */
  refusal: "request",
  /** 503, execution unknown; `executed` says whether it was (it was, if nothing is said). */
  unknown: "request",
  /** 503 with code -1007 instead. */
  "backend-timeout": "request",
  /** 503 with code -1008; `executed` as above, but not, if nothing is said. */
  overloaded: "request",
  /** 503 "Service Unavailable.": failed. */
  unavailable: "request",
  /** 403 with a page instead of JSON. */
  forbidden: "request",
  /** 451: the place is not served. */
  restricted: "request",
  /** 418 with Retry-After for `ms`. */
  ban: "market",
  /** The weight of this minute is used up: 429, and 418 for whoever goes on. */
  "weight-exhausted": "market",
  "stream-delay": "stream",
  "stream-drop": "stream",
  "stream-duplicate": "stream",
  /** A message comes after the one that follows it. */
  "stream-reorder": "stream",
  /** Connections stay, messages do not come. */
  "stream-silent": "stream",
  /** Connections are closed with 1001. */
  disconnect: "market",
  /** Connections stay, and nothing passes in either direction, not even pongs (needs the relay). */
  "half-open": "market",
  /** The exchange's clock is `ms` ahead. */
  "clock-skew": "market",
  "listen-key-expiry": "market",
  /** Final klines come `ms` late. */
  "kline-late": "market",
  /** Closed klines are missing, on the streams and over REST. */
  "kline-gap": "market",
  /** Matches fill `share` of an order, and no more at that moment. */
  "partial-fill": "market",
  /** Conditional orders that trigger stay TRIGGERING; in a market of ticks for good, with bars until the fault ends. */
  "stuck-triggering": "market",
  /** Conditional orders are placed and cannot be found for `ms`. */
  "algo-lost": "market",
  /** An open conditional order is cancelled, and nobody knows why. */
  "algo-vanished": "market",
  /** Conditional orders whose position is gone stay, and are rejected when their price comes. */
  "algo-orphaned": "market",
  /** Orders cannot be queried for `ms` after they were placed. */
  "order-hidden": "market",
  /** Reducing orders are refused with -2022. */
  "reduce-only-rejected": "market",
  /** A position is deleveraged. */
  adl: "market",
  /** A trade of the insurance fund far from the market, on the trade stream alone. */
  "insurance-print": "market",
  /** Connections are closed; what changes anything is refused with -1016. */
  maintenance: "market",
} as const;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];

/** One fault of a script. */
export interface Fault {
  readonly kind: FaultKind;
  /** When it begins, ms after the script was started; 0 by default. */
  readonly at?: number;
  /** How long it lasts, ms; until it is used up or cleared by default. What happens once happens at `at`. */
  readonly for?: number;
  /** How often it strikes at most. */
  readonly count?: number;
  /** Chance that it strikes where it could; 1 by default. */
  readonly chance?: number;
  /** Requests that it concerns: the beginning of "METHOD path", such as "POST /fapi/v1/order". All by default. */
  readonly route?: string;
  /** Streams that it concerns: "user", "market", "public", or a part of a name such as "@kline". All by default. */
  readonly stream?: string;
  readonly ms?: number;
  readonly share?: number;
  readonly status?: number;
  readonly code?: number;
  readonly message?: string;
  readonly retryAfter?: number;
  readonly executed?: boolean;
  readonly symbol?: string;
}

export interface FaultScript {
  /** Of all draws of the script. */
  readonly seed?: number;
  /** Which clock `at` and `for` are read on: the exchange's own, or the market's. */
  readonly clock?: "exchange" | "market";
  readonly faults: readonly Fault[];
}

const NUMBERS = ["at", "for", "count", "chance", "ms", "share", "status", "code", "retryAfter"] as const;
const TEXTS = ["route", "stream", "message", "symbol"] as const;

/** Reads a script. @throws RangeError naming the fault and what is wrong with it */
export function readScript(json: unknown): FaultScript {
  const { seed = 0, clock = "exchange", faults, ...others } = (json ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw new RangeError(`a fault script has no "${unknown}"; it has seed, clock, faults`);
  if (!Number.isSafeInteger(seed))
    throw new RangeError(`seed: a whole number is expected, not ${JSON.stringify(seed)}`);
  if (clock !== "exchange" && clock !== "market") throw new RangeError('clock: "exchange" or "market"');
  if (!Array.isArray(faults)) throw new RangeError("faults: a list is expected");
  return { seed: seed as number, clock, faults: faults.map((fault, index) => readFault(fault, `faults[${index}]`)) };
}

function readFault(json: unknown, where: string): Fault {
  const fault = (json ?? {}) as Record<string, unknown>;
  const { kind } = fault;
  if (!FAULT_KINDS.includes(kind as FaultKind)) {
    throw new RangeError(`${where}: kind ${JSON.stringify(kind)} is unknown; there are ${FAULT_KINDS.join(", ")}`);
  }
  for (const [name, value] of Object.entries(fault)) {
    if (name === "kind") continue;
    if (name === "executed" && typeof value === "boolean") continue;
    if (TEXTS.includes(name as never) && typeof value === "string") continue;
    if (NUMBERS.includes(name as never) && typeof value === "number" && Number.isFinite(value)) continue;
    throw new RangeError(`${where}: ${name} = ${JSON.stringify(value)} is not understood`);
  }
  return fault as unknown as Fault;
}

/** What a seeded script is made of. */
export interface RandomFaultOptions {
  /** Length of the run, ms. */
  readonly duration: number;
  /** Faults in it. */
  readonly count: number;
  /** All by default. */
  readonly kinds?: readonly FaultKind[];
  readonly clock?: "exchange" | "market";
}

/** Needs a relay, so that a random mixture has it only where it is asked for. */
const NEVER_MIXED: readonly FaultKind[] = ["half-open"];

/** What a seeded script refuses orders with: codes of filters, margin, price bands, stops and settings. */
const REFUSALS: readonly (readonly [code: number, message: string])[] = [
  [-1015, "Too many new orders."],
  [-1111, "Precision is over the maximum defined for this asset."],
  [-2010, "NEW_ORDER_REJECTED"],
  [-2019, "Margin is insufficient."],
  [-2020, "Unable to fill."],
  [-2021, "Order would immediately trigger."],
  [-2022, "ReduceOnly Order is rejected."],
  [-4118, "ReduceOnly Order Failed. Please check your existing position and open orders"],
  [-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit"],
  [-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)"],
  [-4192, "Trade forbidden due to Cooling-off Period."],
];

/** A script out of a seed: the same seed and options give the same faults on every machine. */
export function randomFaults(seed: number, options: RandomFaultOptions): FaultScript {
  const random = new Random(seed, 0xfa17);
  const kinds = options.kinds ?? FAULT_KINDS.filter((kind) => !NEVER_MIXED.includes(kind));
  const faults = Array.from({ length: options.count }, (): Fault => {
    const kind = kinds[random.whole(0, kinds.length - 1)]!;
    const at = Math.floor(random.uniform() * options.duration);
    const base = { kind, at, chance: random.chance(0.5) ? 1 : random.between(0.1, 0.9) };
    const lasting = { ...base, for: random.whole(1, 30) * 1000 };
    switch (kind) {
      case "request-delay":
      case "response-delay":
      case "stream-delay":
      case "kline-late":
        return { ...lasting, ms: random.whole(50, 24_000) };
      case "request-lost":
      case "response-lost":
      case "unknown":
      case "backend-timeout":
      case "overloaded":
        return { ...lasting, count: random.whole(1, 3), route: "POST", executed: random.chance(0.5) };
      case "refusal": {
        const [code, message] = REFUSALS[random.whole(0, REFUSALS.length - 1)]!;
        return { ...lasting, count: random.whole(1, 3), route: "POST", status: 400, code, message };
      }
      case "unavailable":
      case "restricted":
      case "forbidden":
      case "reduce-only-rejected":
        return { ...lasting, count: random.whole(1, 3) };
      case "ban":
        return { ...base, chance: 1, ms: random.whole(5, 120) * 1000 };
      case "clock-skew":
        return { ...lasting, ms: random.whole(-10_000, 10_000) };
      case "partial-fill":
        return { ...lasting, share: random.between(0.1, 0.9) };
      case "algo-lost":
      case "order-hidden":
        return { ...lasting, count: random.whole(1, 3), ms: random.whole(1, 15) * 1000 };
      case "disconnect":
      case "listen-key-expiry":
      case "adl":
      case "algo-vanished":
      case "insurance-print":
      case "weight-exhausted":
        return { ...base, chance: 1, count: 1 };
      default:
        return lasting;
    }
  });
  return { seed, clock: options.clock ?? "exchange", faults };
}

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { createWorld } from "../../simulation/world.ts";
import type { ExchangeOutcome, ExchangeRun } from "./exchange-run.ts";

/** A bug as somebody could write it into the exchange client, and the invariants of which one must be seen broken. */
export interface PlantedBug {
  readonly name: string;
  readonly file: string;
  /** Text that stands there, and the text that takes its place. */
  readonly from: string;
  readonly to: string;
  readonly breaks: readonly string[];
}

const CLIENT = "src/exchange/binance";

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "no answer is taken for a refusal",
    file: `${CLIENT}/order-desk.ts`,
    from: 'case "unknown":\n        record.unknown = true;',
    to: 'case "unknown":\n        return this.#concluded(record, "rejected", 0, outcome.reason);\n        record.unknown = true;',
    breaks: ["every order ends exactly once", "nothing breaks", "positions are the sum of fills"],
  },
  {
    name: "an order that is not found at once counts as never placed",
    file: `${CLIENT}/order-desk.ts`,
    from: "if (asked < this.#provenFrom(record)) return false;",
    to: "",
    breaks: ["every order ends exactly once", "no entry is doubled"],
  },
  {
    name: "a fill that is told twice is booked twice",
    file: `${CLIENT}/order-record.ts`,
    from: "if (record.trades.has(trade.trade)) return;",
    to: "",
    breaks: [
      "the ledger balances",
      "nothing breaks",
      "every order ends exactly once",
      "fills stay within the order",
      "books agree when quiet",
      "the books come together",
      "reduce-only never opens",
    ],
  },
  {
    name: "an end is told before the fills that are missing",
    file: `${CLIENT}/order-record.ts`,
    from: "if (record.over || end === undefined || lacksFills(record)) return;",
    to: "if (record.over || end === undefined) return;",
    breaks: ["every order ends exactly once", "nothing breaks", "an entry opens"],
  },
  {
    name: "a cancellation that has left counts as done",
    file: `${CLIENT}/order-desk.ts`,
    from: "    if (record.over) return;\n    const { clock, schedule, times } = this.#options;\n    const now = clock();",
    to: '    if (record.over) return;\n    if (record.request.purpose === "entry") return this.#concluded(record, "cancelled", 0, "");\n    const { clock, schedule, times } = this.#options;\n    const now = clock();',
    breaks: ["every order ends exactly once", "no more is opened than decided", "no double order"],
  },
  {
    name: "nobody reads the trades that no event told of",
    file: `${CLIENT}/reconciler.ts`,
    from: "if (isTold(symbol, trade.tradeId) || desk.trade(trade)) continue;",
    to: "continue;",
    breaks: [
      "the ledger balances",
      "books agree when quiet",
      "the books come together",
      "every order ends exactly once",
      "no unprotected position beyond the bound",
      "what was asked to be flat is flat",
      "reduce-only never opens",
    ],
  },
  {
    name: "funding that nobody told of is forgotten",
    file: `${CLIENT}/reconciler.ts`,
    from: "        fund(symbol, amount);\n",
    to: "",
    breaks: ["books agree when quiet", "the ledger balances"],
  },
  {
    name: "a restart does not ask what became of the orders",
    file: `${CLIENT}/recovered.ts`,
    from: "orders: [...this.#orders.values()].map(",
    to: "orders: ([] as OrderRecord[]).map(",
    breaks: [
      "every order ends exactly once",
      "books agree when quiet",
      "no unprotected position beyond the bound",
      "nothing breaks",
      "the ledger balances",
      "reduce-only never opens",
      "the books come together",
    ],
  },
  {
    name: "a restart looks back to its last event only",
    file: `${CLIENT}/recovered.ts`,
    from: "prices: [...this.#prices],\n      since: this.#since,",
    to: "prices: [...this.#prices],\n      since: this.#time,",
    breaks: [
      "the ledger balances",
      "books agree when quiet",
      "every order ends exactly once",
      "reduce-only never opens",
    ],
  },
  {
    name: "a checkpoint forgets the timers that run",
    file: `${CLIENT}/book.ts`,
    from: "for (const [timer, at] of image.timers) book.#timers.set(timer, at);",
    to: "",
    breaks: ["a checkpoint is the book of the replay"],
  },
  {
    name: "the book that is followed shares its orders with the client that works with them",
    file: `${CLIENT}/recovered.ts`,
    from: "({ ...record, trades: new Set(record.trades) })",
    to: "record",
    breaks: ["a checkpoint is the book of the replay"],
  },
];

export interface Caught {
  readonly seed: number;
  readonly invariant: string;
}

interface Simulator {
  readonly ExchangeRun: typeof ExchangeRun;
  readonly createWorld: typeof createWorld;
}

const ROOT = join(import.meta.dir, "..", "..", "..");

/** Plants a bug in a copy of the source and runs seeds from 0 on until it is noticed, at most `seeds` of them. */
export async function hunt({ file, from, to }: PlantedBug, seeds: number): Promise<Caught | undefined> {
  const copy = mkdtempSync(join(tmpdir(), "penstock-planted-"));
  try {
    for (const part of ["src", "package.json", "tests/simulation", "tests/exchange/binance"]) {
      cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    }
    const path = join(copy, file);
    const text = readFileSync(path, "utf8");
    if (!text.includes(from)) throw new Error(`${file} has changed: there is no "${from}" to plant a bug in`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
    const load = (name: string) => import(join(copy, "tests", name));
    const simulator: Simulator = {
      ...(await load("exchange/binance/exchange-run.ts")),
      ...(await load("simulation/world.ts")),
    };
    for (let seed = 0; seed < seeds; seed++) {
      const outcome: ExchangeOutcome = await new simulator.ExchangeRun(simulator.createWorld(seed)).run();
      if (outcome.violation !== undefined) return { seed, invariant: outcome.violation.invariant };
    }
    return undefined;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome, Plant } from "./simulation.ts";
import type { World, WorldOptions } from "./world.ts";

/** A bug as somebody could write it: a change of the source, or of what the process does when it comes back. */
export interface PlantedBug {
  readonly name: string;
  readonly source?: {
    readonly file: string;
    /** Text that stands there, and the text that takes its place; the first one unless `everywhere`. */
    readonly from: string;
    readonly to: string;
    readonly everywhere?: boolean;
  };
  readonly plant?: Plant;
  /** Entries at market show most bugs sooner; those of entries that wait need them. */
  readonly entries?: "drawn" | "market";
  /** The invariants of which one must be seen broken. */
  readonly breaks: readonly string[];
}

const STEP = "src/core/step.ts";
const DECIDE = "src/core/decide.ts";
const ENTRY = "src/core/entry.ts";
const PROTECTION = "src/core/protection.ts";
const DESK = "src/exchange/simulated/desk.ts";

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "a fill that is told twice is booked twice",
    source: { file: "src/core/order.ts", from: "order.trades.add(trade);", to: "" },
    breaks: ["the core does not break", "positions are the sum of fills", "the ledger balances"],
  },
  {
    name: "no answer is taken for a refusal",
    source: {
      file: "src/core/order.ts",
      from: 'return state.kind === "sent" ? UNKNOWN : state;',
      to: "return REJECTED;",
    },
    breaks: ["every order ends exactly once", "one working stop with its replacement, one disaster stop"],
  },
  {
    name: "fees are forgotten",
    source: { file: STEP, from: 'post(state.ledger, "wallet", "fees", -fee);', to: "" },
    breaks: ["the ledger balances"],
  },
  {
    name: "funding is forgotten",
    source: { file: STEP, from: 'post(state.ledger, "wallet", "funding", amount);', to: "" },
    breaks: ["the ledger balances"],
  },
  {
    name: "one side of a posting is forgotten",
    source: { file: "src/core/ledger.ts", from: "ledger.balances[from] -= amount;", to: "" },
    breaks: ["the ledger balances"],
  },
  {
    name: "a pause does not stop entries",
    source: { file: STEP, from: 'case "pause":', to: 'case "pause": return;' },
    breaks: ["nothing opens while halted or reduce-only"],
  },
  {
    name: "entries are sent without a connection",
    source: { file: ENTRY, from: "if (!state.connected) return", to: "if (false) return" },
    breaks: ["nothing opens without a connection", "nothing rests while nothing may open"],
  },
  {
    name: "a symbol is entered while orders of its last position stand",
    source: { file: DECIDE, from: "if (left > 0) return", to: "if (false) return" },
    breaks: ["no double order"],
  },
  {
    name: "exposure is not counted",
    source: { file: "src/core/state.ts", from: "    positions.push({", to: "    if (symbol < 0) positions.push({" },
    breaks: ["limits hold"],
  },
  {
    name: "more positions than are allowed",
    source: { file: DECIDE, from: "state.positions.size >= config.maxPositions", to: "false" },
    breaks: ["limits hold"],
  },
  {
    name: "exits may open",
    source: { file: "src/core/state.ts", from: "reduceOnly: !opens && !terms.closePosition", to: "reduceOnly: false" },
    breaks: ["reduce-only never opens"],
  },
  {
    name: "a replaced stop is not cancelled",
    source: { file: PROTECTION, from: "cancel(state, workingStop.old, out);", to: "" },
    breaks: ["one working stop with its replacement, one disaster stop"],
  },
  {
    name: "the old stop goes before the new one is acknowledged",
    source: {
      file: PROTECTION,
      from: 'position.workingStop = { kind: "replacing"',
      to: 'cancel(state, working.order, out); position.workingStop = { kind: "replacing"',
    },
    breaks: ["a stop goes after its successor is acknowledged"],
  },
  {
    name: "nobody acts when protection does not come",
    source: { file: STEP, from: 'case "protection":', to: 'case "protection": return;' },
    breaks: ["no unprotected position beyond the bound"],
  },
  {
    name: "a stop that the exchange took away is not placed again",
    source: {
      file: STEP,
      from: 'if (event.answer !== "rejected") return protect(state, position, out);',
      to: 'if (event.answer !== "rejected") return;',
    },
    breaks: ["no unprotected position beyond the bound"],
  },
  {
    name: "an exit that came to nothing is not tried again",
    source: {
      file: STEP,
      from: 'out.push({ kind: "set-timer", timer: exitTimer(position), at: state.now + EXIT_RETRY_MS });',
      to: "",
      everywhere: true,
    },
    breaks: ["no unprotected position beyond the bound", "what was asked to be flat is flat"],
  },
  {
    name: "flatten does nothing",
    source: {
      file: STEP,
      from: 'case "flatten":\n      return flatten(state, out);',
      to: 'case "flatten":\n      return;',
    },
    breaks: ["what was asked to be flat is flat"],
  },
  {
    name: "a decision depends on something that is not an event",
    source: {
      file: STEP,
      from: "state.events += 1;",
      to: 'state.events += 1; if (state.events > 60 && (globalThis.calls ^= 1)) out.push({ kind: "clear-timer", timer: "cycle" });',
    },
    breaks: ["a journal replays to the identical decisions"],
  },
  {
    name: "the exchange lets a reducing order open",
    source: { file: DESK, from: "if (opposed === 0 && onlyReduces(request)) {", to: "if (false) {" },
    breaks: ["reduce-only never opens"],
  },
  {
    name: "the exchange ends a filled order once more",
    source: {
      file: DESK,
      from: "if (done) return filled;",
      to: 'if (done) return this.#answer(request, time, "expired", 0, ""), filled;',
    },
    breaks: ["every order ends exactly once"],
  },
  {
    name: "the exchange charges a fee twice",
    source: { file: DESK, from: "this.account.wallet -= fee;", to: "this.account.wallet -= 2n * fee;" },
    breaks: ["books agree when quiet"],
  },
  {
    name: "the rest of an entry is taken before its limit order has ended",
    source: {
      file: ENTRY,
      from: "withdrawEntry(state, position, entering.rest, ",
      to: "take(state, position, position.plan.lots - position.holding.openedLots, out, position.plan.arrival);\n    withdrawEntry(state, position, entering.rest, ",
    },
    entries: "drawn",
    breaks: ["no double order"],
  },
  {
    name: "the rest of an entry is the whole of it",
    source: { file: ENTRY, from: "take(state, position, taken, out", to: "take(state, position, plan.lots, out" },
    entries: "drawn",
    breaks: ["no double order", "no more is opened than decided"],
  },
  {
    name: "the rest of an entry is taken however its limit order has ended",
    source: { file: ENTRY, from: 'event.answer === "cancelled" && entering.kind === "withdrawing"', to: "true" },
    entries: "drawn",
    breaks: ["no double order"],
  },
  {
    name: "what a limit order leaves is taken although only the limit was wanted",
    source: { file: ENTRY, from: 'if (entering.rest === "leave") return', to: "if (false) return" },
    entries: "drawn",
    breaks: ["no double order"],
  },
  {
    name: "the time of a resting entry never ends",
    source: { file: ENTRY, from: "if (state.now < entering.until) return;", to: "return;" },
    entries: "drawn",
    breaks: ["every order ends exactly once"],
  },
  {
    name: "an entry rests on while nothing may be opened",
    source: { file: STEP, from: "if (state.resting.size > 0) withdrawForbidden(state, out);", to: "" },
    entries: "drawn",
    breaks: ["nothing rests while nothing may open"],
  },
  {
    name: "stops wait until an entry has filled whole",
    source: {
      file: PROTECTION,
      from: "const { holding, plan, phase } = position;",
      to: 'const { holding, plan, phase } = position; if (phase.kind === "open" && phase.entry !== 0) return;',
    },
    entries: "drawn",
    breaks: ["no unprotected position beyond the bound"],
  },
  {
    name: "what is left of an entry is taken without a bound",
    source: { file: ENTRY, from: "if (entry.maxSlippage === 0) return", to: "if (true) return" },
    entries: "drawn",
    breaks: ["slippage is bounded"],
  },
  {
    name: "the exchange fills a limit at the market's price",
    source: {
      file: "src/exchange/simulated/exchange.ts",
      from: "this.#execute(order, levelOf(order), true, time);",
      to: "this.#execute(order, bar.last.high, true, time);",
    },
    entries: "drawn",
    breaks: ["a limit holds"],
  },
  {
    name: "a restart overlooks the last event of the journal",
    plant: { forgets: 1 },
    breaks: [
      "positions are the sum of fills",
      "the ledger balances",
      "a journal replays to the identical decisions",
      "every order ends exactly once",
    ],
  },
  {
    name: "a restart does not ask for the requests that never arrived",
    plant: { asksNothing: true },
    breaks: ["books agree when quiet", "no unprotected position beyond the bound", "every order ends exactly once"],
  },
  {
    name: "a restart counts order ids anew",
    plant: { idsBeginAnew: true },
    breaks: ["no double order"],
  },
];

interface Simulator {
  simulate(world: World, plant?: Plant): Outcome;
  createWorld(seed: number, options: WorldOptions): World;
}

export interface Caught {
  readonly seed: number;
  readonly events: number;
  readonly invariant: string;
}

const ROOT = join(import.meta.dir, "..", "..");

/** Plants a bug in a copy of the source and runs seeds from 0 on until it is noticed, at most `seeds` of them. */
export async function hunt(
  { source, plant, entries = "market" }: PlantedBug,
  seeds: number,
): Promise<Caught | undefined> {
  const copy = mkdtempSync(join(tmpdir(), "penstock-planted-"));
  try {
    for (const part of ["src", "package.json", join("tests", "simulation")]) {
      cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    }
    if (source !== undefined) change(copy, source);
    const load = (file: string) => import(join(copy, "tests", "simulation", file));
    const { simulate, createWorld }: Simulator = { ...(await load("simulation.ts")), ...(await load("world.ts")) };
    for (let seed = 0; seed < seeds; seed++) {
      const { violation, events } = simulate(createWorld(seed, { entries }), plant);
      if (violation !== undefined) return { seed, events, invariant: violation.invariant };
    }
    return undefined;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function change(copy: string, { file, from, to, everywhere }: NonNullable<PlantedBug["source"]>): void {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  if (!text.includes(from)) throw new Error(`${file} has changed: there is no "${from}" to plant a bug in`);
  writeFileSync(path, everywhere ? text.replaceAll(from, () => to) : text.replace(from, () => to));
}

import type { Effect } from "./effects.ts";
import type { BarEvent } from "./events.ts";
import { type State, symbolOf } from "./state.ts";

/** Name of the timer that ends the wait for late symbols. */
export const CYCLE_TIMER = "cycle";

/**
 * The barrier: a cycle is analysed when every listed symbol has closed its bar, or CYCLE_INTERVAL after the nominal
 * close without those that are late. Without a bar there is no cycle and no decision.
 */
export function barClosed(state: State, event: BarEvent, out: Effect[]): void {
  const { cycle } = state;
  const close = event.time;
  // A bar of a cycle that is over updates prices only; the cycle is not decided twice.
  if (close <= cycle.close && cycle.kind !== "gathering") return;
  const news = close > cycle.close;
  if (news) {
    if (cycle.kind === "gathering") complete(state, cycle.close, out);
    state.cycle = { kind: "gathering", close, missing: state.listed };
  }
  const gathering = state.cycle;
  if (gathering.kind !== "gathering" || close !== gathering.close) return;
  gathering.missing -= 1;
  if (gathering.missing <= 0) {
    complete(state, close, out);
  } else if (news) {
    out.push({ kind: "set-timer", timer: CYCLE_TIMER, at: close + state.config.cycleInterval });
  }
}

/** A symbol was listed: a cycle that gathers at this moment waits for its bar too, so that every bar counts once. */
export function symbolCame(state: State, lastBar: number): void {
  const { cycle } = state;
  if (cycle.kind === "gathering" && lastBar < cycle.close) cycle.missing += 1;
}

/** A symbol was delisted: a cycle that still waited for its bar waits no longer. */
export function symbolLeft(state: State, lastBar: number, out: Effect[]): void {
  const { cycle } = state;
  if (cycle.kind !== "gathering" || lastBar >= cycle.close) return;
  cycle.missing -= 1;
  if (cycle.missing <= 0) complete(state, cycle.close, out);
}

/** The deadline passed: go on without the late. */
export function cycleDeadline(state: State, out: Effect[]): void {
  if (state.cycle.kind === "gathering") complete(state, state.cycle.close, out);
}

function complete(state: State, close: number, out: Effect[]): void {
  const late: number[] = [];
  state.symbols.forEach((symbol, index) => {
    if (symbol.listed && symbol.lastBar < close) late.push(index);
  });
  state.cycle = { kind: "analysing", close };
  out.push({ kind: "clear-timer", timer: CYCLE_TIMER });
  out.push({ kind: "analyse", cycle: close, late });
}

/** Marks the bar on its symbol; true when it is news rather than a repetition. */
export function markBar(state: State, event: BarEvent): boolean {
  const symbol = symbolOf(state, event.symbol);
  if (!symbol.listed || event.time <= symbol.lastBar) return false;
  symbol.lastBar = event.time;
  symbol.flat = event.flat;
  symbol.mark = event.close;
  return true;
}

import type { Settings } from "../../src/config/settings.ts";
import { checkBook } from "../../src/core/check-book.ts";
import type { Effect } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import type { State } from "../../src/core/state.ts";
import { step } from "../../src/core/step.ts";
import { parseClientId } from "../../src/exchange/binance/client-id.ts";
import { scaled } from "../../src/exchange/binance/decimals.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { newState } from "../../src/service/assembly.ts";
import { Auditor, Violation } from "../../tests/simulation/auditor.ts";

/** Money is in 1e-8 USDT. */
const MONEY_PLACES = 8;

/** Our book at the end of a journal, and what its orders went through on the way. Times in market ms. */
export interface Account {
  readonly state: State;
  readonly epoch: number;
  readonly events: number;
  readonly orders: number;
  readonly entries: number;
  readonly fills: number;
  /** Orders of which nothing was heard up to the end. */
  readonly unanswered: number;
  readonly longestUnanswered: number;
  /** The longest time that a position was held without a stop that covers it or an exit on its way. */
  readonly longestUnprotected: number;
  /** The first rule of the trade that a second book, kept beside the core's, saw broken. */
  readonly violation: string | undefined;
}

/** Goes through a journal of live trading once more, with the core and with the second book that the tests keep. */
export function accountOf(path: string): Account {
  const { header, records } = readJournal(path);
  const settings = header.settings as unknown as Settings;
  const state = newState(settings, header.instruments, header.data.kind === "recorded" ? 0 : header.data.start);
  const auditor = new Auditor(state, {
    maxPositions: settings.MAX_POSITIONS,
    maxLeverage: settings.MAX_LEVERAGE,
    maxMarginFraction: settings.MAX_MARGIN_PCT,
    maxExposure: settings.MAX_EXPOSURE_RATIO,
    dailyLossLimit: settings.DAILY_LOSS_LIMIT_PCT,
  });
  const waiting = new Map<number, number>();
  const counts = { events: 0, orders: 0, entries: 0, fills: 0 };
  let longestUnanswered = 0;
  let violation: string | undefined;
  const effects: Effect[] = [];
  const heard = (order: number) => {
    const since = waiting.get(order);
    if (since === undefined) return;
    waiting.delete(order);
    if (state.now - since > longestUnanswered) longestUnanswered = state.now - since;
  };
  const take = (event: Event) => {
    counts.events++;
    effects.length = 0;
    step(state, event, effects);
    if (event.kind === "fill") counts.fills++;
    if (event.kind === "fill" || (event.kind === "answer" && event.answer !== "unknown")) heard(event.order);
    for (const effect of effects) {
      if (effect.kind !== "submit") continue;
      counts.orders++;
      if (effect.order.purpose === "entry") counts.entries++;
      waiting.set(effect.order.id, state.now);
    }
    if (violation !== undefined) return;
    try {
      auditor.event(event);
      for (const effect of effects) auditor.effect(effect);
      auditor.after(state);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = `${error.message} (market time ${new Date(state.now).toISOString()}, event ${counts.events})`;
    }
  };
  for (const { record } of records()) {
    if (record.kind === "event") take(record.event);
    else if (record.kind === "bars") for (const bar of record.bars ?? []) take(bar);
  }
  return {
    ...counts,
    state,
    epoch: header.epoch,
    unanswered: waiting.size,
    longestUnanswered,
    longestUnprotected: auditor.longestNaked,
    violation,
  };
}

/** What `GET /state` of a simulated exchange's control port says, as far as books are concerned. */
export interface VenueState {
  readonly time: number;
  readonly wallet: string;
  readonly positions: readonly { symbol: string; positionSide: string; lots: number; cost: string }[];
  readonly openOrders: readonly { clientOrderId: string }[];
  readonly openAlgoOrders: readonly { clientAlgoId: string; algoStatus: string }[];
}

/**
 * Where our book and the exchange's differ, to the last digit: wallet, positions per leg with what they have cost, open
 * orders by their ids. Empty when they agree.
 */
export function differences({ state, epoch }: Pick<Account, "state" | "epoch">, venue: VenueState): string[] {
  const { instruments } = state.config;
  const ours = new Map<string, string>();
  for (const { symbol, leg, direction, holding } of state.positions.values()) {
    if (holding.lots === 0) continue;
    ours.set(`${instruments[symbol]!.symbol} ${leg}`, `${direction * holding.lots} lots that cost ${holding.cost}`);
  }
  const theirs = new Map<string, string>();
  for (const { symbol, positionSide, lots, cost } of venue.positions) {
    theirs.set(`${symbol} ${positionSide.toLowerCase()}`, `${lots} lots that cost ${scaled(cost, MONEY_PLACES)}`);
  }
  const orders = new Map([...state.orders.keys()].map((id) => [String(id), "open"]));
  const there = new Map<string, string>();
  // A conditional order that hangs while it triggers can be cancelled by nobody, and our book has given it up.
  const algos = venue.openAlgoOrders.filter(({ algoStatus }) => algoStatus !== "TRIGGERING");
  for (const name of [
    ...venue.openOrders.map(({ clientOrderId }) => clientOrderId),
    ...algos.map(({ clientAlgoId }) => clientAlgoId),
  ]) {
    const id = parseClientId(name);
    if (id?.auxiliary) continue;
    there.set(id === undefined || id.epoch !== epoch ? name : String(id.number), "open");
  }
  const { wallet } = state.ledger.balances;
  const venueWallet = scaled(venue.wallet, MONEY_PLACES);
  return [
    ...(wallet === venueWallet ? [] : [`wallet ${wallet}, at the exchange ${venueWallet}`]),
    ...differ("position", ours, theirs),
    ...differ("order", orders, there),
    ...checkBook(state).map((text) => `our book is broken: ${text}`),
  ];
}

function differ(what: string, ours: ReadonlyMap<string, string>, theirs: ReadonlyMap<string, string>): string[] {
  return [...new Set([...ours.keys(), ...theirs.keys()])].flatMap((key) => {
    const [here = "none", there = "none"] = [ours.get(key), theirs.get(key)];
    return here === there ? [] : [`${what} ${key}: ${here}, at the exchange ${there}`];
  });
}

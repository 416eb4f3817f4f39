import type { Candidate } from "../../src/core/candidate.ts";
import { checkBook } from "../../src/core/check-book.ts";
import type { CoreRecord, Effect, OrderRequest } from "../../src/core/effects.ts";
import type { EntryRules } from "../../src/core/entry.ts";
import type { AnalysisEvent, AnswerEvent, BarEvent, Event, FillEvent } from "../../src/core/events.ts";
import type { Instrument } from "../../src/core/instrument.ts";
import { USDT } from "../../src/core/instrument.ts";
import type { RiskRules } from "../../src/core/risk.ts";
import { type CoreConfig, createState, type State } from "../../src/core/state.ts";
import { step } from "../../src/core/step.ts";
import type { VirtualRules } from "../../src/core/virtual-book.ts";

/** A contract with a tick of 0.1 and a lot of 0.001, like BTCUSDT. */
export function instrument(symbol: string): Instrument {
  return {
    symbol,
    tickUnits: 1,
    priceDecimals: 1,
    lotUnits: 1,
    quantityDecimals: 3,
    unitValue: 10_000,
    minLots: 1,
    maxLots: 1_000_000,
    minNotional: 5 * USDT,
    maxLeverage: 20,
  };
}

export const MINUTE = 60_000;
export const START = Date.UTC(2025, 5, 1);

/** Positions that only their stop or target ends. */
export const LEFT_ALONE: VirtualRules = {
  breakEvenAt: 0,
  trailFrom: 0,
  trailDistance: 1,
  partialAt: 0,
  partialShare: 0.5,
  maxHolding: 0,
  exitRegimes: [],
  virtualMaxHolding: 0,
  smartMonitoring: true,
  cycle: 10_000,
};

export const AT_MARKET: EntryRules = {
  order: "market",
  limitOffset: 0,
  limitTime: MINUTE,
  postOnly: false,
  maxSlippage: 0,
};

/** Thresholds that no test reaches by accident. */
export const NEVER_WORRIED: RiskRules = {
  losses: [1000, 1000, 1000],
  pause: 0,
  drawdown: [10, 10, 10, 10],
  winRate: [0, 0],
  window: 50,
  minTrades: 20,
  hysteresis: 0.2,
  recovery: 0,
};

export function config(overrides: Partial<CoreConfig> = {}): CoreConfig {
  return {
    instruments: [instrument("AAAUSDT"), instrument("BBBUSDT")],
    balance: 10_000 * USDT,
    tradeFrom: 0,
    cycleInterval: MINUTE,
    minConfidence: 0.35,
    maxSignals: 10,
    maxPositions: 999,
    baseLeverage: 3,
    baseMarginFraction: 0.1,
    entry: AT_MARKET,
    protectionTimeout: 5000,
    life: LEFT_ALONE,
    risk: NEVER_WORRIED,
    dayStart: 0,
    guards: [],
    ...overrides,
  };
}

export function candidate(overrides: Partial<Candidate> = {}): Candidate {
  return {
    symbol: 0,
    strategy: "test",
    setup: "order-block",
    direction: 1,
    entry: 10_000,
    stop: 9_900,
    target: 10_200,
    confidence: 0.6,
    scores: {},
    reasons: ["because"],
    ...overrides,
  };
}

/** The core with a hand on its events: what was sent, said and recorded since the last question. */
export class Bench {
  readonly state: State;
  effects: Effect[] = [];
  now = START;
  trade = 0;

  constructor(overrides: Partial<CoreConfig> = {}) {
    this.state = createState(config(overrides));
    for (const symbol of this.state.config.instruments.keys()) {
      this.give({ kind: "listing", time: this.now, symbol, listed: true });
    }
  }

  give(event: Event): Effect[] {
    const out: Effect[] = [];
    step(this.state, event, out);
    const broken = checkBook(this.state);
    if (broken.length > 0) throw new Error(broken.join("; "));
    this.effects.push(...out);
    return out;
  }

  bar(symbol: number, close = 10_000, overrides: Partial<BarEvent> = {}): Effect[] {
    const prices = { open: close, high: close, low: close, close };
    return this.give({ kind: "bar", time: this.now, symbol, ...prices, volume: 1000, flat: false, ...overrides });
  }

  /** Closes one bar of all symbols, one minute on. */
  bars(close = 10_000): void {
    this.now += MINUTE;
    for (const symbol of this.state.config.instruments.keys()) this.bar(symbol, close);
  }

  analysis(candidates: Candidate[], regimes?: AnalysisEvent["regimes"]): Effect[] {
    const all = this.state.config.instruments.map(() => "trending" as const);
    return this.give({
      kind: "analysis",
      time: this.now,
      symbol: -1,
      cycle: this.now,
      regimes: regimes ?? all,
      candidates,
    });
  }

  answer(order: number, answer: AnswerEvent["answer"], code = 0): Effect[] {
    return this.give({ kind: "answer", time: this.now, symbol: 0, order, answer, code, reason: "as tested" });
  }

  fill(order: number, lots: number, price: number, overrides: Partial<FillEvent> = {}): Effect[] {
    this.trade += 1;
    return this.give({
      kind: "fill",
      time: this.now,
      symbol: 0,
      order,
      trade: `${this.trade}`,
      lots,
      price,
      fee: 0,
      maker: false,
      done: true,
      ...overrides,
    });
  }

  submitted(effects: Effect[] = this.effects): OrderRequest[] {
    return effects.flatMap((effect) => (effect.kind === "submit" ? [effect.order] : []));
  }

  cancelled(effects: Effect[] = this.effects): number[] {
    return effects.flatMap((effect) => (effect.kind === "cancel" ? [effect.order] : []));
  }

  records<K extends CoreRecord["kind"]>(kind: K): Extract<CoreRecord, { kind: K }>[] {
    return this.effects.flatMap((effect) =>
      effect.kind === "record" && effect.record.kind === kind
        ? [effect.record as Extract<CoreRecord, { kind: K }>]
        : [],
    );
  }

  /** A position of 100 lots at 10 000 ticks with all three closing orders acknowledged. */
  protectedPosition(): { stop: number; disaster: number; target: number } {
    this.bars();
    const entry = this.submitted(this.analysis([candidate()]))[0];
    if (entry === undefined) throw new Error("the candidate was refused");
    this.answer(entry.id, "accepted");
    const closing = this.submitted(this.fill(entry.id, entry.lots, 10_000));
    for (const order of closing) this.answer(order.id, "accepted");
    const id = (purpose: string) => closing.find((order) => order.purpose === purpose)?.id ?? 0;
    return { stop: id("working-stop"), disaster: id("disaster-stop"), target: id("target") };
  }
}

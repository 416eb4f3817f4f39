import { TRADING_STATES, type TradingState } from "./effects.ts";
import { BREAKER_LEVELS, type BreakerLevel } from "./events.ts";

/** From where on the book's own record makes trading more careful. Shares are 0 to 1, times ms. */
export interface RiskRules {
  /** Losses in a row for cautious, defensive and reduce-only. */
  readonly losses: readonly [cautious: number, defensive: number, reduceOnly: number];
  /** How long a losing streak alone keeps entries closed; after it trading is defensive. */
  readonly pause: number;
  /** Loss since the equity's peak for cautious, defensive, reduce-only and halted. */
  readonly drawdown: readonly [cautious: number, defensive: number, reduceOnly: number, halted: number];
  /** Share of winners among the last `window` trades below which trading is cautious, and defensive. */
  readonly winRate: readonly [cautious: number, defensive: number];
  readonly window: number;
  /** Fewer trades than this say nothing about the win rate. */
  readonly minTrades: number;
  /** A state is left when drawdown and win rate are better than what led into it by this share. */
  readonly hysteresis: number;
  /** Shortest time in a state before the next better one. */
  readonly recovery: number;
}

/** What the book remembers of itself to judge by. */
export interface RiskState {
  /** Index into TRADING_STATES. */
  level: number;
  since: number;
  consecutiveLosses: number;
  lastLoss: number;
  peakEquity: number;
  equity: number;
  /** Results of the last trades, newest last: true for a gain. */
  readonly outcomes: boolean[];
  breaker: BreakerLevel;
}

export function createRisk(balance: number): RiskState {
  return {
    level: 0,
    since: 0,
    consecutiveLosses: 0,
    lastLoss: 0,
    peakEquity: balance,
    equity: balance,
    outcomes: [],
    breaker: "closed",
  };
}

/** Books the result of a closed trade. A trade without gain or loss ends no streak and begins none. */
export function tradeClosed(risk: RiskState, rules: RiskRules, pnl: bigint, now: number): void {
  if (pnl < 0n) {
    risk.consecutiveLosses += 1;
    risk.lastLoss = now;
  } else if (pnl > 0n) {
    risk.consecutiveLosses = 0;
  }
  risk.outcomes.push(pnl > 0n);
  if (risk.outcomes.length > rules.window) risk.outcomes.shift();
}

export function equityIs(risk: RiskState, equity: number): void {
  risk.equity = equity;
  if (equity > risk.peakEquity) risk.peakEquity = equity;
}

/** Loss since the peak as a share of it, 0 to 1 (more when the equity is below 0). */
export function drawdownOf(risk: RiskState): number {
  return risk.peakEquity > 0 ? (risk.peakEquity - risk.equity) / risk.peakEquity : 1;
}

/** Share of winners among the last trades; undefined while there are too few. */
export function recentWinRate(risk: RiskState, rules: RiskRules): number | undefined {
  if (risk.outcomes.length < rules.minTrades) return undefined;
  return risk.outcomes.filter((gain) => gain).length / risk.outcomes.length;
}

/** A judgement of the book's record: a trading state and what led to it. */
export interface Judgement {
  readonly level: number;
  readonly reason: string;
}

const NORMAL: Judgement = { level: 0, reason: "nothing speaks against it" };

/**
 * The state that the record asks for: the worst of what losing streak, drawdown, win rate and breaker ask for.
 *
 * @param ease share by which drawdown and win rate are eased: 0 for entering a state, the hysteresis for leaving it.
 */
export function judge(risk: RiskState, rules: RiskRules, now: number, ease: number): Judgement {
  let worst = NORMAL;
  const consider = (level: number, reason: () => string) => {
    if (level > worst.level) worst = { level, reason: reason() };
  };

  const { consecutiveLosses } = risk;
  let streak = countReached(rules.losses, consecutiveLosses);
  // Without entries no streak can end: after a pause trading goes on, carefully.
  if (streak === 3 && now - risk.lastLoss >= rules.pause) streak = 2;
  consider(streak, () => `${consecutiveLosses} losses in a row`);

  const drawdown = drawdownOf(risk);
  const deep = rules.drawdown.filter((limit) => drawdown >= limit * (1 - ease)).length;
  consider(deep, () => `drawdown of ${percent(drawdown)}`);

  const winRate = recentWinRate(risk, rules);
  if (winRate !== undefined) {
    const low = rules.winRate.filter((limit) => winRate < limit * (1 + ease)).length;
    consider(low, () => `win rate of ${percent(winRate)} in ${risk.outcomes.length} trades`);
  }
  consider(BREAKER_LEVELS.indexOf(risk.breaker), () => `the breaker of the exchange's interface is ${risk.breaker}`);
  return worst;
}

/**
 * Moves the state: to a worse one at once, to a better one step by step, each after the recovery time and only when the
 * record is better than the thresholds by the hysteresis. Halted is left by the operator alone.
 * @returns the change's reason, or undefined when nothing changed
 */
export function moveRisk(risk: RiskState, rules: RiskRules, now: number): string | undefined {
  const asked = judge(risk, rules, now, 0);
  if (asked.level > risk.level) {
    risk.level = asked.level;
    risk.since = now;
    return asked.reason;
  }
  if (risk.level === 0 || risk.level === TRADING_STATES.indexOf("halted")) return undefined;
  if (now - risk.since < rules.recovery || judge(risk, rules, now, rules.hysteresis).level >= risk.level) {
    return undefined;
  }
  risk.level -= 1;
  risk.since = now;
  return "the book has recovered";
}

/** The operator takes responsibility: the record begins anew. */
export function forgive(risk: RiskState, now: number): void {
  risk.level = 0;
  risk.since = now;
  risk.consecutiveLosses = 0;
  risk.peakEquity = risk.equity;
  risk.outcomes.length = 0;
}

/** The stricter of two trading states. */
export function stricter(a: TradingState, b: TradingState): TradingState {
  return TRADING_STATES.indexOf(a) >= TRADING_STATES.indexOf(b) ? a : b;
}

function countReached(limits: readonly number[], value: number): number {
  return limits.filter((limit) => value >= limit).length;
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}

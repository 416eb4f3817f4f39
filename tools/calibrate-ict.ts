/**
 * Fits the confidence of the strategy `ict` on recorded bars and prints the calibration for
 * src/strategies/ict-calibration.ts, or, with `--check`, how the calibration that is there does on them.
 *
 * Run: bun tools/calibrate-ict.ts [--check] DIR… (folders of bars of at most 5m)
 *
 * A signal wins when price moves by its risk in favour before it does so against, beginning with the base bar after the
 * signal; a bar that does both loses; after 24 hours the close decides. Costs have no part in it. Signals within an
 * hour of one of the same symbol and direction are left out, because they win and lose together.
 */
import { AnalysisEngine } from "../src/analysis/engine.ts";
import { loadSettings } from "../src/config/load.ts";
import type { Candidate } from "../src/core/candidate.ts";
import { ABSENT } from "../src/market/bar-source.ts";
import { PanelFeed } from "../src/market/panel-feed.ts";
import { openRecordedMarket } from "../src/market/recorded-market.ts";
import { analysisOptions, newPanel } from "../src/service/assembly.ts";
import {
  type Calibration,
  type Curve,
  calibrated,
  evidence,
  ICT_CALIBRATION,
  ICT_SCORES,
  type IctScore,
} from "../src/strategies/ict-calibration.ts";

const HOUR = 3_600_000;
const TIMEOUT = 24 * HOUR;
const COOLDOWN = HOUR;
/** How many groups of equal size a score is cut into before neighbours in the wrong order are pooled. */
const GROUPS = 3;
const TOTAL_GROUPS = 4;
/** A group counts as if this many signals with the base rate were among it: small groups say little. */
const SHRINK = 50;

interface Signal {
  readonly candidate: Candidate;
  readonly time: number;
  readonly entry: number;
  readonly risk: number;
  won?: boolean;
}

type Raw = Readonly<Record<IctScore, number>>;
const rawOf = ({ candidate }: Signal) => candidate.scores as Raw;

const IDENTITY: Calibration = {
  base: 0,
  scores: Object.fromEntries(
    ICT_SCORES.map((name) => [
      name,
      [
        [0, 0],
        [1, 1],
      ],
    ]),
  ) as unknown as Record<IctScore, Curve>,
  // Every signal is wanted, also the unlikely ones.
  total: [[0, 1]],
};

function signalsOf(dir: string): { signals: Signal[]; months: number; dataHash: string } {
  const { settings } = loadSettings({});
  const source = openRecordedMarket({ dir, assumedFundingRate: 0 });
  const plain = analysisOptions(settings, source);
  const options = { ...plain, strategyOptions: { ...plain.strategyOptions, calibration: IDENTITY } };
  const panel = newPanel(source);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const engine = new AnalysisEngine(panel, options);
  const signals: Signal[] = [];
  const open: Signal[][] = source.instruments.map(() => []);
  const last = new Map<string, number>();
  for (let step = source.step(); step !== undefined; step = source.step()) {
    const time = step.openTime + source.timeframe;
    feed.step(step);
    for (const [symbol, pending] of open.entries()) {
      if (pending.length === 0 || step.status[symbol] === ABSENT) continue;
      const [high, low, close] = [step.high[symbol]!, step.low[symbol]!, step.close[symbol]!];
      open[symbol] = pending.filter((signal) => {
        const { direction } = signal.candidate;
        const against = direction > 0 ? signal.entry - low : high - signal.entry;
        const favour = direction > 0 ? high - signal.entry : signal.entry - low;
        if (against >= signal.risk) signal.won = false;
        else if (favour >= signal.risk) signal.won = true;
        else if (time - signal.time >= TIMEOUT) signal.won = direction * (close - signal.entry) > 0;
        return signal.won === undefined;
      });
    }
    for (const candidate of engine.analyse(time, []).candidates) {
      const key = `${candidate.symbol} ${candidate.direction}`;
      if (time - (last.get(key) ?? -Infinity) < COOLDOWN) continue;
      last.set(key, time);
      const risk = Math.abs(candidate.entry - candidate.stop);
      const signal = { candidate, time, entry: candidate.entry, risk };
      signals.push(signal);
      open[candidate.symbol]!.push(signal);
    }
  }
  const months = (source.bars * source.timeframe) / (30 * 24 * HOUR);
  return { signals: signals.filter(({ won }) => won !== undefined), months, dataHash: source.dataHash };
}

const share = (signals: readonly Signal[]) => signals.filter(({ won }) => won).length / signals.length;

/** Groups of equal size by x, neighbours pooled until their shares rise (pool adjacent violators, Ayer et al. 1955). */
function risingCurve(signals: readonly Signal[], x: (signal: Signal) => number, groups: number, base: number): Curve {
  const sorted = [...signals].sort((a, b) => x(a) - x(b));
  const pools: { sumX: number; won: number; count: number }[] = [];
  for (let i = 0; i < groups; i++) {
    const own = sorted.slice(Math.floor((i * sorted.length) / groups), Math.floor(((i + 1) * sorted.length) / groups));
    let pool = {
      sumX: own.reduce((sum, signal) => sum + x(signal), 0),
      won: own.filter(({ won }) => won).length,
      count: own.length,
    };
    while (pools.length > 0 && rate(pools.at(-1)!, base) >= rate(pool, base)) {
      const before = pools.pop()!;
      pool = { sumX: before.sumX + pool.sumX, won: before.won + pool.won, count: before.count + pool.count };
    }
    pools.push(pool);
  }
  return pools.map((pool) => [round(pool.sumX / pool.count), round(rate(pool, base))] as const);
}

function rate({ won, count }: { won: number; count: number }, base: number): number {
  return (won + SHRINK * base) / (count + SHRINK);
}

const round = (value: number) => Math.round(value * 10_000) / 10_000;

function reliability(signals: readonly Signal[], calibration: Calibration): void {
  const confidence = (signal: Signal) => calibrated(calibration, rawOf(signal));
  const sorted = [...signals].sort((a, b) => confidence(a) - confidence(b));
  const brier = (predict: (signal: Signal) => number) =>
    signals.reduce((sum, signal) => sum + (predict(signal) - (signal.won ? 1 : 0)) ** 2, 0) / signals.length;
  const base = share(signals);
  console.log(`signals ${signals.length}, won ${base.toFixed(4)}`);
  console.log(
    `Brier score ${brier(confidence).toFixed(4)}; of the fitted base rate ${brier(() => calibration.base).toFixed(4)}`,
  );
  for (let i = 0; i < 4; i++) {
    const own = sorted.slice(Math.floor((i * sorted.length) / 4), Math.floor(((i + 1) * sorted.length) / 4));
    const mean = own.reduce((sum, signal) => sum + confidence(signal), 0) / own.length;
    const error = Math.sqrt((share(own) * (1 - share(own))) / own.length);
    console.log(
      `quarter ${i + 1}: ${own.length} signals, mean confidence ${mean.toFixed(3)}, won ${share(own).toFixed(3)} ± ${error.toFixed(3)}`,
    );
  }
}

const check = process.argv.includes("--check");
const dirs = process.argv.slice(2).filter((argument) => argument !== "--check");
if (dirs.length === 0) throw new Error("usage: bun tools/calibrate-ict.ts [--check] DIR…");
const all = dirs.map((dir) => {
  const { signals, months, dataHash } = signalsOf(dir);
  const perMonth = (signals.length / months).toFixed(1);
  console.log(`${dir}: data ${dataHash}, ${signals.length} signals, ${perMonth} per symbol and 30 days`);
  return signals;
});
const signals = all.flat();

if (check) {
  reliability(signals, ICT_CALIBRATION);
} else {
  const base = round(share(signals));
  const scores = Object.fromEntries(
    ICT_SCORES.map((name) => [name, risingCurve(signals, (signal) => rawOf(signal)[name], GROUPS, base)]),
  ) as Record<IctScore, Curve>;
  const partial: Calibration = { base, scores, total: [] };
  const total = risingCurve(signals, (signal) => evidence(partial, rawOf(signal)), TOTAL_GROUPS, base);
  console.log(JSON.stringify({ base, scores, total }, undefined, 2));
  reliability(signals, { base, scores, total });
}

import { AnalysisEngine } from "../../src/analysis/engine.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { Candidate } from "../../src/core/candidate.ts";
import { priceOf } from "../../src/core/instrument.ts";
import { ABSENT } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { timeText } from "../../src/market/timeframe.ts";
import { analysisOptions, newPanel } from "../../src/service/assembly.ts";
import { type Candle, candlesSvg } from "./candles.ts";

export const SEED = 1;
const SYMBOLS = 24;
const START = Date.UTC(2026, 0, 5);
const STEP = 300_000;
const STEPS = 14 * 288;
/** Bars drawn before a signal, and at most after it. */
const BEFORE = 40;
const AFTER = 44;

interface Seen {
  readonly candidate: Candidate;
  readonly at: number;
  /** The bar at which stop or target was reached, and which. */
  end?: { readonly at: number; readonly won: boolean };
}

/**
 * Three signals of the strategy `ict` on the generated market, as the first of their kind that end within the drawing:
 * one that reached its target, one that reached its stop, and one that stood within a quarter of its target before it
 * reached its stop. Recorded bars are not ours to show; the shapes are the same.
 */
export function signalDrawings(): Record<string, string> {
  const { settings } = loadSettings({});
  const source = generateMarket({ seed: SEED, symbols: SYMBOLS, start: START, timeframe: STEP });
  const panel = newPanel(source);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const engine = new AnalysisEngine(panel, analysisOptions(settings, source));
  const bars: Candle[][] = source.instruments.map(() => []);
  const open: Seen[][] = source.instruments.map(() => []);
  const ended: Seen[] = [];
  for (let i = 0; i < STEPS; i++) {
    const step = source.step();
    if (step === undefined) break;
    feed.step(step);
    for (const [symbol, instrument] of source.instruments.entries()) {
      const price = (ticks: number) => priceOf(instrument, ticks);
      // A symbol that is not listed yet, or no longer, is drawn as a line where it was last: no signal lies there.
      if (step.status[symbol] === ABSENT) {
        const last = bars[symbol]!.at(-1)?.close ?? 0;
        bars[symbol]!.push({ open: last, high: last, low: last, close: last });
        continue;
      }
      bars[symbol]!.push({
        open: price(step.open[symbol]!),
        high: price(step.high[symbol]!),
        low: price(step.low[symbol]!),
        close: price(step.close[symbol]!),
      });
      open[symbol] = open[symbol]!.filter((seen) => {
        const { direction, stop, target } = seen.candidate;
        const [low, high] = [step.low[symbol]!, step.high[symbol]!];
        const lost = direction > 0 ? low <= stop : high >= stop;
        if (!lost && !(direction > 0 ? high >= target : low <= target)) return true;
        seen.end = { at: i, won: !lost };
        ended.push(seen);
        return false;
      });
    }
    for (const candidate of engine.analyse(step.openTime + STEP, []).candidates) {
      open[candidate.symbol]!.push({ candidate, at: i });
    }
  }

  const best = ({ candidate: { symbol, direction, entry, target }, at, end }: Seen) => {
    const held = bars[symbol]!.slice(at + 1, end!.at);
    const reached = held.map(({ high, low }) => (direction > 0 ? high : -low));
    const from = direction * priceOf(source.instruments[symbol]!, entry);
    const to = direction * priceOf(source.instruments[symbol]!, target);
    return held.length === 0 ? 0 : (Math.max(...reached) - from) / (to - from);
  };
  const fits = ended.filter(({ at, end }) => at > BEFORE + 600 && end!.at - at < AFTER && end!.at - at > 4);
  const find = (kind: string, wanted: (seen: Seen) => boolean) => {
    const found = fits.find(wanted);
    if (found === undefined) throw new Error(`no ${kind} signal in ${STEPS} bars of seed ${SEED}`);
    return found;
  };
  const swept = ({ candidate }: Seen) => candidate.reasons.some((reason) => reason.startsWith("swept"));
  const chosen = {
    "ict-target": find("winning", (seen) => seen.end!.won && seen.candidate.direction > 0 && swept(seen)),
    "ict-stop": find("losing", (seen) => !seen.end!.won && seen.candidate.direction < 0 && best(seen) < 0.2),
    "ict-almost": find("almost winning", (seen) => !seen.end!.won && best(seen) > 0.75),
  };
  return Object.fromEntries(
    Object.entries(chosen).map(([name, { candidate, at, end }]) => {
      const { symbol, direction, entry, stop, target, confidence, scores, reasons, setup } = candidate;
      const instrument = source.instruments[symbol]!;
      const price = (ticks: number) => priceOf(instrument, ticks);
      const first = at - BEFORE;
      const last = end!.at - first + 4;
      const zone = /(\S+) to (\S+?)(,|$)/.exec(reasons.find((reason) => reason.startsWith("5m bar reacts"))!)!;
      const drawing = candlesSvg({
        title: `${instrument.symbol} ${direction > 0 ? "long" : "short"}, ${setup}, confidence ${confidence.toFixed(3)}`,
        bars: bars[symbol]!.slice(first, first + last + 1),
        zones: [
          { from: 0, to: last, bottom: Number(zone[1]), top: Number(zone[2]), colour: "plain", label: setup },
          { from: BEFORE + 1, to: end!.at - first, ...band(price(entry), price(target)), colour: "good" },
          { from: BEFORE + 1, to: end!.at - first, ...band(price(entry), price(stop)), colour: "bad" },
        ],
        lines: [
          { from: BEFORE, to: last, price: price(entry), colour: "plain", label: "entry" },
          { from: BEFORE, to: last, price: price(stop), colour: "bad", label: "stop", dashed: true },
          { from: BEFORE, to: last, price: price(target), colour: "good", label: "target", dashed: true },
        ],
        marks: [
          { at: BEFORE, text: "signal", below: direction > 0 },
          { at: end!.at - first, text: end!.won ? "target" : "stop", below: end!.won !== direction > 0 },
        ],
        notes: [
          `Signal at the close of the 5m bar of ${timeText(START + at * STEP)} UTC; generated market, seed ${SEED}.`,
          ...reasons,
          Object.entries(scores)
            .map(([score, value]) => `${score} ${value.toFixed(3)}`)
            .join(", "),
        ],
      });
      return [name, drawing];
    }),
  );
}

function band(a: number, b: number): { top: number; bottom: number } {
  return a > b ? { top: a, bottom: b } : { top: b, bottom: a };
}

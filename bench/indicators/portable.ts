/**
 * One closed bar for 1500 series, the set of the ict strategy: the portable kernel beside npm trading-signals, which
 * also advances bar by bar. Results are compared before anything is timed; rounds are interleaved; the figures are
 * medians. Run: `bun bench/indicators/portable.ts`
 */
import { ADX, ATR, BollingerBands, EMA, RSI, SMA } from "trading-signals";
import { type Columns, Indicators } from "../../src/indicators/indicators.ts";
import { planIndicators } from "../../src/indicators/plan.ts";
import { portable } from "../../src/indicators/portable.ts";
import { REAL } from "../../src/market/bar-source.ts";
import { Panel } from "../../src/market/panel.ts";
import { ICT_SET, randomBars } from "../../tests/indicators/series.ts";

const SERIES = 1500;
const WALKS = 50;
/** Bars until seeds are forgotten: EMA 50 by (49/51)^WARM, below 1e-17. */
const WARM = 1200;
const ROUNDS = 15;
const BARS_PER_ROUND = 40;
/** The rival is timed over fewer bars, and warm for as many as both need to be compiled. */
const RIVAL_BARS_PER_ROUND = 2;

const walks = Array.from({ length: WALKS }, (_, i) => randomBars(WARM + ROUNDS * BARS_PER_ROUND, i + 1));

class TradingSignals {
  private readonly fast = new EMA(20);
  private readonly slow = new EMA(50);
  private readonly rsi = new RSI(14);
  private readonly atr = new ATR(14);
  private readonly adx = new ADX(14);
  private readonly bands = new BollingerBands(20, 2);
  private readonly volumes = new SMA(20);

  update(bars: Columns, i: number): void {
    const close = bars.close[i]!;
    const candle = { high: bars.high[i]!, low: bars.low[i]!, close };
    this.fast.update(close, false);
    this.slow.update(close, false);
    this.rsi.update(close, false);
    this.atr.update(candle, false);
    this.adx.update(candle, false);
    this.bands.update(close, false);
    this.volumes.update(bars.volume[i]!, false);
  }

  /** In the order of the plan's output rows. */
  values(volume: number): number[] {
    const bands = this.bands.getResultOrThrow();
    return [
      this.fast.getResultOrThrow(),
      this.slow.getResultOrThrow(),
      this.rsi.getResultOrThrow(),
      this.atr.getResultOrThrow(),
      this.adx.getResultOrThrow(),
      // It gives directional indicators as fractions.
      100 * Number(this.adx.pdi),
      100 * Number(this.adx.mdi),
      bands.upper,
      bands.middle,
      bands.lower,
      volume / this.volumes.getResultOrThrow(),
    ];
  }
}

const panel = Panel.create({
  symbols: SERIES,
  origin: 0,
  timeframes: [{ name: "1m", ms: 60_000, capacity: 240, spare: 16 }],
});
const indicators = new Indicators(planIndicators(ICT_SET), portable, panel, 0);
const rivals = Array.from({ length: SERIES }, () => new TradingSignals());

function publish(index: number): void {
  for (let s = 0; s < SERIES; s++) {
    const { open, high, low, close, volume } = walks[s % WALKS]!;
    panel.writeBar(0, index, s, open[index]!, high[index]!, low[index]!, close[index]!, volume[index]!, REAL);
  }
  panel.publish(0, index);
}

for (let i = 0; i < WARM; i++) {
  publish(i);
  indicators.advance(i);
  for (let s = 0; s < WALKS; s++) rivals[s]!.update(walks[s]!, i);
}
for (let s = WALKS; s < SERIES; s++) {
  for (let i = WARM - 60; i < WARM; i++) rivals[s]!.update(walks[s % WALKS]!, i);
}

let worst = 0;
for (let s = 0; s < WALKS; s++) {
  const expected = rivals[s]!.values(walks[s]!.volume[WARM - 1]!);
  for (const [row, value] of expected.entries()) {
    const error = Math.abs(indicators.value(row, s) - value) / Math.max(1, Math.abs(value));
    if (!(error < 1e-9)) throw new Error(`row ${row} of series ${s}: ${indicators.value(row, s)}, rival ${value}`);
    if (error > worst) worst = error;
  }
}

const ours: number[] = [];
const theirs: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const first = WARM + round * BARS_PER_ROUND;
  let spent = 0;
  for (let i = first; i < first + BARS_PER_ROUND; i++) {
    publish(i);
    const start = Bun.nanoseconds();
    indicators.advance(i);
    spent += Bun.nanoseconds() - start;
  }
  ours.push(spent / BARS_PER_ROUND / SERIES);

  const start = Bun.nanoseconds();
  for (let i = first; i < first + RIVAL_BARS_PER_ROUND; i++) {
    for (let s = 0; s < SERIES; s++) rivals[s]!.update(walks[s % WALKS]!, i);
  }
  theirs.push((Bun.nanoseconds() - start) / RIVAL_BARS_PER_ROUND / SERIES);
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const ratio = median(theirs.map((value, round) => value / ours[round]!));
console.log(`largest difference after ${WARM} bars  ${worst.toExponential(1)}`);
console.log(`portable kernel          ${median(ours).toFixed(0)} ns per series-update`);
console.log(
  `trading-signals          ${median(theirs).toFixed(0)} ns per series-update, ${ratio.toFixed(0)} times as long`,
);

/**
 * What following the structure costs: all trackers of 200 symbols in three timeframes taking one bar each, which is
 * the fullest cycle there is (each hour has one); and, on a folder of recorded bars, the whole analysis of such a cycle.
 *
 * Run: bun bench/structure/cycle.ts [DIR]
 */
import { AnalysisEngine } from "../../src/analysis/engine.ts";
import { loadSettings } from "../../src/config/load.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { Random } from "../../src/market/random.ts";
import { openRecordedMarket } from "../../src/market/recorded-market.ts";
import { analysisOptions, newPanel } from "../../src/service/assembly.ts";
import { StructureTracker } from "../../src/structure/tracker.ts";

const SYMBOLS = 200;
const TIMEFRAMES = 3;
const WARM = 2_000;
const CYCLES = 500;
const HOUR = 3_600_000;

function quantiles(name: string, times: number[]): void {
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(3);
  console.log(`${name}: median ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms of ${times.length} cycles`);
}

const trackers = Array.from({ length: SYMBOLS * TIMEFRAMES }, () => new StructureTracker({ timeframe: "5m" }));
const random = new Random(1);
const prices = trackers.map(() => 100);
const times: number[] = [];
const bars = new Float64Array(trackers.length * 5);
for (let i = 0; i < WARM + CYCLES; i++) {
  for (let j = 0; j < trackers.length; j++) {
    const open = prices[j]!;
    const close = open * (1 + 0.003 * random.normal());
    bars[j * 5] = open;
    bars[j * 5 + 1] = (open > close ? open : close) * (1 + random.between(0, 0.002));
    bars[j * 5 + 2] = (open < close ? open : close) * (1 - random.between(0, 0.002));
    bars[j * 5 + 3] = close;
    bars[j * 5 + 4] = random.between(1, 100);
    prices[j] = close;
  }
  const begun = performance.now();
  for (let j = 0; j < trackers.length; j++) {
    const at = j * 5;
    trackers[j]!.advance(i * 300_000, bars[at]!, bars[at + 1]!, bars[at + 2]!, bars[at + 3]!, bars[at + 4]!);
  }
  if (i >= WARM) times.push(performance.now() - begun);
}
quantiles(`${trackers.length} trackers`, times);

const dir = process.argv[2];
if (dir !== undefined) {
  const source = openRecordedMarket({ dir, assumedFundingRate: 0 });
  const panel = newPanel(source);
  const feed = new PanelFeed(panel, source.instruments, source.timeframe);
  const engine = new AnalysisEngine(panel, analysisOptions(loadSettings({}).settings, source));
  const full: number[] = [];
  const five: number[] = [];
  for (let step = source.step(); step !== undefined; step = source.step()) {
    feed.step(step);
    const time = step.openTime + source.timeframe;
    const begun = performance.now();
    engine.analyse(time, []);
    const took = performance.now() - begun;
    if (time % HOUR === 0) full.push(took);
    else if (time % 300_000 === 0) five.push(took);
  }
  quantiles(`analysis of ${source.instruments.length} symbols, 5m or 15m closing`, five);
  quantiles(`analysis of ${source.instruments.length} symbols, 1h closing`, full);
}

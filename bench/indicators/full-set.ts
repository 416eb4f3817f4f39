/**
 * All indicators over 200 bars of 1500 series, every kernel of this machine beside what users would take instead:
 * TA-Lib, which is C, and npm's trading-signals, technicalindicators and @ixjb94/indicators. Results are compared before
 * anything is timed; rounds are interleaved; the figures are medians, the ratios medians of ratios within a round.
 *
 * Run: `bun bench/indicators/full-set.ts`, with TA_LIB=/path/to/libta-lib.so for TA-Lib (the wheel of PyPI's TA-Lib
 * brings one: `pip download --no-deps TA-Lib`, unzip, ta_lib.libs/) and a C compiler.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { IndicatorsSync } from "@ixjb94/indicators";
import * as technical from "technicalindicators";
import { ADX, ATR, BollingerBands, EMA, MACD, OBV, RSI, SMA, StochasticOscillator } from "trading-signals";
import type { Kernel } from "../../src/indicators/kernel.ts";
import { lengthOf, placeOf, planIndicators } from "../../src/indicators/plan.ts";
import { BAR, LANES } from "../../src/market/panel.ts";
import { availableKernels } from "../../src/native.ts";
import { randomBars } from "../../tests/indicators/series.ts";
import { compiler } from "../../tools/build-native.ts";

const SERIES = 1500;
/** Different series; npm rivals are timed over these alone: their time per series does not depend on the number. */
const WALKS = 50;
const LENGTH = 200;
const ROUNDS = 11;
const STEPS = 20;

const plan = planIndicators([
  { kind: "ema", period: 20 },
  { kind: "ema", period: 50 },
  { kind: "sma", period: 20 },
  { kind: "rsi", period: 14 },
  { kind: "atr", period: 14 },
  { kind: "adx", period: 14 },
  { kind: "macd", fast: 12, slow: 26, signal: 9 },
  { kind: "bollinger", period: 20, deviations: 2 },
  { kind: "stochastic", period: 14, slowing: 3, smoothing: 3 },
  { kind: "volumeAverage", period: 20 },
  { kind: "volumeRatio", period: 20 },
  { kind: "obv" },
  { kind: "highest", period: 20 },
  { kind: "lowest", period: 20 },
  { kind: "standardDeviation", period: 20 },
]);

const GROUPS = Math.ceil(SERIES / LANES);
const doubles = (length: number) => new Float64Array(new SharedArrayBuffer(length * 8));
const walks = Array.from({ length: WALKS }, (_, i) => {
  const walk = randomBars(LENGTH, i + 1);
  // No window without volume: everyone divides by that in another way.
  for (let k = 0; k < LENGTH; k++) walk.volume[k] = Math.round(walk.volume[k]! * 1000) + 1;
  return walk;
});
const bars = doubles(GROUPS * LENGTH * BAR).fill(Number.NaN);
for (let s = 0; s < SERIES; s++) {
  const { open, high, low, close, volume } = walks[s % WALKS]!;
  for (let i = 0; i < LENGTH; i++) {
    const at = ((s >> 3) * LENGTH + i) * BAR + (s & 7);
    for (const [field, column] of [open, high, low, close, volume].entries()) bars[at + field * LANES] = column[i]!;
  }
}
const arrays = walks.map(({ open, high, low, close, volume }) => ({
  open: [...open],
  high: [...high],
  low: [...low],
  close: [...close],
  volume: [...volume],
}));
type Series = (typeof arrays)[number];

/** One way to compute everything; a round gives nanoseconds per series. */
interface Contender {
  readonly name: string;
  round(): number | Promise<number>;
}

function timed(work: () => void): number {
  const start = Bun.nanoseconds();
  work();
  return Bun.nanoseconds() - start;
}

class KernelRun {
  readonly kernel: Kernel;
  readonly state = doubles(lengthOf(plan.stateRows, GROUPS));
  readonly out = doubles(lengthOf(plan.outputRows, GROUPS));
  private next = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  recompute(): void {
    this.state.fill(0);
    this.kernel.run(plan, bars, 0, LENGTH * BAR, GROUPS, LENGTH, this.state, this.out, "last");
  }

  /** One more bar of every series; the walks begin again where they end. */
  step(): void {
    this.kernel.step(plan, bars, this.next * BAR, LENGTH * BAR, GROUPS, this.state, this.out);
    this.next = (this.next + 1) % LENGTH;
  }

  value(series: number, row: number): number {
    return this.out[placeOf(plan.outputRows, row, series)]!;
  }
}

class TradingSignals {
  private readonly closes = [new EMA(20), new EMA(50), new RSI(14), new MACD(new EMA(12), new EMA(26), new EMA(9))];
  private readonly candles = [
    new ATR(14),
    new ADX(14),
    new StochasticOscillator({ kPeriod: 14, kSlowingPeriod: 3, dPeriod: 3 }),
    new OBV(2),
  ];
  private readonly bands = new BollingerBands(20, 2);
  private readonly volumes = new SMA(20);

  update(series: Series, i: number): void {
    const close = series.close[i]!;
    const volume = series.volume[i]!;
    const candle = { open: series.open[i]!, high: series.high[i]!, low: series.low[i]!, close, volume };
    for (const indicator of this.closes) indicator.update(close, false);
    for (const indicator of this.candles) indicator.update(candle, false);
    this.bands.update(close, false);
    this.volumes.update(volume, false);
  }

  /** Values that do not depend on how it seeds, with their rows of the plan. */
  values(): [number, number][] {
    const { upper, middle, lower } = this.bands.getResultOrThrow();
    return [
      [11, upper],
      [12, middle],
      [13, lower],
      [16, this.volumes.getResultOrThrow()],
    ];
  }
}

function technicalAll({ high, low, close, volume }: Series) {
  const macd = { fastPeriod: 12, slowPeriod: 26, signalPeriod: 9, SimpleMAOscillator: false, SimpleMASignal: false };
  return {
    ema: technical.ema({ period: 20, values: close }),
    bands: technical.bollingerbands({ period: 20, stdDev: 2, values: close }),
    volumes: technical.sma({ period: 20, values: volume }),
    others: [
      technical.ema({ period: 50, values: close }),
      technical.rsi({ period: 14, values: close }),
      technical.atr({ period: 14, high, low, close }),
      technical.adx({ period: 14, high, low, close }),
      technical.macd({ values: close, ...macd }),
      technical.stochastic({ period: 14, signalPeriod: 3, high, low, close }),
      technical.obv({ close, volume }),
      technical.sd({ period: 20, values: close }),
    ],
  };
}

const ixjb = new IndicatorsSync();
function ixjbAll({ high, low, close, volume }: Series) {
  return {
    volumes: ixjb.sma(volume, 20),
    highest: ixjb.max(high, 20),
    others: [
      ixjb.ema(close, 20),
      ixjb.ema(close, 50),
      ixjb.rsi(close, 14),
      ixjb.atr(high, low, close, 14),
      ixjb.adx(high, low, 14),
      ixjb.di(high, low, close, 14),
      ixjb.macd(close, 12, 26, 9),
      ixjb.bbands(close, 20, 2),
      ixjb.stoch(high, low, close, 14, 3, 3),
      ixjb.obv(close, volume),
      ixjb.min(low, 20),
      ixjb.stddev(close, 20),
    ],
  };
}

/** TA-Lib in a process of its own, which times itself. */
class TaLib {
  private readonly child;
  private readonly lines: AsyncIterator<string>;

  constructor(folder: string, library: string) {
    const program = join(folder, "talib");
    const link = ["-O2", "-o", program, join(import.meta.dir, "talib.c"), library, `-Wl,-rpath,${dirname(library)}`];
    const { exitCode, stderr } = Bun.spawnSync([compiler()!, ...link, "-lm"]);
    if (exitCode !== 0) throw new Error(stderr.toString());
    this.child = Bun.spawn([program, join(folder, "bars")], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.lines = linesOf(this.child.stdout);
  }

  async ask(command: "all" | "last" | "values"): Promise<string> {
    this.child.stdin.write(`${command}\n`);
    await this.child.stdin.flush();
    return (await this.lines.next()).value ?? "";
  }

  end(): void {
    this.child.stdin.end();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}

function assertNear(what: string, ours: number, theirs: number): void {
  const error = Math.abs(ours - theirs) / Math.max(1, Math.abs(theirs));
  if (!(error < 1e-9)) throw new Error(`${what}: ours ${ours}, theirs ${theirs}`);
}

const kernels = availableKernels().map((kernel) => new KernelRun(kernel));
const [portable] = kernels as [KernelRun];
for (const run of kernels) {
  run.recompute();
  for (const [i, value] of run.out.entries()) {
    if (!Object.is(value, portable.out[i])) throw new Error(`${run.kernel.name}: other bits than the portable kernel`);
  }
}

const signals = arrays.map(() => new TradingSignals());
for (const [s, series] of arrays.entries()) {
  for (let i = 0; i < LENGTH; i++) signals[s]!.update(series, i);
  for (const [row, value] of signals[s]!.values()) assertNear("trading-signals", portable.value(s, row), value);
  const { ema, bands, volumes } = technicalAll(series);
  assertNear("technicalindicators, EMA", portable.value(s, 0), ema.at(-1)!);
  assertNear("technicalindicators, band", portable.value(s, 11), bands.at(-1)!.upper);
  assertNear("technicalindicators, volumes", portable.value(s, 16), volumes.at(-1)!);
  const ixjbValues = ixjbAll(series);
  assertNear("@ixjb94/indicators, volumes", portable.value(s, 16), ixjbValues.volumes.at(-1)!);
  assertNear("@ixjb94/indicators, highest", portable.value(s, 19), ixjbValues.highest.at(-1)!);
}

const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
const library = process.env.TA_LIB;
let taLib: TaLib | undefined;
if (library === undefined || compiler() === undefined) {
  console.log("TA-Lib is left out: TA_LIB names no library, or there is no C compiler");
} else {
  const file = Bun.file(join(folder, "bars")).writer();
  file.write(new Int32Array([SERIES, LENGTH]));
  for (let s = 0; s < SERIES; s++) {
    const { high, low, close, volume } = walks[s % WALKS]!;
    for (const column of [high, low, close, volume]) file.write(column);
  }
  await file.end();
  taLib = new TaLib(folder, library);
  const values = (await taLib.ask("values")).split(" ").map(Number);
  if (values.length !== SERIES * plan.outputRows) throw new Error(`TA-Lib gives ${values.length} values`);
  for (const [i, value] of values.entries()) {
    const [s, row] = [Math.floor(i / plan.outputRows), i % plan.outputRows];
    assertNear(`TA-Lib, series ${s}, row ${row}`, portable.value(s, row), value);
  }
}

const askTaLib = (name: string, command: "all" | "last"): Contender[] =>
  taLib === undefined ? [] : [{ name, round: async () => Number(await taLib.ask(command)) / SERIES }];
const steps = (run: KernelRun) => {
  for (let i = 0; i < STEPS; i++) run.step();
};
const incremental: Contender[] = [
  ...kernels.map((run) => ({ name: run.kernel.name, round: () => timed(() => steps(run)) / STEPS / SERIES })),
  ...askTaLib("TA-Lib, recomputed for the last row", "last"),
  {
    name: "trading-signals, update",
    round: () => timed(() => signals.forEach((one, s) => void one.update(arrays[s]!, 7))) / WALKS,
  },
];
const full: Contender[] = [
  ...kernels.map((run) => ({
    name: `${run.kernel.name}, last row`,
    round: () => timed(() => run.recompute()) / SERIES,
  })),
  ...askTaLib("TA-Lib, all rows", "all"),
  ...askTaLib("TA-Lib, last row", "last"),
  { name: "technicalindicators, all rows", round: () => timed(() => void arrays.map(technicalAll)) / WALKS },
  { name: "@ixjb94/indicators, all rows", round: () => timed(() => void arrays.map(ixjbAll)) / WALKS },
];

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

async function compare(title: string, contenders: readonly Contender[], cells: number): Promise<void> {
  const times = contenders.map((): number[] => []);
  for (const contender of contenders) await contender.round();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, contender] of contenders.entries()) times[i]!.push((await contender.round()) / cells);
  }
  const fastest = kernels.length - 1;
  console.log(`\n${title}: ns (least of ${ROUNDS} rounds), times ${kernels[fastest]!.kernel.name}`);
  for (const [i, { name }] of contenders.entries()) {
    const ratio = median(times[i]!.map((time, round) => time / times[fastest]![round]!));
    const figures = `${median(times[i]!).toFixed(1)} (${Math.min(...times[i]!).toFixed(1)})`;
    console.log(`${name.padEnd(38)} ${figures.padStart(22)} ${ratio.toFixed(1).padStart(9)}`);
  }
}

console.log(`${SERIES} series of ${LENGTH} bars, ${plan.outputRows} outputs, ${plan.stateRows} rows of state`);
await compare("one closed bar, per series", incremental, 1);
await compare("full recompute, per series and bar", full, LENGTH);
taLib?.end();
rmSync(folder, { recursive: true, force: true });

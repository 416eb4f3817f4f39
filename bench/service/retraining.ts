/**
 * What a training beside a live run costs the run: step time of the core and time from the end of a bar to its decision,
 * from the run's own histograms, in interleaved rounds without and with a training at full load; and whether the
 * process of the run grows. Quantiles are interpolated within the buckets of the histograms.
 *
 * Run: bun bench/service/retraining.ts [pairs of rounds] [seconds per round]
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { GENERATED_START } from "../../src/service/generated.ts";
import { type Retraining, startRetraining } from "../../src/service/retraining.ts";

const PAIRS = Number(process.argv[2] ?? 8);
const SECONDS = Number(process.argv[3] ?? 15);
const SYMBOLS = 24;
const TOKEN = "a-token-of-this-bench";
const DAY = 86_400_000;
const LIMIT_MB = 2048;
const HISTOGRAMS = { step: "penstock_step_seconds", decision: "penstock_cycle_seconds" } as const;
type Measured = keyof typeof HISTOGRAMS;

/** Counts by upper bound, rising and not cumulated, and the sum of all values. */
interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

type Scrape = Record<Measured, Histogram> & { readonly residentMb: number };

interface Round extends Scrape {
  /** Processor time that the training got, seconds: its priority is the lowest, and others may want the machine. */
  readonly trainingCpu: number;
}

const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
const root = join(import.meta.dir, "../..");
const port = freePort();
const run = Bun.spawn(
  [
    process.execPath,
    join(root, "src/main.ts"),
    "run",
    "--generated",
    String(SYMBOLS),
    "--seed",
    "1",
    "--speed",
    "600x",
  ],
  {
    env: { ...process.env, DATA_DIR: join(folder, "run"), ADMIN_PORT: String(port), ADMIN_TOKEN: TOKEN },
    stdout: "ignore",
    stderr: "inherit",
  },
);
let trainings = 0;
try {
  while (!(await isReady())) await Bun.sleep(200);
  // The first round warms up.
  await round(false);
  const rounds = { off: [] as Round[], on: [] as Round[] };
  for (let pair = 0; pair < PAIRS; pair++) {
    // Whichever is first alternates, so that a slow drift of the machine falls on both alike.
    for (const on of pair % 2 === 0 ? [false, true] : [true, false]) rounds[on ? "on" : "off"].push(await round(on));
  }
  console.log(
    `${PAIRS} pairs of rounds of ${SECONDS} s, ${SYMBOLS} symbols at 600x, ${availableParallelism()} processors, ` +
      `${trainings} trainings begun; load average ${loadavg()[0]!.toFixed(1)}`,
  );
  for (const what of ["step", "decision"] as const) report(what, rounds);
  const got = rounds.on.map(({ trainingCpu }) => trainingCpu.toFixed(1)).join(" ");
  console.log(`processor time that the training got, s per round: ${got}`);
  const memory = (which: readonly Round[]) => which.map(({ residentMb }) => residentMb.toFixed(0)).join(" ");
  console.log(
    `resident memory of the run, MB, at the end of each round: off ${memory(rounds.off)}; on ${memory(rounds.on)}`,
  );
} finally {
  run.kill();
  await run.exited;
  rmSync(folder, { recursive: true, force: true });
}

/** One round; with a training that is begun again as soon as one ends. */
async function round(on: boolean): Promise<Round> {
  let training: Retraining | undefined;
  let over = false;
  const begin = () => {
    trainings++;
    training = startRetraining({
      args: [
        ...["--generated", String(SYMBOLS), "--market-seed", "2", "--to", String(GENERATED_START + 10 * DAY)],
        ...["--seed", String(trainings), "--set", `DATA_DIR=${join(folder, `training-${trainings}`)}`],
      ],
      env: process.env,
      memoryLimitMb: LIMIT_MB,
      timeout: 600_000,
    });
    training.ended.then((end) => {
      if (over) return;
      if (end.kind === "failed") console.log(`a training failed: ${end.reason}`);
      begin();
    });
  };
  if (on) begin();
  const before = await scrape();
  await Bun.sleep(SECONDS * 1000);
  const after = await scrape();
  over = true;
  const trainingCpu = training === undefined ? 0 : cpuOf(training.pid);
  training?.cancel();
  await training?.ended;
  return {
    step: difference(after.step, before.step),
    decision: difference(after.decision, before.decision),
    residentMb: after.residentMb,
    trainingCpu,
  };
}

function report(what: Measured, rounds: Readonly<Record<"on" | "off", readonly Round[]>>): void {
  const figures = {
    p50: (histogram: Histogram) => quantile(histogram, 0.5),
    p99: (histogram: Histogram) => quantile(histogram, 0.99),
    mean: (histogram: Histogram) => histogram.sum / total(histogram),
  };
  for (const [name, figure] of Object.entries(figures)) {
    const off = rounds.off.map((each) => figure(each[what]) * 1e6);
    const on = rounds.on.map((each) => figure(each[what]) * 1e6);
    const ratios = on.map((value, i) => value / off[i]!);
    console.log(
      `${what} ${name}: off ${median(off).toFixed(1)} µs, on ${median(on).toFixed(1)} µs; ` +
        `on/off of the pairs: median ${median(ratios).toFixed(3)}, from ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
    );
  }
}

/** Processor time of a process so far, seconds: fields 14 and 15 of its stat, in hundredths. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

async function isReady(): Promise<boolean> {
  if (run.exitCode !== null) throw new Error(`the run ended with code ${run.exitCode}`);
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    return false;
  }
}

async function scrape(): Promise<Scrape> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const text = await answer.text();
  const resident = /^penstock_memory_bytes\{kind="resident"\} (\S+)$/m.exec(text);
  return {
    step: histogramIn(text, HISTOGRAMS.step),
    decision: histogramIn(text, HISTOGRAMS.decision),
    residentMb: Number(resident![1]) / 1e6,
  };
}

function histogramIn(text: string, name: string): Histogram {
  const bounds: number[] = [];
  const counts: number[] = [];
  let below = 0;
  for (const [, bound, count] of text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\S+)$`, "gm"))) {
    bounds.push(bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound));
    counts.push(Number(count) - below);
    below = Number(count);
  }
  if (bounds.length === 0) throw new Error(`there is no ${name} in the metrics`);
  return { bounds, counts, sum: Number(new RegExp(`^${name}_sum (\\S+)$`, "m").exec(text)![1]) };
}

function difference(after: Histogram, before: Histogram): Histogram {
  return {
    bounds: after.bounds,
    counts: after.counts.map((count, i) => count - before.counts[i]!),
    sum: after.sum - before.sum,
  };
}

function total({ counts }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function quantile(histogram: Histogram, share: number): number {
  const { bounds, counts } = histogram;
  let left = share * total(histogram);
  for (const [i, count] of counts.entries()) {
    const low = i === 0 ? 0 : bounds[i - 1]!;
    if (left <= count) return bounds[i] === Number.POSITIVE_INFINITY ? low : low + ((bounds[i]! - low) * left) / count;
    left -= count;
  }
  return Number.NaN;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function freePort(): number {
  const server = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port: free } = server;
  server.stop(true);
  return free!;
}

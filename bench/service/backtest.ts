import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A whole backtest as the user starts it, in variants that must give the same trades, in interleaved rounds: medians of
 * base bars per second (loading included), processor time and peak memory.
 * Usage: bun bench/service/backtest.ts [folder of bars] [rounds]
 */
const root = join(import.meta.dir, "../..");
const data = process.argv[2] ?? join(root, "../shared/data/market/m1-wide-2025-06");
const rounds = Number(process.argv[3] ?? 7);
const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));

const VARIANTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "as shipped": {},
  "one worker": { MAX_WORKERS: "1" },
  "one worker, portable kernel": { MAX_WORKERS: "1", PENSTOCK_KERNEL: "portable" },
};

interface Round {
  readonly barsPerSecond: number;
  readonly loadSeconds: number;
  readonly runSeconds: number;
  readonly cpuSeconds: number;
  readonly megabytes: number;
}

const results = new Map<string, Round[]>(Object.keys(VARIANTS).map((name) => [name, []]));
const hashes = new Set<string>();
for (let round = 0; round < rounds; round++) {
  for (const [name, settings] of Object.entries(VARIANTS)) {
    const file = join(folder, "report.json");
    const env = { ...process.env, ...settings, DATA_DIR: folder };
    const command = [process.execPath, join(root, "src/main.ts"), "backtest", "--data", data, "--json", file];
    const run = Bun.spawnSync(command, { env, stdout: "ignore", stderr: "pipe" });
    if (run.exitCode !== 0) throw new Error(run.stderr.toString());
    const report = await Bun.file(file).json();
    if (report.summary.trades === 0) throw new Error("a backtest without trades measures nothing");
    hashes.add(report.tradesHash);
    const { barsPerSecond, loadSeconds, runSeconds } = report.timing;
    const { cpuTime, maxRSS } = run.resourceUsage;
    const cpuSeconds = Number(cpuTime.total) / 1e6;
    results.get(name)!.push({ barsPerSecond, loadSeconds, runSeconds, cpuSeconds, megabytes: maxRSS / 1e6 });
  }
}
rmSync(folder, { recursive: true });
if (hashes.size !== 1) throw new Error(`the variants traded differently: ${[...hashes].join(", ")}`);

console.log(`${data}: medians of ${rounds} interleaved rounds, trades ${[...hashes][0]!.slice(0, 16)}`);
for (const [name, all] of results) {
  const median = (pick: (round: Round) => number) => all.map(pick).toSorted((a, b) => a - b)[all.length >> 1]!;
  console.log(
    `${name.padEnd(28)} ${Math.round(median((r) => r.barsPerSecond))
      .toLocaleString("en")
      .padStart(
        9,
      )} bars/s  load ${median((r) => r.loadSeconds).toFixed(2)} s  run ${median((r) => r.runSeconds).toFixed(2)} s  ` +
      `processor ${median((r) => r.cpuSeconds).toFixed(2)} s  peak ${Math.round(median((r) => r.megabytes))} MB`,
  );
}

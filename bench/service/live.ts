import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { priceOf } from "../../src/core/instrument.ts";
import { generateMarket } from "../../src/market/generated-market.ts";

/**
 * Resident memory and processor time of a live run of 200 symbols as the user starts it: generated 1m bars written as
 * files, four days to warm up on, then `run --data` at 600x. Linux only: it reads /proc.
 * Usage: bun bench/service/live.ts [seconds] [symbols]
 */
const seconds = Number(process.argv[2] ?? 60);
const wanted = Number(process.argv[3] ?? 200);
const MADE = 40;
const SPEED = 600;
const MINUTE = 60_000;
const WARM = 4 * 1440 * MINUTE;
const start = Date.UTC(2026, 0, 1);
const from = start + WARM;
const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));

/** Forty invented symbols a seed, told apart by the seed's number. Bars enough to last for the whole run. */
function writeBars(dir: string): void {
  mkdirSync(dir);
  const end = from + seconds * SPEED * 1000;
  for (let seed = 1, made = 0; made < wanted; seed++) {
    const symbols = Math.min(MADE, wanted - made);
    const source = generateMarket({ seed, symbols, start });
    const rows = source.instruments.map(() => ["open_time,open,high,low,close,volume"]);
    for (let step = source.step()!; step.openTime < end; step = source.step()!) {
      const { openTime, open, high, low, close, volume } = step;
      for (const [i, instrument] of source.instruments.entries()) {
        const prices = [open, high, low, close].map((column) => priceOf(instrument, column[i]!));
        rows[i]!.push([openTime, ...prices, volume[i]!].join());
      }
    }
    for (const [i, { symbol }] of source.instruments.entries()) {
      const name = symbol.replace("USDT", `${seed}USDT`);
      writeFileSync(join(dir, `generated-${name}-1m.csv`), `${rows[i]!.join("\n")}\n`);
    }
    made += symbols;
  }
}

/** A line such as "VmRSS:    81234 kB" of the process's status, in MB; undefined once the process has ended. */
function megabytes(pid: number, line: string): number | undefined {
  const found = new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return found === null ? undefined : (Number(found[1]) * 1024) / 1e6;
}

try {
  const dir = join(folder, "bars");
  writeBars(dir);
  const report = join(folder, "report.json");
  const time = new Date(from).toISOString();
  const options = ["--data", dir, "--from", time, "--speed", `${SPEED}x`, "--for", `${seconds}s`, "--json", report];
  const run = Bun.spawn([process.execPath, join(root, "src/main.ts"), "run", ...options], {
    env: { ...process.env, DATA_DIR: folder },
    stdout: "ignore",
    stderr: "inherit",
  });
  const samples: number[] = [];
  let peak = 0;
  const sampler = setInterval(() => {
    const resident = megabytes(run.pid, "VmRSS");
    if (resident === undefined) return;
    samples.push(resident);
    peak = megabytes(run.pid, "VmHWM") ?? peak;
  }, 500);
  const code = await run.exited;
  clearInterval(sampler);
  if (code !== 0) throw new Error(`the run ended with code ${code}`);
  const { trades, openPositions, report: full } = await Bun.file(report).json();
  // The second half is past loading and warm-up.
  const settled = samples.slice(samples.length >> 1).toSorted((a, b) => a - b);
  const cpu = Number(run.resourceUsage()!.cpuTime.total) / 1e6;
  console.log(
    `${wanted} symbols live at ${SPEED}x for ${seconds} s: ${full.timing.bars} bars, ${trades} trades, ` +
      `${openPositions} open; load ${full.timing.loadSeconds.toFixed(1)} s, processor ${cpu.toFixed(1)} s`,
  );
  console.log(
    `resident: median ${Math.round(settled[settled.length >> 1]!)} MB after warm-up, peak ${Math.round(peak)} MB`,
  );
} finally {
  rmSync(folder, { recursive: true });
}

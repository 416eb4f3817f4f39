import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";

/**
 * What people cost the trading: a live run of 48 generated symbols at 600x, in rounds with and without 200 requests a
 * second, 50 WebSocket clients and one scrape a second. Compared are the histograms of the run's own counters: the step
 * of the core, and the time from a closed bar to its decision. The load comes from this machine and takes its processors
 * too, so the ratios are an upper bound. Linux only: it reads /proc.
 * Usage: bun bench/admin/load.ts [seconds with load] [seconds of a round]
 */
const seconds = Number(process.argv[2] ?? 60);
const round = Number(process.argv[3] ?? 5);
const REQUESTS = 200;
const CLIENTS = 50;
/** What a dashboard asks; what takes long comes once a second each. */
const PATHS = ["overview", "positions", "orders", "signals", "trades", "statistics", "incidents", "log", "settings"];
const RARE = ["chart?symbol=", "why?symbol="];
const TOKEN = "operator-token-of-the-bench";
const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
const output = join(folder, "output");
const headers = { authorization: `Bearer ${TOKEN}` };

interface Histogram {
  readonly bounds: readonly number[];
  /** Per bucket, not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A histogram out of the text that Prometheus reads. */
function histogram(text: string, name: string): Histogram {
  const bounds: number[] = [];
  const below: number[] = [];
  for (const [, bound, count] of text.matchAll(new RegExp(`^${name}_bucket\\{le="(.+?)"\\} (\\S+)$`, "gm"))) {
    bounds.push(bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound));
    below.push(Number(count));
  }
  const [, sum] = new RegExp(`^${name}_sum (\\S+)$`, "m").exec(text)!;
  return { bounds, counts: below.map((count, i) => count - (below[i - 1] ?? 0)), sum: Number(sum) };
}

function combined(a: Histogram | undefined, b: Histogram, sign: 1 | -1): Histogram {
  if (a === undefined) return b;
  return { bounds: b.bounds, counts: a.counts.map((c, i) => c + sign * b.counts[i]!), sum: a.sum + sign * b.sum };
}

const countOf = ({ counts }: Histogram) => counts.reduce((total, count) => total + count, 0);

/** Linear within its bucket, as Prometheus does it. */
function quantile({ bounds, counts }: Histogram, share: number): number {
  const rank = share * counts.reduce((total, count) => total + count, 0);
  let below = 0;
  for (const [i, count] of counts.entries()) {
    const bound = bounds[i]!;
    const from = bounds[i - 1] ?? 0;
    if (below + count >= rank) return Number.isFinite(bound) ? from + ((bound - from) * (rank - below)) / count : from;
    below += count;
  }
  return Number.NaN;
}

const MEASURED = ["penstock_step_seconds", "penstock_cycle_seconds"] as const;
type Figures = Record<(typeof MEASURED)[number], Histogram>;

async function figures(base: string): Promise<Figures> {
  const text = await (await fetch(`${base}metrics`, { headers })).text();
  return Object.fromEntries(MEASURED.map((name) => [name, histogram(text, name)])) as Figures;
}

let asked = 0;
let failed = 0;
let messages = 0;

/** People for a while. */
async function load(base: string, symbol: string, ms: number): Promise<void> {
  const sockets = Array.from({ length: CLIENTS }, () => {
    const socket = new WebSocket(`${base.replace("http", "ws")}api/events`, { headers } as never);
    socket.onmessage = () => {
      messages += 1;
    };
    return socket;
  });
  const open: Promise<void>[] = [];
  const ask = async (path: string) => {
    asked += 1;
    const response = await fetch(base + path, { headers });
    await response.arrayBuffer();
    if (!response.ok) failed += 1;
  };
  const begun = performance.now();
  for (let sent = 0, second = 0; ; ) {
    const now = performance.now() - begun;
    if (now >= ms) break;
    for (; sent < (now / 1000) * REQUESTS; sent++) open.push(ask(`api/${PATHS[sent % PATHS.length]}`));
    for (; second <= now / 1000; second++) {
      for (const path of RARE) open.push(ask(`api/${path}${symbol}`));
      open.push(ask("metrics"));
    }
    await Bun.sleep(5);
  }
  await Promise.all(open);
  for (const socket of sockets) socket.close();
}

writeFileSync(output, "");
const run = Bun.spawn([process.execPath, join(root, "src/main.ts"), "run", "--speed", "600x", "--generated", "48"], {
  env: { PATH: process.env.PATH ?? "", DATA_DIR: folder, ADMIN_PORT: "0", ADMIN_TOKEN: TOKEN },
  stdout: Bun.file(output),
  stderr: "inherit",
});
try {
  let base: string | undefined;
  while (base === undefined) {
    if (run.exitCode !== null) throw new Error(`the run ended: ${readFileSync(output, "utf8")}`);
    await Bun.sleep(50);
    base = /dashboard at (http\S+)/.exec(readFileSync(output, "utf8"))?.[1];
  }
  while (!(await fetch(`${base}readyz`)).ok) await Bun.sleep(100);
  const [{ symbol }] = (await (await fetch(`${base}api/symbols`, { headers })).json()) as [{ symbol: string }];
  const memory = () =>
    (Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${run.pid}/status`, "utf8"))![1]) * 1024) / 1e6;
  await Bun.sleep(2000);
  // One round of each that is not counted: code is compiled, buffers grow.
  await load(base, symbol, round * 1000);
  await Bun.sleep(round * 1000);
  asked = failed = messages = 0;

  const sums: Record<"off" | "on", Partial<Figures>> = { off: {}, on: {} };
  const resident: Record<"off" | "on", number[]> = { off: [], on: [] };
  for (let done = 0; done < seconds; done += round) {
    for (const kind of done % (2 * round) === 0 ? (["off", "on"] as const) : (["on", "off"] as const)) {
      const before = await figures(base);
      if (kind === "on") await load(base, symbol, round * 1000);
      else await Bun.sleep(round * 1000);
      const after = await figures(base);
      for (const name of MEASURED) {
        sums[kind][name] = combined(sums[kind][name], combined(after[name], before[name], -1), 1);
      }
      resident[kind].push(memory());
    }
  }
  const on = sums.on as Figures;
  const off = sums.off as Figures;
  console.log(
    `48 symbols at 600x, ${seconds} s with and ${seconds} s without load in rounds of ${round} s: ` +
      `${asked} requests (${failed} failed), ${messages} messages to ${CLIENTS} clients; load average ${loadavg()[0]!.toFixed(1)}`,
  );
  for (const name of MEASURED) {
    const figure = (what: string, of: (histogram: Histogram) => number) =>
      `${what} ${(of(off[name]) * 1e6).toFixed(1)} -> ${(of(on[name]) * 1e6).toFixed(1)} µs (${(of(on[name]) / of(off[name])).toFixed(2)})`;
    const [p50, p99] = [figure("p50", (h) => quantile(h, 0.5)), figure("p99", (h) => quantile(h, 0.99))];
    const mean = figure("mean", (h) => h.sum / countOf(h));
    console.log(`${name}: ${countOf(off[name])} and ${countOf(on[name])}: ${p50}, ${p99}, ${mean}`);
  }
  const [first, last] = [resident.on[0]!, resident.on.at(-1)!];
  console.log(
    `resident after the rounds with load: ${resident.on.map((mb) => mb.toFixed(0)).join(" ")} MB, ` +
      `${last >= first ? "+" : ""}${(last - first).toFixed(1)} MB from the first to the last`,
  );
} finally {
  run.kill("SIGINT");
  await run.exited;
  rmSync(folder, { recursive: true });
}

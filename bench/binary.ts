import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/**
 * The compiled binary alone, in an empty folder with an empty environment: its size; from start to listening and to the
 * first decided cycle (after its first cycle the simulated market has 4 days of history behind it), medians of several
 * starts; and the resident memory of a run of 200 symbols, every minute.
 *
 * Usage: bun bench/binary.ts [--minutes 10] [--starts 5] [--symbols 200] [--binary dist/penstock]
 */
function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
}

const binary = resolve(option("binary", "dist/penstock"));
const minutes = Number(option("minutes", "10"));
const starts = Number(option("starts", "5"));
const symbols = option("symbols", "200");

interface Running {
  readonly child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly folder: string;
  readonly base: string;
  readonly token: string;
  /** ms since the start. */
  readonly listening: number;
  readonly decided: number;
}

async function start(...args: string[]): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  const begun = performance.now();
  const child = Bun.spawn([binary, "run", ...args], {
    cwd: folder,
    env: {},
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let said = "";
  const reader = child.stderr.getReader();
  while (!/#token=\S+\s/.test(said)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the run ended: ${said}`);
    said += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  const listening = performance.now() - begun;
  const [base, token] = /http\S+/.exec(said)![0].split("/#token=") as [string, string];
  const running = { child, folder, base, token };
  while ((await cyclesOf(running)) === 0) await Bun.sleep(5);
  return { ...running, listening, decided: performance.now() - begun };
}

async function cyclesOf({ base, token }: Pick<Running, "base" | "token">): Promise<number> {
  const response = await fetch(`${base}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  return Number(/^penstock_cycles_total (\S+)$/m.exec(await response.text())?.[1] ?? 0);
}

async function stop({ child, folder }: Running): Promise<void> {
  child.kill("SIGTERM");
  await child.exited;
  rmSync(folder, { recursive: true, force: true });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** MB, of a process and of those it has started: the embedded store, whoever trains. */
function residentMB(pid: number): { own: number; peak: number; children: number } {
  const of = (process: number, name: string) => {
    const status = readFileSync(`/proc/${process}/status`, "utf8");
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) / 1000;
  };
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return {
    own: of(pid, "VmRSS"),
    peak: of(pid, "VmHWM"),
    children: children.reduce((sum, child) => sum + of(child, "VmRSS"), 0),
  };
}

console.log(`${binary}: ${(statSync(binary).size / 1e6).toFixed(1)} MB`);
const runs: Running[] = [];
for (let i = 0; i < starts; i++) {
  const running = await start();
  runs.push(running);
  await stop(running);
}
const seconds = (values: number[]) =>
  `${(median(values) / 1000).toFixed(2)} s (${values.map((value) => (value / 1000).toFixed(2)).join(", ")})`;
console.log(`24 symbols, start to listening: ${seconds(runs.map(({ listening }) => listening))}`);
console.log(`24 symbols, start to the first decided cycle: ${seconds(runs.map(({ decided }) => decided))}`);

if (minutes > 0) {
  const running = await start("--generated", symbols, "--speed", "60x");
  console.log(`${symbols} symbols, start to listening ${(running.listening / 1000).toFixed(2)} s`);
  for (let minute = 0; minute <= minutes; minute++) {
    if (minute > 0) await Bun.sleep(60_000);
    const { own, peak, children } = residentMB(running.child.pid);
    const cycles = await cyclesOf(running);
    const memory = `resident ${own.toFixed(0)} MB (peak ${peak.toFixed(0)} MB), its children ${children.toFixed(0)} MB`;
    console.log(`after ${minute} min: ${memory}, ${cycles} cycles`);
  }
  await stop(running);
}

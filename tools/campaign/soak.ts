import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJournal } from "../../src/journal/reader.ts";
import type { Campaign } from "./campaign.ts";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");
const HOUR = 3_600_000;
/** Between two looks at the process, ms; the first share of the run warms up and is not judged. */
const LOOK = 1000;
const WARM = 0.4;
/** Faults for each minute of wall time. */
const FAULTS_PER_MINUTE = 6;
/** Growth of resident memory after the warm-up that counts as a leak, MB in a simulated day. */
const MOST_GROWTH = 256;

interface Sample {
  /** Wall ms since the start. */
  readonly at: number;
  readonly residentMb: number;
  readonly handles: number;
}

/** `penstock run` on `penstock exchange`, both as processes, with seeded faults; nothing may grow. */
export const soak: Campaign = {
  help: "the service on a simulated exchange with seeded faults for --hours of its market; nothing may grow (Linux)",
  async run({ from: seed, hours, speed, symbols }, progress) {
    const wall = (hours * HOUR) / speed;
    const folder = mkdtempSync(join(tmpdir(), "penstock-soak-"));
    const common = {
      PATH: process.env.PATH ?? "",
      ENABLE_STORE: "false",
      ADMIN_ENABLED: "false",
      MIN_CONFIDENCE: "0.2",
    };
    const market = ["--generate", String(seed), "--generated", String(symbols), "--speed", `${speed}x`];
    const secret = ["--key", "key", "--secret", "secret"];
    const exchange = Bun.spawn(
      [process.execPath, MAIN, "exchange", "--port", "0", "--control-port", "0", ...market, ...secret],
      { cwd: folder, env: common, stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    try {
      const { value } = await exchange.stdout.getReader().read();
      const { rest, ws, wsApi, control } = JSON.parse(new TextDecoder().decode(value)) as Record<string, string>;
      const addresses = { BINANCE_REST_URL: rest!, BINANCE_WS_URL: ws!, BINANCE_WS_API_URL: wsApi! };
      const keys = { BINANCE_API_KEY: "key", BINANCE_API_SECRET: "secret" };
      const service = Bun.spawn([process.execPath, MAIN, "run", "--for", `${wall}ms`, "--json", "result.json"], {
        cwd: folder,
        env: { ...common, ...addresses, ...keys, EXCHANGE: "binance", TRADING_ENABLED: "true", DATA_DIR: folder },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
      });
      const duration = Math.round(wall * (1 - WARM));
      const count = Math.max(1, Math.round((duration / 60_000) * FAULTS_PER_MINUTE));
      const body = JSON.stringify({ seed, duration, count });
      const begun = performance.now();
      const samples: Sample[] = [];
      let isFaulty = false;
      while (service.exitCode === null) {
        await Bun.sleep(LOOK);
        const at = performance.now() - begun;
        const sample = sampleOf(service.pid, at);
        if (sample !== undefined) samples.push(sample);
        if (!isFaulty && at > wall * WARM) {
          isFaulty = true;
          await fetch(`${control}/faults`, { method: "POST", body });
        }
        progress(`${Math.round((at / wall) * 100)} %, ${sample?.residentMb.toFixed(0)} MB, ${sample?.handles} handles`);
      }
      const { strikes } = (await (await fetch(`${control}/faults`)).json()) as { strikes: Record<string, number> };
      const judged = samples.filter(({ at }) => at > wall * WARM);
      const slope = (slopeOf(judged) * (24 * HOUR)) / speed;
      const { sent, unanswered } = ordersIn(folder);
      const handles = judged.map((sample) => sample.handles);
      const residents = judged.map(({ residentMb }) => residentMb);
      const totals = {
        simulatedHours: hours,
        wallSeconds: Math.round((performance.now() - begun) / 1000),
        symbols,
        faults: Object.values(strikes).reduce((sum, struck) => sum + struck, 0),
        orders: sent,
        unacknowledgedOrders: unanswered,
        leastResidentMb: Math.round(Math.min(...residents)),
        mostResidentMb: Math.round(Math.max(...residents)),
        residentMbPerSimulatedDay: Math.round(slope),
        leastHandles: Math.min(...handles),
        mostHandles: Math.max(...handles),
        exitCode: service.exitCode ?? -1,
      };
      const trouble = [
        ...(totals.exitCode === 0 ? [] : [`the service ended with ${totals.exitCode}`]),
        ...(slope > MOST_GROWTH ? [`memory grows by ${totals.residentMbPerSimulatedDay} MB in a simulated day`] : []),
        ...(unanswered > 0 ? [`${unanswered} orders were never answered`] : []),
      ];
      return { totals, trouble: trouble.length === 0 ? undefined : trouble.join("\n") };
    } finally {
      exchange.kill("SIGTERM");
      await exchange.exited;
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Undefined once the process is gone. */
function sampleOf(pid: number, at: number): Sample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const resident = /VmRSS:\s+(\d+) kB/.exec(status);
    if (resident === null) return undefined;
    return { at, residentMb: Number(resident[1]) / 1024, handles: readdirSync(`/proc/${pid}/fd`).length };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Least squares, MB per wall ms. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number) => samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  const [at, mb] = [mean((one) => one.at), mean((one) => one.residentMb)];
  const over = samples.reduce((sum, one) => sum + (one.at - at) * (one.residentMb - mb), 0);
  const under = samples.reduce((sum, one) => sum + (one.at - at) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** Orders of the last journal, and those of which the exchange never said a word. */
function ordersIn(folder: string): { sent: number; unanswered: number } {
  const journals = readdirSync(join(folder, "journal")).filter((name) => name.endsWith("-run.journal"));
  const [name] = journals.sort().reverse();
  const sent = new Set<number>();
  const answered = new Set<number>();
  for (const { record } of readJournal(join(folder, "journal", name!)).records()) {
    if (record.kind === "effect" && record.effect.kind === "submit") sent.add(record.effect.order.id);
    else if (record.kind === "event" && (record.event.kind === "answer" || record.event.kind === "fill")) {
      answered.add(record.event.order);
    }
  }
  return { sent: sent.size, unanswered: [...sent].filter((id) => !answered.has(id)).length };
}

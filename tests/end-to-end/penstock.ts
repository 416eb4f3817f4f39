import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { priceOf } from "../../src/core/instrument.ts";
import { generateMarket } from "../../src/market/generated-market.ts";

export const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

const root = mkdtempSync(join(tmpdir(), "penstock-test-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

/** A folder that is gone when the tests are over. All test files share this module, so no file's end may remove it. */
export function temporaryFolder(): string {
  return mkdtempSync(join(root, "f"));
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line as a user would, in a process of its own with an environment of its own. */
export async function penstock(
  folder: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Ended> {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", DATA_DIR: join(folder, "data"), ADMIN_ENABLED: "false", ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

/** Rows of a generated symbol as csv: open_time,open,high,low,close,volume. */
export function csvOf(
  steps: number,
  options: { seed: number; symbols: number; timeframe?: number },
): Map<string, string> {
  const source = generateMarket({ start: Date.UTC(2025, 2, 1), ...options });
  const texts = source.instruments.map(() => ["open_time,open,high,low,close,volume"]);
  for (let i = 0; i < steps; i++) {
    const step = source.step();
    if (step === undefined) break;
    source.instruments.forEach((instrument, symbol) => {
      const prices = [step.open, step.high, step.low, step.close].map((column) => priceOf(instrument, column[symbol]!));
      texts[symbol]!.push([step.openTime, ...prices, step.volume[symbol]].join());
    });
  }
  return new Map(source.instruments.map(({ symbol }, index) => [symbol, `${texts[index]!.join("\n")}\n`]));
}

/** Writes generated bars as a folder of files that a user could have. */
export function writeMarket(folder: string, days: number, symbols = 6): void {
  for (const [symbol, text] of csvOf(days * 1440, { seed: 7, symbols })) {
    writeFileSync(join(folder, `made-${symbol}-1m-2025-03.csv.gz`), gzipSync(text, { level: 1 }));
  }
}

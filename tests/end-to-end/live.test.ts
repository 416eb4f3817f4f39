import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { MAIN, penstock, temporaryFolder } from "./penstock.ts";

describe("penstock run", () => {
  test("trades a generated market within seconds and ends with one JSON object", async () => {
    const folder = temporaryFolder();
    // At full speed 500 ms are more market time than the 20 s at the default speed that a newcomer sees.
    const ended = await penstock(folder, ["run", "--for", "1500ms", "--speed", "max", "--json"]);
    expect(ended.code, ended.err).toBe(0);
    const result = JSON.parse(ended.out);
    expect(result).toMatchObject({ mode: "simulated", equity: expect.any(Number), tradesHash: expect.any(String) });
    expect(result.signals).toBeGreaterThan(0);
    expect(result.trades + result.openPositions).toBeGreaterThan(0);
  }, 30_000);

  test("opens a position within what 20 s at the default speed show", async () => {
    const { generateMarket } = await import("../../src/market/generated-market.ts");
    const { GENERATED_START } = await import("../../src/service/live.ts");
    expect(generateMarket({ seed: 1, start: GENERATED_START }).instruments.length).toBe(24);
    const folder = temporaryFolder();
    // 20 s at 600x are 200 bars: the same number, ten times as fast.
    const ended = await penstock(folder, ["run", "--for", "3s", "--speed", "6000x", "--json"]);
    const { report } = JSON.parse(ended.out);
    const first = Math.min(
      ...[...report.trades, ...report.openPositions].map((position: { entryTime: number }) => position.entryTime),
    );
    expect((first - GENERATED_START) / 60_000).toBeLessThan(200);
  }, 30_000);

  test("ends cleanly on an interrupt: positions and results are shown, the journal is whole", async () => {
    const folder = temporaryFolder();
    const child = Bun.spawn([process.execPath, MAIN, "run"], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", DATA_DIR: join(folder, "data") },
      stdout: "pipe",
      stderr: "pipe",
    });
    let out = "";
    const reader = child.stdout.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (value !== undefined) out += new TextDecoder().decode(value);
      if (out.includes("equity")) child.kill("SIGINT");
      if (done) break;
    }
    expect(await child.exited, await new Response(child.stderr).text()).toBe(0);
    expect(out).toContain("SIMULATED");
    const [journal] = readdirSync(join(folder, "data", "journal"));
    const replayed = await penstock(folder, ["replay", join(folder, "data", "journal", journal!), "--json"]);
    expect(replayed.code, replayed.err).toBe(0);
    expect(JSON.parse(replayed.out)).toMatchObject({ identical: true, torn: false });
  }, 30_000);
});

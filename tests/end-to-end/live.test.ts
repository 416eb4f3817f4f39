import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { GENERATED_START } from "../../src/service/generated.ts";
import { MAIN, penstock, temporaryFolder } from "./penstock.ts";

describe("penstock run", () => {
  test("trades a generated market and ends with one JSON object", async () => {
    const folder = temporaryFolder();
    // 20 s at the default speed of 600x are 200 minutes of market time: what a newcomer sees.
    const to = new Date(GENERATED_START + 200 * 60_000).toISOString();
    const ended = await penstock(folder, ["run", "--speed", "max", "--to", to, "--json"]);
    expect(ended.code, ended.err).toBe(0);
    const result = JSON.parse(ended.out);
    expect(result).toMatchObject({ mode: "simulated", equity: expect.any(Number), tradesHash: expect.any(String) });
    expect(result.signals).toBeGreaterThan(0);
    expect(result.trades + result.openPositions).toBeGreaterThan(0);
    expect(result.report.to).toBeLessThanOrEqual(GENERATED_START + 200 * 60_000);
  });

  test("ends cleanly on an interrupt: positions and results are shown, the journal is whole", async () => {
    const folder = temporaryFolder();
    const child = Bun.spawn([process.execPath, MAIN, "run"], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", DATA_DIR: join(folder, "data"), ADMIN_ENABLED: "false" },
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
  });
});

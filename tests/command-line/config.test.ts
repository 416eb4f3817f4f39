import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { settingsPage } from "../../src/config/document.ts";
import { loadSettings } from "../../src/config/load.ts";
import { SETTING_NAMES } from "../../src/config/settings.ts";

const ROOT = join(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "penstock-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function penstock(args: readonly string[], env: Record<string, string> = {}) {
  const run = Bun.spawnSync([process.execPath, join(ROOT, "src", "main.ts"), ...args], { cwd: folder, env });
  return { code: run.exitCode, out: run.stdout.toString(), err: run.stderr.toString() };
}

describe("penstock config", () => {
  test("--json prints JSON and nothing else, every setting once", () => {
    const { code, out, err } = penstock(["config", "--json"], { MAX_SIGNALS: "4" });
    expect([code, err]).toEqual([0, ""]);
    const rows = JSON.parse(out) as {
      name: string;
      value: unknown;
      source: string;
      available: boolean;
      note?: string;
    }[];
    expect(rows.map((row) => row.name).sort()).toEqual([...SETTING_NAMES].sort());
    const row = (name: string) => rows.find((candidate) => candidate.name === name);
    expect(row("MAX_SIGNALS")).toMatchObject({ value: 4, source: "environment", default: 10, unit: "signals" });
    const note = "not available yet: awaits evolved features";
    expect(row("ENABLE_DYNAMIC_FEATURES")).toMatchObject({ available: false, note });
    expect(row("STRATEGY_MODE")?.note).toBeUndefined();
  });

  test("--json FILE writes the same, whole, and prints nothing", () => {
    const { code, out } = penstock(["config", "--json", "settings.json"]);
    expect([code, out]).toEqual([0, ""]);
    expect(JSON.parse(readFileSync(join(folder, "settings.json"), "utf8"))).toEqual(
      JSON.parse(penstock(["config", "--json"]).out),
    );
    expect(readdirSync(folder)).toEqual(["settings.json"]);
  });

  test("--json to a place that cannot be written is refused before any work", () => {
    const { code, err } = penstock(["config", "--json", "absent/settings.json"]);
    expect([code, err]).toEqual([
      2,
      "penstock: --json absent/settings.json: the folder absent does not exist or cannot be written\n",
    ]);
  });

  test("the table names value, source, default and what is not available yet", () => {
    const { code, out } = penstock(["config", "--set", "MAX_LEVERAGE=7"]);
    expect(code).toBe(0);
    const line = (name: string) => out.split("\n").find((candidate) => candidate.startsWith(`  ${name} `));
    expect(line("MAX_LEVERAGE")).toMatch(/^ {2}MAX_LEVERAGE +7 × +command line +Highest leverage.*\[default: 20 ×\]$/);
    expect(line("REGIME_PREDICTION_THRESHOLD")).toEndWith("[not available yet: awaits prediction of regimes]");
  });

  test("a secret appears in no output", () => {
    const env = { BINANCE_API_KEY: "hush-key", BINANCE_API_SECRET: "hush-secret", DISCORD_TOKEN: "hush-token" };
    for (const args of [["config"], ["config", "--json"]]) {
      const { code, out, err } = penstock(args, env);
      expect(code).toBe(0);
      expect(out).toContain("(set)");
      expect(out + err).not.toContain("hush");
    }
  });

  test("a near miss in the environment is told on standard error", () => {
    expect(penstock(["config", "--json"], { MAX_SIGNAL: "4" }).err).toBe(
      "penstock: warning: the environment variable MAX_SIGNAL is not a setting; did you mean MAX_SIGNALS?\n",
    );
  });
});

describe("wrong use ends with 2 and one message", () => {
  test.each([
    [["config", "--set", "MAX_LEVERAGE=abc"], "penstock: MAX_LEVERAGE=abc is not allowed; allowed: a whole number"],
    [["config", "--unknown"], "penstock: unknown option '--unknown'"],
    [["config", "extra"], "penstock: too many arguments for 'config'"],
    [["nothing"], "penstock: unknown command 'nothing'"],
    [["config", "--set"], "penstock: option '--set <NAME=VALUE>' argument missing"],
    [[], "Usage: penstock"],
  ])("%p", (args, message) => {
    const { code, out, err } = penstock(args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toStartWith(message);
    expect(err).not.toMatch(/^\s+at /m);
  });
});

test("help and version end with 0", () => {
  for (const args of [["--help"], ["config", "--help"], ["--version"]]) {
    const { code, out, err } = penstock(args);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^(Usage: penstock|\d+\.\d+\.\d+\n)/);
  }
});

test("a reader that leaves early is no failure", () => {
  const command = `"$0" "$1" config --json | head -c 1; echo " $\{PIPESTATUS[0]}"`;
  const run = Bun.spawnSync(["bash", "-c", command, process.execPath, join(ROOT, "src", "main.ts")], { cwd: folder });
  expect(run.stdout.toString()).toBe("[ 0\n");
  expect(run.stderr.toString()).toBe("");
});

test("the page of settings covers every name and does not depend on the environment", () => {
  const page = settingsPage(loadSettings({}));
  for (const name of SETTING_NAMES) expect(page).toContain(`| \`${name}\` |`);
});

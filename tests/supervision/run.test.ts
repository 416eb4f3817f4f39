import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { MAIN, temporaryFolder } from "../end-to-end/penstock.ts";
import { DiscordStandIn } from "../notify/discord-stand-in.ts";

const BINARY = process.env.PENSTOCK_BINARY;
const PENSTOCK = BINARY === undefined ? [process.execPath, MAIN] : [resolve(BINARY)];
const SECRET = "secret-of-the-account";

function start(folder: string, discord: DiscordStandIn) {
  return Bun.spawn([...PENSTOCK, "run", "--speed", "6000x"], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? "",
      ADMIN_ENABLED: "false",
      ENABLE_STORE: "false",
      LOG_FORMAT: "json",
      DISCORD_WEBHOOK: discord.webhook,
      BINANCE_API_SECRET: SECRET,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

describe("a run that is looked after", () => {
  test("is told about, ends on a signal, says what stays, and its log leads from signal to fill", async () => {
    const folder = temporaryFolder();
    using discord = new DiscordStandIn();
    const run = start(folder, discord);
    await discord.until(() => discord.text.includes(" closed by "));
    run.kill("SIGTERM");
    const [out, err, code] = await Promise.all([
      new Response(run.stdout).text(),
      new Response(run.stderr).text(),
      run.exited,
    ]);
    expect(code, err).toBe(0);
    expect(discord.text).toMatch(/^penstock \S+ begins to trade/);
    const farewell = /(no position was open|\d+ positions? w.* open and .* gone: .* simulated)$/;
    expect(discord.text).toMatch(farewell);

    const files = readdirSync(join(folder, "penstock-data", "logs")).filter((name) => name.startsWith("penstock."));
    const text = files.map((name) => readFileSync(join(folder, "penstock-data", "logs", name), "utf8")).join("");
    expect(out).toBe(text);
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const of = (message: string) => lines.filter(({ msg }) => msg === message);
    const signals = new Set(of("signal").map(({ trace }) => trace));
    expect(of("fill").length).toBeGreaterThan(1);
    for (const line of [...of("fill"), ...of("order sent"), ...of("opened"), ...of("closed")]) {
      expect(signals).toContain(line.trace);
      expect(line.trace).toEndWith(`Z/${line.symbol}`);
    }
    const [closed] = of("closed");
    const story = lines.filter(({ trace }) => trace === closed.trace).map(({ msg, purpose }) => purpose ?? msg);
    expect(story.slice(0, 4)).toEqual(["signal", "entry", "entry", "opened"]);
    expect(story).toContain("closed");
    expect(of("run ends")[0].remains).toMatch(farewell);

    const everything = `${out}${err}${text}${discord.text}`;
    for (const hidden of [SECRET, "token-of-the-webhook"]) expect(everything).not.toContain(hidden);
  });

  test("whose process is killed is reported by the one that is left", async () => {
    const folder = temporaryFolder();
    using discord = new DiscordStandIn();
    const run = start(folder, discord);
    await discord.until(() => discord.text.includes("begins to trade"));
    run.kill("SIGKILL");
    await discord.until(() => discord.text.includes("**ALARM** penstock, simulated has died without a word"));
    await run.exited;
  });

  test("with a setting that cannot work does not start", async () => {
    const run = Bun.spawn([...PENSTOCK, "run"], {
      cwd: temporaryFolder(),
      env: { PATH: process.env.PATH ?? "", ADMIN_ENABLED: "false", ENABLE_STORE: "false", DISCORD_TOKEN: SECRET },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const err = await new Response(run.stderr).text();
    expect([await run.exited, err.split("\n").at(-2)]).toEqual([
      2,
      'penstock: DISCORD_TOKEN needs DISCORD_CHANNEL, the number of a channel; it is ""',
    ]);
  });
});

import { describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { csvOf, penstock, temporaryFolder } from "./penstock.ts";

const GOOD = csvOf(30, { seed: 3, symbols: 1 }).values().next().value!;
const LINES = GOOD.trimEnd().split("\n");

/** The good file with one line changed; line 1 is the header. */
function withLine(line: number, change: (cells: string[]) => string[] | string): string {
  const lines = [...LINES];
  const changed = change(lines[line - 1]!.split(","));
  lines[line - 1] = typeof changed === "string" ? changed : changed.join();
  return `${lines.join("\n")}\n`;
}

const set = (cell: number, value: string) => (cells: string[]) => cells.with(cell, value);

/** What is wrong, the file's content, and what the message must say beside the file's name. */
const BAD_FILES: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ["a cell that is no number", withLine(5, set(4, "abc")), /:5: .*close/],
  ["an empty cell", withLine(6, set(1, "")), /:6: .*open/],
  ["NaN", withLine(7, set(2, "NaN")), /:7: .*high/],
  ["high below low", withLine(8, (c) => [c[0]!, "1", "1", "2", "1", "5"]), /:8: .*high.*low/],
  ["negative volume", withLine(9, set(5, "-1")), /:9: .*volume/],
  ["a volume beyond all bounds", withLine(9, set(5, "1.5e308")), /:9: .*volume.*beyond/],
  ["a price of zero", withLine(9, set(3, "0")), /:9: .*low/],
  ["a missing cell", withLine(10, (c) => c.slice(0, 5)), /:10: /],
  [
    "a time that was there already",
    withLine(11, (c) => c.with(0, LINES[9]!.split(",")[0]!)),
    /:11: .*(twice|duplicate|again)/,
  ],
  ["times out of order", withLine(12, (c) => c.with(0, LINES[5]!.split(",")[0]!)), /:12: /],
  ["a time off the grid", withLine(13, (c) => c.with(0, `${Number(c[0]) + 1}`)), /:13: .*1m/],
  ["a header without close", withLine(1, () => "open_time,open,high,low,volume"), /:1: .*close/],
  ["only a header", `${LINES[0]}\n`, /no bars|no rows|only a header/i],
  ["nothing at all", "", /empty/],
  ["a truncated gzip file", gzipSync(GOOD).subarray(0, 200), /gzip/],
  ["something that is no gzip file", "hello", /gzip/],
];

describe("a file with", () => {
  test.each(BAD_FILES)("%s is one clear message, exit code 1, and nothing written", async (what, content, says) => {
    const folder = temporaryFolder();
    const zipped = what.includes("gzip");
    const name = `bad-ALDERUSDT-1m.csv${zipped ? ".gz" : ""}`;
    writeFileSync(join(folder, name), content);
    const out = join(folder, "report.json");
    const ended = await penstock(folder, ["backtest", "--data", folder, "--json", out]);
    expect(ended.code).toBe(1);
    expect(ended.out).toBe("");
    expect(ended.err.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
    expect(ended.err).toContain(name);
    expect(ended.err).toMatch(says);
    expect(existsSync(out)).toBe(false);
    expect(existsSync(join(folder, "data"))).toBe(false);
  });
});

describe("wrong use", () => {
  const folder = temporaryFolder();
  const bars = join(folder, "bars");
  mkdirSync(bars);
  writeFileSync(join(bars, "a-ALDERUSDT-1m.csv"), GOOD);
  const empty = join(folder, "empty");
  mkdirSync(empty);
  const mixed = join(folder, "mixed");
  mkdirSync(mixed);
  writeFileSync(join(mixed, "a-ALDERUSDT-1m.csv"), GOOD);
  writeFileSync(
    join(mixed, "a-ALDERUSDT-5m.csv"),
    csvOf(30, { seed: 3, symbols: 1, timeframe: 300_000 }).values().next().value!,
  );
  const overlapping = join(folder, "overlapping");
  mkdirSync(overlapping);
  writeFileSync(join(overlapping, "a-ALDERUSDT-1m-one.csv"), GOOD);
  writeFileSync(join(overlapping, "a-ALDERUSDT-1m-two.csv"), GOOD);
  const hourly = join(folder, "hourly");
  mkdirSync(hourly);
  writeFileSync(
    join(hourly, "a-ALDERUSDT-1h.csv"),
    csvOf(30, { seed: 3, symbols: 1, timeframe: 3_600_000 }).values().next().value!,
  );

  test.each([
    ["a missing folder", ["backtest", "--data", join(folder, "none")], 1, /none/],
    ["an empty folder", ["backtest", "--data", empty], 1, /empty/],
    ["a folder of mixed timeframes", ["backtest", "--data", mixed], 2, /1m.*5m.*--timeframe/],
    ["overlapping files", ["backtest", "--data", overlapping], 1, /one\.csv.*two\.csv/],
    ["base bars that the strategy cannot use", ["backtest", "--data", hourly], 2, /ict.*5m.*1h/],
    ["an unknown symbol", ["backtest", "--data", bars, "--symbols", "ALDERUSD"], 2, /ALDERUSD.*ALDERUSDT/],
    [
      "a range that is turned round",
      ["backtest", "--data", bars, "--from", "2025-03-02", "--to", "2025-03-01"],
      2,
      /from.*to/,
    ],
    ["a time that is none", ["backtest", "--data", bars, "--from", "yesterday"], 2, /--from yesterday/],
    ["no --data", ["backtest"], 2, /--data/],
    ["an unknown option", ["backtest", "--data", bars, "--fast"], 2, /--fast/],
    ["an unknown command", ["trade"], 2, /trade/],
    ["an unknown cost", ["backtest", "--data", bars, "--without", "taxes"], 2, /taxes.*fees/],
    ["an unknown setting", ["backtest", "--data", bars, "--set", "MAX_LEVERAG=3"], 2, /MAX_LEVERAG.*MAX_LEVERAGE/],
    [
      "a setting out of bounds",
      ["backtest", "--data", bars, "--set", "MAX_LEVERAGE=1000"],
      2,
      /MAX_LEVERAGE.*1000.*125/,
    ],
    [
      "a percent where a fraction belongs",
      ["run", "--set", "DAILY_LOSS_LIMIT_PCT=5"],
      2,
      /DAILY_LOSS_LIMIT_PCT.*0\.05/,
    ],
    ["live trading", ["run", "--set", "TRADING_ENABLED=true"], 2, /TRADING_ENABLED=true needs EXCHANGE=binance/],
    ["a kernel that is not here", ["backtest", "--data", bars, "--set", "PENSTOCK_KERNEL=mmx"], 2, /PENSTOCK_KERNEL/],
    ["a speed that is none", ["run", "--speed", "fast"], 2, /--speed fast/],
    ["a duration that is none", ["run", "--for", "soon"], 2, /--for soon/],
    ["recorded options without --data", ["run", "--symbols", "A"], 2, /--symbols needs --data/],
    [
      "a report that cannot be written",
      ["backtest", "--data", bars, "--json", join(folder, "none", "x.json")],
      2,
      /none/,
    ],
    ["a journal that is none", ["replay", join(bars, "a-ALDERUSDT-1m.csv")], 1, /not a.*journal|no.*journal/i],
    ["a missing journal", ["replay", join(folder, "gone.journal")], 1, /gone\.journal/],
    ["inspect without a question", ["inspect", join(bars, "a-ALDERUSDT-1m.csv")], 2, /--indicators/],
    ["an indicator that is none", ["inspect", join(bars, "a-ALDERUSDT-1m.csv"), "--indicators", "magic:3"], 2, /magic/],
  ] as const)("%s is refused with one message", async (_, args, code, says) => {
    const ended = await penstock(folder, args);
    expect(ended.err).toMatch(says);
    expect(ended.code).toBe(code);
    expect(ended.out).toBe("");
    expect(ended.err).not.toContain("    at ");
  });
});

describe("what cannot be written", () => {
  const bars = temporaryFolder();
  writeFileSync(join(bars, "a-ALDERUSDT-1m.csv"), GOOD);

  test("a DATA_DIR that is a file is one message", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "data"), "");
    const ended = await penstock(folder, ["backtest", "--data", bars]);
    expect(ended.code).toBe(1);
    expect(ended.err.trimEnd().split("\n").at(-1)).toStartWith("penstock: cannot create the journal");
    expect(ended.err).not.toContain("    at ");
  });

  test("a report goes through a link and into a pipe, and never replaces what is no file", async () => {
    const folder = temporaryFolder();
    const kept = join(folder, "kept.json");
    writeFileSync(kept, "old");
    symlinkSync(kept, join(folder, "link.json"));
    expect((await penstock(folder, ["backtest", "--data", bars, "--json", join(folder, "link.json")])).code).toBe(0);
    expect(lstatSync(join(folder, "link.json")).isSymbolicLink()).toBe(true);
    expect(JSON.parse(readFileSync(kept, "utf8"))).toHaveProperty("tradesHash");

    const pipe = join(folder, "pipe");
    expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
    const reader = Bun.spawn(["cat", pipe], { stdout: "pipe" });
    const written = penstock(folder, ["backtest", "--data", bars, "--json", pipe]);
    expect(JSON.parse(await new Response(reader.stdout).text())).toHaveProperty("tradesHash");
    expect((await written).code).toBe(0);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
  });
});

import { expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { currentLog, Log } from "../../src/log/log.ts";
import { temporaryFolder } from "../end-to-end/penstock.ts";

const onTrouble = (problem: string) => {
  throw new Error(problem);
};

async function opened(environment: Record<string, string>, print?: (text: string) => void) {
  const dataDir = temporaryFolder();
  const { settings } = loadSettings({ DATA_DIR: dataDir, ...environment });
  const log = await Log.open({ settings, redact: (line) => line.replaceAll("hush", "…"), print, onTrouble });
  return { dataDir, log };
}

const linesOf = (text: string) =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test("lines are JSON, redacted, of the levels that are wanted, in a folder that only its owner can read", async () => {
  const printed: string[] = [];
  const { dataDir, log } = await opened({ LOG_LEVEL: "info" }, (text) => printed.push(text));
  log.write("debug", "nothing");
  log.write("info", "fill", { order: 7, price: 1.5 });
  log.write("error", "a hush secret", { stack: "hush" });
  expect([log.wants("debug"), log.wants("warn")]).toEqual([false, true]);
  await log.close();
  const lines = linesOf(readFileSync(currentLog(dataDir), "utf8"));
  expect(lines).toEqual([
    { level: "info", time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), order: 7, price: 1.5, msg: "fill" },
    { level: "error", time: expect.any(String), stack: "…", msg: "a … secret" },
  ]);
  expect(linesOf(printed.join(""))).toEqual(lines);
  expect(lstatSync(join(dataDir, "logs")).mode & 0o777).toBe(0o700);
  expect(lstatSync(join(dataDir, "logs", "penstock.1.log")).mode & 0o777).toBe(0o600);
});

test("files take turns by size, the oldest go, and no line is torn or lost among those that stay", async () => {
  const { dataDir, log } = await opened({ LOG_FILE_MB: "0.01", LOG_FILES: "3" });
  const folder = join(dataDir, "logs");
  const names = () => readdirSync(folder).filter((name) => name.startsWith("penstock."));
  const size = () =>
    names().reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
  let written = 0;
  while (!readlinkSync(currentLog(dataDir)).endsWith(".6.log")) {
    const before = size();
    for (let i = 0; i < 20; i++) log.write("info", "x".repeat(100), { number: written++ });
    log.flush();
    // A file is changed when nothing waits to be written, which never is while lines come faster than the disk takes them.
    // What comes while a file is being opened waits for the next flush.
    for (let turn = 0; turn < 1000 && size() === before; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  const files = names();
  expect(files.length).toBeGreaterThan(1);
  expect(files.length).toBeLessThanOrEqual(4);
  files.sort((a, b) => Number(a.split(".")[1]) - Number(b.split(".")[1]));
  const numbers = files
    .flatMap((name) => linesOf(readFileSync(join(dataDir, "logs", name), "utf8")))
    .map((l) => l.number);
  const last = written - 1;
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => last - numbers.length + 1 + index));
});

test("LOG_FILES=0 writes none", async () => {
  const { dataDir, log } = await opened({ LOG_FILES: "0" });
  log.write("info", "to nobody");
  log.flush();
  await log.close();
  expect(readdirSync(dataDir)).toEqual([]);
});

test("files that cannot be written are said once, and the run goes on", async () => {
  const problems: string[] = [];
  const dataDir = temporaryFolder();
  const { settings } = loadSettings({ DATA_DIR: dataDir });
  // A device that is always full.
  mkdirSync(join(dataDir, "logs"));
  Bun.spawnSync(["ln", "-s", "/dev/full", join(dataDir, "logs", "penstock.1.log")]);
  const log = await Log.open({ settings, redact: (line) => line, onTrouble: (problem) => problems.push(problem) });
  for (let i = 0; i < 100 && problems.length === 0; i++) {
    log.write("info", "a line");
    log.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  log.write("info", "another");
  await log.close();
  expect(problems).toEqual([expect.stringContaining("the log files cannot be written: ENOSPC")]);
});

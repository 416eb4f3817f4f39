import { expect, test } from "bun:test";
import type { Report } from "../../src/notify/report.ts";
import { NotifierProcess } from "../../src/supervision/notifier-process.ts";

const START = { api: "", name: "", target: { kind: "webhook", id: "1", token: "token" } } as const;
const report: Report = { kind: "line", weight: "routine", text: "x".repeat(1000) };

test("a process that ends, or hears nothing, is told once and harms nobody", async () => {
  for (const [script, code] of [
    ["exit 3", 3],
    ["exec <&-; exit 4", 4],
    ["head -c 10 >/dev/null; exit 5", 5],
  ] as const) {
    const told = Promise.withResolvers<string>();
    const problems: string[] = [];
    const notifier = new NotifierProcess(["sh", "-c", script], START, (text) => {
      problems.push(text);
      told.resolve(text);
    });
    for (let i = 0; i < 200; i++) notifier.report(report);
    expect(await told.promise).toBe(`the process that reports ended with code ${code}`);
    // It is not started again at once, and its absence ends nothing.
    for (let i = 0; i < 200; i++) notifier.report(report);
    await notifier.goodbye("goodbye", 1000);
    expect(problems).toHaveLength(1);
  }
});

test("what it is given arrives in order, the goodbye last, and nothing of the environment but the way out", async () => {
  const script =
    'import { writeSync } from "node:fs"; writeSync(2, await Bun.stdin.text() + JSON.stringify(Object.keys(process.env)))';
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `
      import { NotifierProcess } from ${JSON.stringify(`${import.meta.dir}/../../src/supervision/notifier-process.ts`)};
      const notifier = new NotifierProcess([process.execPath, "-e", ${JSON.stringify(script)}], ${JSON.stringify(START)}, console.error);
      notifier.report({ kind: "line", weight: "routine", text: "one" });
      await notifier.goodbye("two", 20_000);
    `,
    ],
    { env: { PATH: process.env.PATH ?? "", BINANCE_API_SECRET: "hush" }, stderr: "pipe" },
  );
  const err = await new Response(child.stderr).text();
  const lines = err
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map((line) => line.kind ?? "environment")).toEqual(["start", "report", "goodbye", "environment"]);
  expect(lines[2]).toEqual({ kind: "goodbye", text: "two" });
  expect(lines[3]).not.toContain("BINANCE_API_SECRET");
});

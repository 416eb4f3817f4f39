import { describe, expect, test } from "bun:test";
import { startRetraining, type TrainingEnd } from "../../src/service/retraining.ts";

/** A training whose program is a line of script. */
function run(
  script: string,
  options: { timeout?: number; memoryLimitMb?: number; onProgress?: (share: number) => void } = {},
) {
  return startRetraining({
    args: [],
    env: process.env,
    memoryLimitMb: options.memoryLimitMb ?? 1024,
    timeout: options.timeout ?? 60_000,
    command: [process.execPath, "-e", script],
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("a training process", () => {
  test("tells its progress and its outcome", async () => {
    const shares: number[] = [];
    const outcome = { model: "abc", promoted: true, reasons: ["kept"] };
    const script = `process.stderr.write("progress 0.25\\nsomething else\\nprogress 0.5\\n"); console.log(${JSON.stringify(JSON.stringify(outcome))})`;
    const end = await run(script, { onProgress: (share) => shares.push(share) }).ended;
    expect(end).toEqual({ kind: "trained", ...outcome });
    expect(shares).toEqual([0.25, 0.5]);
  });

  const cases: readonly [name: string, script: string, reason: string][] = [
    [
      "says why it failed",
      'console.error("the data is bad"); process.exit(1)',
      "it ended with code 1: the data is bad",
    ],
    ["talks nonsense", 'console.log("42 is the answer")', "what it printed is no outcome"],
    [
      "gives half an outcome",
      'console.log(JSON.stringify({ model: "a", promoted: "yes" }))',
      "what it printed is no outcome",
    ],
    ["is killed", 'process.kill(process.pid, "SIGKILL")', "it ended with signal SIGKILL"],
  ];
  for (const [name, script, reason] of cases) {
    test(`that ${name} came to nothing, with the reason`, async () => {
      const end = await run(script).ended;
      expect(end.kind).toBe("failed");
      expect((end as Extract<TrainingEnd, { kind: "failed" }>).reason).toStartWith(reason);
    });
  }

  test("that hangs is ended when its time is over", async () => {
    const training = run("setInterval(() => {}, 1000)", { timeout: 300 });
    const end = await training.ended;
    expect(end).toMatchObject({ kind: "failed", reason: expect.stringContaining("it took longer") });
    expect(isAlive(training.pid)).toBe(false);
  });

  test("cannot take more memory than its limit", async () => {
    const script = "const all = []; for (;;) all.push(new Uint8Array(16e6).fill(1));";
    const end = await run(script, { memoryLimitMb: 300 }).ended;
    expect(end.kind).toBe("failed");
  });

  test("can be cancelled", async () => {
    const training = run("setInterval(() => {}, 1000)");
    training.cancel();
    expect(await training.ended).toEqual({ kind: "failed", reason: "it was cancelled" });
  });
});

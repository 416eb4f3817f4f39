import { expect, test } from "bun:test";
import { join } from "node:path";
import { withMemoryLimit } from "../src/memory-limit.ts";

const CHILD = join(import.meta.dir, "leaking-child.ts");

for (const what of ["objects", "buffers"]) {
  test.skipIf(process.platform !== "linux")(`a child that leaks ${what} is stopped at its limit`, async () => {
    const own = process.resourceUsage().maxRSS * 1024;
    const child = Bun.spawn(withMemoryLimit([process.execPath, CHILD, what], 600), {
      stdout: "pipe",
      stderr: "ignore",
    });
    const said = await new Response(child.stdout).text();
    // Where the garbage collector itself is refused memory Bun aborts; where the program is, it gets an exception.
    expect(said).not.toContain("no limit");
    if (what === "buffers") expect(said).toContain("RangeError: Out of memory");
    expect(await child.exited).not.toBe(0);
    // A process inherits the peak of the one that it was split off from.
    expect(child.resourceUsage()!.maxRSS).toBeLessThan(Math.max(700e6, own * 1.05));
    expect(child.resourceUsage()!.maxRSS).toBeGreaterThan(100e6);
  });
}

test("the limited process is the child itself, and its IPC channel works", async () => {
  const command = withMemoryLimit([process.execPath, "-e", "process.send(process.pid)"], 1024);
  let heard: unknown;
  const child = Bun.spawn(command, {
    ipc(message) {
      heard = message;
    },
  });
  await child.exited;
  expect(heard).toBe(child.pid);
});

test.skipIf(process.platform !== "linux")(
  "the limited process still compiles its code, without which there is no native code either",
  () => {
    const script =
      'require("bun:ffi").dlopen("libc.so.6", { getpid: { args: [], returns: "i32" } }); console.log("compiles")';
    const { stdout, stderr } = Bun.spawnSync(withMemoryLimit([process.execPath, "-e", script], 600));
    expect(`${stdout}${stderr}`).toBe("compiles\n");
  },
);

test("a limit is a whole number of megabytes", () => {
  expect(() => withMemoryLimit(["x"], 0)).toThrow("0 MB");
});

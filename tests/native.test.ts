import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { availableKernels, chooseKernel, type FileLock, lockFile } from "../src/native.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-native-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NATIVE = JSON.stringify(join(import.meta.dir, "..", "src", "native.ts"));

/** A process that runs TypeScript with everything of src/native.ts at hand. */
function start(code: string) {
  const script = join(folder, `${Bun.randomUUIDv7()}.ts`);
  writeFileSync(script, `import * as native from ${NATIVE};\n${code}`);
  return Bun.spawn([process.execPath, script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
}

async function nextLine(output: { read(): Promise<{ value?: Uint8Array | undefined }> }): Promise<string> {
  return new TextDecoder().decode((await output.read()).value).trim();
}

test("the portable kernel is always there; one that is not is refused by name, and why", () => {
  const names = availableKernels().map(({ name }) => name);
  expect(names[0]).toBe("portable");
  expect(chooseKernel("auto").name).toBe(names.at(-1)!);
  for (const name of names) expect(chooseKernel(name).name).toBe(name);
  const bare = { kernels: [chooseKernel("portable")], missing: "no native kernel has been built" };
  expect(chooseKernel("auto", bare).name).toBe("portable");
  expect(() => chooseKernel("avx512", bare)).toThrow(
    "PENSTOCK_KERNEL=avx512 is not available here, because no native kernel has been built; available: portable, auto",
  );
  expect(() => chooseKernel("avx2", { ...bare, missing: undefined })).toThrow("because this processor lacks it");
});

test("a file has one holder at a time, and names it", () => {
  const path = join(folder, "one");
  const first = lockFile(path);
  if (first === undefined) return;
  expect(first.kind).toBe("held");
  expect(lockFile(path)).toEqual({ kind: "busy", pid: process.pid });
  if (first.kind === "held") {
    first.release();
    first.release();
  }
  const second = lockFile(path);
  expect(second?.kind).toBe("held");
  if (second?.kind === "held") second.release();
});

test("a lock is free as soon as its holder has been killed", async () => {
  const path = join(folder, "killed");
  const holder = start(`const lock = native.lockFile(${JSON.stringify(path)}); console.log(lock?.kind ?? "none");
    setInterval(() => {}, 1000);`);
  let kind: string;
  let whileHeld: FileLock | undefined;
  try {
    kind = await nextLine(holder.stdout.getReader());
    whileHeld = lockFile(path);
  } finally {
    holder.kill("SIGKILL");
    await holder.exited;
  }
  if (kind === "none") return;
  expect([kind, whileHeld]).toEqual(["held", { kind: "busy", pid: holder.pid }]);
  const lock = lockFile(path);
  expect(lock?.kind).toBe("held");
  if (lock?.kind === "held") lock.release();
});

test("a process that asked for it ends with its parent", async () => {
  const child = join(folder, "child.ts");
  writeFileSync(
    child,
    `import { dieWithParent } from ${NATIVE};
    process.on("SIGTERM", () => { console.log("told to end"); process.exit(0); });
    console.log(dieWithParent() ? "ready" : "not here");
    setTimeout(() => process.exit(1), 4000);`,
  );
  const parent = start(`Bun.spawn([process.execPath, ${JSON.stringify(child)}], { stdout: "inherit" });
    setInterval(() => {}, 1000);`);
  const output = parent.stdout.getReader();
  let ready: string;
  try {
    ready = await nextLine(output);
  } finally {
    parent.kill("SIGKILL");
  }
  if (process.platform === "linux") expect([ready, await nextLine(output)]).toEqual(["ready", "told to end"]);
  else expect(ready).toBe("not here");
});

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KERNEL_FILE } from "../src/native.ts";

/**
 * Compiles the native kernels into native/build, where the program looks for them. They are a gain in speed and in
 * nothing else: without a compiler, or on another processor, the portable kernel gives the same bits.
 *
 * With --sanitize it builds and runs the C tests under the address and undefined-behaviour sanitizers instead.
 */
const NATIVE = join(import.meta.dir, "..", "native");

export const LIBRARY = join(NATIVE, "build", KERNEL_FILE);

/** What the bits depend on: contraction to fused multiply-add is on by default, and would change them. */
export const FLAGS = [
  "-std=gnu11",
  "-fPIC",
  "-fvisibility=hidden",
  "-ffp-contract=off",
  "-fno-fast-math",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-Wall",
  "-Wextra",
] as const;

/** How far the shipped library is optimised; the tests look at what this makes of the sources. */
export const OPTIMISATION = "-O3";

/** The sources, and the machine each is compiled for. */
export const UNITS = [
  { source: "dispatch.c", machine: ["-march=x86-64"] },
  { source: "kernel_sse2.c", machine: ["-march=x86-64"] },
  { source: "kernel_avx2.c", machine: ["-march=x86-64-v3"] },
  { source: "kernel_avx512.c", machine: ["-march=x86-64-v4", "-mprefer-vector-width=512"] },
  { source: "trees.c", machine: ["-march=x86-64"] },
  { source: "trees_sse2.c", machine: ["-march=x86-64"] },
  { source: "trees_avx2.c", machine: ["-march=x86-64-v3"] },
  { source: "trees_avx512.c", machine: ["-march=x86-64-v4", "-mprefer-vector-width=512"] },
] as const;

export type Outcome =
  | { readonly kind: "built" | "current"; readonly message: string }
  /** There is nothing that could be built with or for. */
  | { readonly kind: "impossible"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

/** The C compiler: what CC names, else the first that there is. */
export function compiler(): string | undefined {
  return [process.env.CC, "cc", "gcc", "clang"].map((name) => name && (Bun.which(name) ?? undefined)).find(Boolean);
}

const PORTABLE = "the portable kernel gives the same results";

/** Builds the library where it is missing or older than its sources. */
export function buildNative(): Outcome {
  const blocked = obstacle();
  if (blocked !== undefined) return { kind: "impossible", message: `${blocked}: ${PORTABLE}` };
  if (isCurrent(LIBRARY)) return { kind: "current", message: `native/build/${KERNEL_FILE} is up to date` };

  mkdirSync(join(NATIVE, "build"), { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "penstock-native-"));
  try {
    const linked = join(folder, KERNEL_FILE);
    const error =
      compile(folder, [OPTIMISATION], UNITS) ??
      run("-shared", "-s", "-pthread", "-o", linked, ...objects(folder, UNITS));
    if (error !== undefined) return { kind: "failed", message: error };
    // Beside its place first: only within one file system is a rename all or nothing.
    const ready = `${LIBRARY}.${process.pid}`;
    Bun.spawnSync(["cp", linked, ready]);
    renameSync(ready, LIBRARY);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { kind: "built", message: `native/build/${KERNEL_FILE}: sse2, avx2 and avx512, by ${compiler()}` };
}

/** Compiles units into objects of a folder. @returns what the compiler said when it failed. */
export function compile(
  folder: string,
  flags: readonly string[],
  units: readonly { source: string; machine: readonly string[] }[],
): string | undefined {
  for (const { source, machine } of units) {
    const object = join(folder, `${source}.o`);
    const error = run(...FLAGS, ...flags, ...machine, "-c", join(NATIVE, source), "-o", object);
    if (error !== undefined) return error;
  }
  return undefined;
}

function objects(folder: string, units: readonly { source: string }[]): string[] {
  return units.map(({ source }) => join(folder, `${source}.o`));
}

function run(...args: string[]): string | undefined {
  const { exitCode, stderr } = Bun.spawnSync([compiler()!, ...args], { stderr: "pipe" });
  return exitCode === 0 ? undefined : `${compiler()} failed:\n${stderr.toString()}`;
}

function obstacle(): string | undefined {
  if (process.arch !== "x64") return `native kernels exist for x64 only, this is ${process.arch}`;
  if (process.platform === "win32") return "native kernels are not built on Windows";
  return compiler() === undefined ? "no C compiler (cc, gcc, clang or $CC)" : undefined;
}

function isCurrent(library: string): boolean {
  if (!existsSync(library)) return false;
  const built = statSync(library).mtimeMs;
  const sources = readdirSync(NATIVE).map((name) => join(NATIVE, name));
  return [...sources, import.meta.path].every((path) => statSync(path).isDirectory() || statSync(path).mtimeMs < built);
}

/** The C tests, each with what must not be found while it runs. Only trees have threads. */
const SANITIZED = [
  { program: "kernel_test.c", sanitizers: "address,undefined" },
  { program: "trees_test.c", sanitizers: "address,undefined" },
  { program: "trees_test.c", sanitizers: "thread" },
] as const;

function sanitize(): Outcome {
  const blocked = obstacle();
  if (blocked !== undefined) return { kind: "impossible", message: `${blocked}: the C tests are skipped` };
  const folder = mkdtempSync(join(tmpdir(), "penstock-native-"));
  const messages: string[] = [];
  try {
    for (const { program, sanitizers } of SANITIZED) {
      const flags = ["-O1", "-g", "-pthread", `-fsanitize=${sanitizers}`, "-fno-sanitize-recover=all"];
      const units = [...UNITS, { source: program, machine: ["-march=x86-64"] }];
      const linked = join(folder, "test");
      const error = compile(folder, flags, units) ?? run(...flags, "-o", linked, ...objects(folder, units), "-lm");
      if (error !== undefined) return { kind: "failed", message: error };
      const test = Bun.spawnSync([linked], { stdout: "pipe", stderr: "pipe" });
      messages.push(`${test.stdout}${test.stderr}`.trim());
      if (test.exitCode !== 0) return { kind: "failed", message: messages.join("\n") };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { kind: "built", message: messages.join("\n") };
}

if (import.meta.main) {
  const { kind, message } = process.argv.includes("--sanitize") ? sanitize() : buildNative();
  (kind === "failed" ? console.error : console.log)(message);
  process.exit(kind === "failed" ? 1 : 0);
}

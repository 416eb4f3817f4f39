import { dlopen } from "bun:ffi";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { InputError } from "./input-error.ts";

/** The kernels that may exist; all give the same bits. */
export const KERNELS = ["portable", "sse2", "avx2", "avx512"] as const;
export type Kernel = (typeof KERNELS)[number];

/** The kernels of this build that this machine can run, from the slowest to the fastest. */
export function availableKernels(): readonly Kernel[] {
  return ["portable"];
}

/**
 * The kernel for a value of PENSTOCK_KERNEL; `auto` takes the fastest.
 * @throws InputError when this build or machine does not have it: a forced kernel is never replaced silently.
 */
export function chooseKernel(requested: Kernel | "auto"): Kernel {
  const available = availableKernels();
  if (requested === "auto") return available.at(-1)!;
  if (available.includes(requested)) return requested;
  throw new InputError(
    `PENSTOCK_KERNEL=${requested} is not available here; available: ${[...available, "auto"].join(", ")}`,
    2,
  );
}

const FLOCK = { flock: { args: ["i32", "i32"], returns: "i32" } } as const;
const PRCTL = { prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } } as const;

/** The C library by platform and, on Linux, by its kind: glibc first, then musl. */
const LIBC: Readonly<Record<string, readonly string[]>> = {
  linux: ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"],
  darwin: ["libSystem.B.dylib"],
};

/** Functions of the C library, or undefined where none of the known names can be loaded. */
function libc<Functions extends Parameters<typeof dlopen>[1]>(functions: Functions) {
  for (const name of LIBC[process.platform] ?? []) {
    try {
      return dlopen(name, functions).symbols;
    } catch {
      // Not this name: the next one is tried, and the caller is told when there is none.
    }
  }
  return undefined;
}

export type FileLock =
  | { readonly kind: "held"; readonly release: () => void }
  /** Another holder; its process id where the file tells it. */
  | { readonly kind: "busy"; readonly pid: number | undefined };

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes an exclusive lock on a file, which is created when absent and never removed. The system frees the lock when
 * the process ends, however it ends, so there is no stale state; children do not inherit it.
 *
 * @returns undefined where this system offers no such lock.
 * @throws the system's error when the file cannot be opened.
 */
export function lockFile(path: string): FileLock | undefined {
  const functions = libc(FLOCK);
  if (functions === undefined) return undefined;
  const file = openSync(path, "a+", 0o600);
  if (functions.flock(file, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(file);
    const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
    return { kind: "busy", pid: Number.isNaN(pid) ? undefined : pid };
  }
  ftruncateSync(file, 0);
  writeSync(file, String(process.pid));
  let open = true;
  return {
    kind: "held",
    release() {
      if (open) closeSync(file);
      open = false;
    },
  };
}

const PR_SET_PDEATHSIG = 1;
const SIGNALS = { SIGTERM: 15n, SIGKILL: 9n } as const;

/**
 * Asks the system to send a signal to this process when its parent ends. A package manager that is killed forwards no
 * signal, and would leave the program behind without anyone to stop it; a child that is busy in a long call hears
 * nothing but SIGKILL.
 *
 * @returns false where the system does not offer this.
 */
export function dieWithParent(signal: keyof typeof SIGNALS = "SIGTERM"): boolean {
  if (process.platform !== "linux") return false;
  return libc(PRCTL)?.prctl(PR_SET_PDEATHSIG, SIGNALS[signal], 0n, 0n, 0n) === 0;
}

import { dlopen, ptr } from "bun:ffi";
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { extract } from "./extracted.ts";
import { KERNEL_NAMES, type Kernel, type KernelName } from "./indicators/kernel.ts";
import { type IndicatorPlan, lengthOf } from "./indicators/plan.ts";
import { portable } from "./indicators/portable.ts";
import { InputError } from "./input-error.ts";
import { BAR } from "./market/panel.ts";
import { emptyBins, MISSING_BIN } from "./models/trees/bins.ts";
import { PORTABLE_ENGINE, packTrees, type TreeEngine, type TreePredictor } from "./models/trees/engine.ts";
import { linkOf, rowCount, type TreeEnsemble } from "./models/trees/ensemble.ts";
import { mostNodes, type TreeGrower } from "./models/trees/grow.ts";

/** The library that `bun run build:native` makes for this platform. */
export const KERNEL_FILE = `penstock-${process.platform}-${process.arch}.so`;

/** In the compiled program, workers included, the folder native/build lies at the root of the file system within. */
const COMPILED = import.meta.dir.startsWith("/$bunfs/");
const KERNEL_PATH = COMPILED
  ? join("/$bunfs/root/build", KERNEL_FILE)
  : join(import.meta.dir, "..", "native", "build", KERNEL_FILE);

/** PENSTOCK_ABI of native/penstock.h: the library, the fields of a call and the tables of a plan belong together. */
const ABI = 3;

/** TREES_ABI of native/trees.h. */
const TREES_ABI = 1;

const FUNCTIONS = {
  penstock_kernels: { args: [], returns: "i32" },
  penstock_run: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  penstock_trees: { args: [], returns: "i32" },
  penstock_grow: {
    args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"],
    returns: "i32",
  },
  penstock_logistic_gradients: { args: ["i32", "ptr", "ptr", "ptr", "ptr", "i32"], returns: "i32" },
  penstock_check_nodes: { args: ["ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  penstock_walk: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  penstock_bin: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
} as const;

type Functions = ReturnType<typeof dlopen<typeof FUNCTIONS>>["symbols"];

const ERRORS = [
  "",
  "another ABI",
  "a kernel that this processor lacks",
  "a broken plan",
  "a length",
  "an alignment",
  "for want of memory",
  "an index",
];

export interface Loaded {
  /** From the slowest to the fastest. */
  readonly kernels: readonly Kernel[];
  /** The same for trees. */
  readonly treeEngines: readonly TreeEngine[];
  /** Why there are no native kernels, in words that follow "because". */
  readonly missing: string | undefined;
}

let loaded: Loaded | undefined;

/** The library is opened at the first question, once per thread. */
function load(): Loaded {
  loaded ??= openKernels(KERNEL_PATH);
  return loaded;
}

/** The kernels with those of a library. One that cannot be used is no error here: `missing` says why. */
export function openKernels(path: string): Loaded {
  const without = (missing: string) => ({ kernels: [portable], treeEngines: [PORTABLE_ENGINE], missing });
  if (!existsSync(path)) return without("no native kernel has been built (bun run build:native)");
  let functions: Functions;
  try {
    functions = dlopen(COMPILED ? extract(path) : path, FUNCTIONS).symbols;
  } catch (error) {
    return without(`the native kernel cannot be loaded: ${(error as Error).message}`);
  }
  const answer = functions.penstock_kernels();
  if (answer >> 8 !== ABI) {
    return without(`the native kernel has ABI ${answer >> 8} where this is ${ABI} (bun run build:native)`);
  }
  const trees = functions.penstock_trees();
  if (trees !== TREES_ABI) {
    return without(`the native trees have ABI ${trees} where this is ${TREES_ABI} (bun run build:native)`);
  }
  const native = KERNEL_NAMES.slice(1).filter((_, bit) => (answer & (1 << bit)) !== 0);
  return {
    kernels: [portable, ...native.map((name) => nativeKernel(name, functions.penstock_run))],
    treeEngines: [PORTABLE_ENGINE, ...native.map((name) => nativeTreeEngine(name, functions))],
    missing: undefined,
  };
}

/** The kernels that this build and this machine have, from the slowest to the fastest. */
export function availableKernels(): readonly Kernel[] {
  return load().kernels;
}

/**
 * The kernel for a value of PENSTOCK_KERNEL; `auto` takes the fastest. This is the one place that decides.
 * @throws InputError (exit 2) when this build or machine does not have it: a forced kernel is never replaced silently.
 */
export function chooseKernel(
  requested: KernelName | "auto",
  { kernels, missing }: Pick<Loaded, "kernels" | "missing"> = load(),
): Kernel {
  return choose(requested, kernels, missing);
}

/** The engines for trees that this build and this machine have, from the slowest to the fastest. */
export function availableTreeEngines(): readonly TreeEngine[] {
  return load().treeEngines;
}

/** The engine for trees, by the same setting and rule as the kernel. */
export function chooseTreeEngine(requested: KernelName | "auto"): TreeEngine {
  const { treeEngines, missing } = load();
  return choose(requested, treeEngines, missing);
}

function choose<T extends { readonly name: string }>(requested: string, all: readonly T[], missing?: string): T {
  if (requested === "auto") return all.at(-1)!;
  const found = all.find(({ name }) => name === requested);
  if (found !== undefined) return found;
  const available = [...all.map(({ name }) => name), "auto"].join(", ");
  throw new InputError(
    `PENSTOCK_KERNEL=${requested} is not available here, because ${missing ?? "this processor lacks it"}; ` +
      `available: ${available}`,
    2,
  );
}

/**
 * A kernel of the library. Lengths and whole numbers are checked here, the tables and the alignment of every address
 * there. Arrays are handed over as such and no address is kept from one call to the next: the engine may move the
 * values of an array that was made without a buffer, and then an address that was kept points at freed memory.
 */
function nativeKernel(name: KernelName, run: (...pointers: Pointers) => number): Kernel {
  const call = new Int32Array(new SharedArrayBuffer(12 * 4));
  call[0] = ABI;
  call[1] = KERNEL_NAMES.indexOf(name) - 1;

  function advance(
    plan: IndicatorPlan,
    bars: Float64Array,
    offset: number,
    stride: number,
    groups: number,
    count: number,
    state: Float64Array,
    out: Float64Array,
    each: number,
  ): void {
    const { table, numbers } = plan;
    const outputs = lengthOf(plan.outputRows, groups);
    call[2] = fits(table.length, 0);
    call[3] = fits(numbers.length, plan.steps.length * 4 + plan.windows.length);
    call[4] = fits(bars.length, offset + (groups - 1) * stride + count * BAR);
    call[5] = fits(state.length, lengthOf(plan.stateRows, groups));
    call[6] = fits(out.length, (count - 1) * each + outputs);
    call[7] = whole(offset);
    call[8] = whole(stride);
    call[9] = whole(groups);
    call[10] = whole(count);
    call[11] = whole(each);
    if (!(table.buffer instanceof SharedArrayBuffer && numbers.buffer instanceof SharedArrayBuffer)) {
      throw new TypeError("the tables of a plan live in shared buffers");
    }
    const error = run(call, table, numbers, bars, state, out);
    if (error !== 0) throw new RangeError(`kernel ${name} refused ${ERRORS[error] ?? error}`);
  }

  return {
    name,
    step(plan, bars, offset, stride, groups, state, out) {
      advance(plan, bars, offset, stride, groups, 1, state, out, 0);
    },
    run(plan, bars, offset, stride, groups, count, state, out, rows) {
      const each = rows === "all" ? lengthOf(plan.outputRows, groups) : 0;
      advance(plan, bars, offset, stride, groups, count, state, out, each);
    },
  };
}

/**
 * Trees of the library. What a call is given is checked here as far as lengths go, and there as far as numbers do; an
 * ensemble's nodes are checked once, when they are prepared.
 */
function nativeTreeEngine(name: KernelName, functions: Functions): TreeEngine {
  const kernel = KERNEL_NAMES.indexOf(name) - 1;
  const succeed = (error: number) => {
    if (error !== 0) throw new RangeError(`trees ${name} refused ${ERRORS[error] ?? error}`);
  };

  const grower: TreeGrower = {
    name,
    logisticGradients(scores, labels, weights, out) {
      const rows = scores.length;
      for (const length of [labels.length, weights.length, out.length / 2]) fits(length, rows);
      succeed(functions.penstock_logistic_gradients(kernel, scores, labels, weights, out, whole(rows)));
    },
    bin(rows, cuts) {
      const binned = emptyBins(rows, cuts);
      const call = Int32Array.of(TREES_ABI, kernel, whole(binned.rows), binned.stride, cuts.length, 0, 0, 0, 0, 0, 0);
      const bounds = new Float32Array(cuts.length * MISSING_BIN).fill(Number.POSITIVE_INFINITY);
      for (const [feature, own] of cuts.entries()) bounds.set(own, feature * MISSING_BIN);
      succeed(functions.penstock_bin(call, rows, bounds, binned.bins));
      return binned;
    },
    grow(binned, pairs, chosen, features, limits, leaves) {
      const { rows, stride, bins, cuts } = binned;
      const counts = Int32Array.from(cuts, ({ length }) => length);
      fits(bins.length, rows * stride);
      for (const length of [pairs.length / 2, leaves.length]) fits(length, rows);
      fits(limits.monotone.length, cuts.length);
      const { depth, threads } = limits;
      const constrained = limits.monotone.some((sign) => sign !== 0) ? 1 : 0;
      const sizes = [rows, stride, cuts.length, chosen.length, features.length, depth, threads].map(whole);
      const call = Int32Array.of(TREES_ABI, kernel, ...sizes, constrained, 0);
      const penalties = Float64Array.of(limits.lambda, limits.alpha, limits.gamma, limits.minChildWeight);
      const most = mostNodes(depth);
      const ints = new Int32Array(4 * most);
      const doubles = new Float64Array(3 * most);
      const { monotone } = limits;
      succeed(
        functions.penstock_grow(
          ...([call, penalties, bins, counts, monotone, pairs, chosen, features, leaves, ints, doubles] as const),
        ),
      );
      const part = <T extends Int32Array | Float64Array>(all: T, index: number) =>
        all.subarray(index * most, (index + 1) * most) as T;
      return {
        nodes: call.at(-1)!,
        feature: part(ints, 0),
        bin: part(ints, 1),
        missingLeft: part(ints, 2),
        left: part(ints, 3),
        gain: part(doubles, 0),
        cover: part(doubles, 1),
        weight: part(doubles, 2),
      };
    },
  };

  function prepare(ensemble: TreeEnsemble): TreePredictor {
    const { thresholds, links, values, roots, depths } = packTrees(ensemble);
    const width = ensemble.features.length;
    const call = Int32Array.of(TREES_ABI, kernel, whole(links.length), roots.length, width, 0);
    if (roots.length > 0) succeed(functions.penstock_check_nodes(call, thresholds, links, roots, depths));
    const link = linkOf(ensemble.objective);
    return (rows, out) => {
      const count = whole(rowCount(rows, width, out));
      out.fill(ensemble.base, 0, count);
      call[5] = count;
      if (count > 0 && roots.length > 0) {
        succeed(functions.penstock_walk(call, thresholds, links, values, roots, depths, rows, out));
      }
      if (ensemble.objective.kind !== "logistic") return;
      for (let row = 0; row < count; row++) out[row] = link(out[row]!);
    };
  }

  return { name, grower, prepare };
}

/** Where the values of an array lie. The program itself keeps no address; tests watch that nothing moves. */
export function addressOf(view: Float64Array): number {
  return ptr(view);
}

type Pointers = [Int32Array, Int32Array, Float64Array, Float64Array, Float64Array, Float64Array];

/** Lengths and places travel as 32-bit integers, in elements. */
const LARGEST = 2 ** 31 - 1;

function whole(x: number): number {
  if (Number.isInteger(x) && x >= 0 && x <= LARGEST) return x;
  throw new RangeError(`${x} is not a place or a number of things that a kernel can take`);
}

function fits(length: number, needed: number): number {
  if (needed <= length && length <= LARGEST) return length;
  throw new RangeError(`a kernel needs ${needed} elements where ${length} are given (at most ${LARGEST})`);
}

/**
 * Loads a library for good, so that others which are linked to its name find it.
 * @param symbol any function of it.
 * @throws the loader's error.
 */
export function preloadLibrary(path: string, symbol: string): void {
  dlopen(path, { [symbol]: { args: [], returns: "ptr" } });
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

const SOCKETS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
} as const;

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
/** Bytes of a socket's path (unix(7)). */
const SOCKET_PATH = 108;

/**
 * Opens the datagram socket on which a service manager listens (sd_notify(3)); Bun knows stream sockets only.
 * @param path NOTIFY_SOCKET: a path, or a name that begins with @.
 * @returns sends one text and says whether it was taken, without ever waiting; undefined where there is no such socket.
 */
export function openNotifySocket(path: string): ((text: string) => boolean) | undefined {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : path);
  const functions = process.platform === "linux" ? libc(SOCKETS) : undefined;
  if (functions === undefined || name.length === 0 || name.length >= SOCKET_PATH) return undefined;
  const file = functions.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (file < 0) return undefined;
  const address = Buffer.alloc(2 + SOCKET_PATH);
  new DataView(address.buffer, address.byteOffset).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  // The length tells an abstract name where it ends; a path ends with its zero.
  const length = 2 + name.length + (path.startsWith("@") ? 0 : 1);
  return (text) => {
    const bytes = Buffer.from(text);
    return functions.sendto(file, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL, address, length) === BigInt(bytes.length);
  };
}

const ENVIRONMENT = { setenv: { args: ["ptr", "ptr", "i32"], returns: "i32" } } as const;

/** Sets a variable for the system's own functions, which do not see what is assigned to process.env. */
export function setEnvironment(name: string, value: string): void {
  libc(ENVIRONMENT)?.setenv(Buffer.from(`${name}\0`), Buffer.from(`${value}\0`), 1);
}

const EXIT = { _exit: { args: ["i32"], returns: "void" } } as const;

/**
 * Ends the whole process from any of its threads, at once: nothing is flushed and nobody is asked. In a worker
 * process.exit ends no more than the worker.
 */
export function exitAtOnce(code: number): never {
  libc(EXIT)?._exit(code);
  // Where there is no such function: a signal that cannot be caught.
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable: this process has been ended");
}

import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KERNEL_FILE } from "../src/native.ts";
import { makeTemplate } from "../src/store/embedded/template.ts";

/**
 * Compiles dist/penstock. Each worker is an entry point of its own, and `--root .` keeps its path, so that
 * `new Worker("./src/analysis/worker.ts")` means the same in a checkout and in the binary. The binary must not pick up
 * a .env or bunfig.toml from the folder it happens to run in. No minifying: errors have to stay readable, and Elysia
 * reads the source of its handlers. Native kernels go in where they have been built. The embedded database is prepared
 * first, because the binary carries it.
 *
 * With --target it makes dist/penstock-TARGET for another machine, of that machine's Bun out of the package registry:
 * linux-x64-baseline for processors without AVX2, linux-arm64. The kernel's library is for x64 only; on arm64 the
 * portable kernel gives the same results.
 */
const TARGETS = {
  "linux-x64": { runtime: "bun-linux-x64", arch: "x64" },
  "linux-x64-baseline": { runtime: "bun-linux-x64-baseline", arch: "x64" },
  "linux-arm64": { runtime: "bun-linux-aarch64", arch: "arm64" },
} as const;

const root = join(import.meta.dir, "..");
const { target } = parseArgs({ options: { target: { type: "string" } } }).values;
if (target !== undefined && !isTarget(target)) {
  console.error(`--target ${target}: there are ${Object.keys(TARGETS).join(", ")}`);
  process.exit(2);
}

const entryPoints = [
  "src/main.ts",
  "src/analysis/worker.ts",
  "src/admin/worker.ts",
  "src/supervision/worker.ts",
  "src/models/process/blocking-worker.ts",
];
const options = ["--compile", "--root", ".", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
const arch = target === undefined ? process.arch : TARGETS[target].arch;
if (arch === process.arch && existsSync(join(root, "native/build", KERNEL_FILE))) {
  options.push("--asset", "./native/build");
}
// ONNX Runtime's library; its binding, which the bundler finds by itself, is linked to it.
const onnxRuntime = `./node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${arch}`;
if (existsSync(join(root, onnxRuntime))) options.push("--asset", onnxRuntime);
if (target !== undefined) {
  const { runtime } = TARGETS[target];
  options.push(`--target=${runtime}`, `--compile-executable-path=${runtimeOf(runtime)}`);
}
await makeTemplate(join(root, "dist/pglite-template.tgz"));
const outfile = target === undefined ? "dist/penstock" : `dist/penstock-${target}`;
const build = Bun.spawnSync([process.execPath, "build", ...options, "--outfile", outfile, ...entryPoints], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(build.exitCode);

function isTarget(name: string): name is keyof typeof TARGETS {
  return Object.hasOwn(TARGETS, name);
}

/** Bun for another machine: the package of this very version, unpacked once into dist/. */
function runtimeOf(runtime: string): string {
  const folder = join(root, "dist", "runtimes", `${runtime}-${Bun.version}`);
  const program = join(folder, "package", "bin", "bun");
  if (existsSync(program)) return program;
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const name = `@oven/${runtime}@${Bun.version}`;
  run(["npm", "pack", "--silent", "--pack-destination", draft, name]);
  run(["tar", "-xzf", join(draft, `oven-${runtime}-${Bun.version}.tgz`), "-C", draft]);
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
  return program;
}

function run(command: string[]): void {
  const { exitCode } = Bun.spawnSync(command, { stdio: ["ignore", "inherit", "inherit"] });
  if (exitCode === 0) return;
  console.error(`${command.join(" ")}: ended with code ${exitCode}`);
  process.exit(1);
}

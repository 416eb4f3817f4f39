import { existsSync } from "node:fs";
import { join } from "node:path";
import { KERNEL_FILE } from "../src/native.ts";
import { makeTemplate } from "../src/store/embedded/template.ts";

/**
 * Compiles dist/penstock. Each worker is an entry point of its own, and `--root .` keeps its path, so that
 * `new Worker("./src/analysis/worker.ts")` means the same in a checkout and in the binary. The binary must not pick up
 * a .env or bunfig.toml from the folder it happens to run in. No minifying: errors have to stay readable. Native
 * kernels go in where they have been built. The embedded database is prepared first, because the binary carries it.
 */
const root = join(import.meta.dir, "..");
const entryPoints = ["src/main.ts", "src/analysis/worker.ts", "src/admin/worker.ts", "src/supervision/worker.ts"];
const options = ["--compile", "--root", ".", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
if (existsSync(join(root, "native/build", KERNEL_FILE))) options.push("--asset", "./native/build");
// ONNX Runtime's library; its binding, which the bundler finds by itself, is linked to it.
const onnxRuntime = `./node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}`;
if (existsSync(join(root, onnxRuntime))) options.push("--asset", onnxRuntime);
await makeTemplate(join(root, "dist/pglite-template.tgz"));
const build = Bun.spawnSync([process.execPath, "build", ...options, "--outfile", "dist/penstock", ...entryPoints], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(build.exitCode);

import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import initdb from "../../../node_modules/@electric-sql/pglite/dist/initdb.wasm" with { type: "file" };
import data from "../../../node_modules/@electric-sql/pglite/dist/pglite.data" with { type: "file" };
import engine from "../../../node_modules/@electric-sql/pglite/dist/pglite.wasm" with { type: "file" };
import packageJson from "../../../node_modules/@electric-sql/pglite/package.json" with { type: "json" };
import { COMPILED } from "../../this-program.ts";

/** PGlite's three files as it wants them, from the package or from within the compiled program. */
export async function pgliteFiles() {
  const [pgliteWasmModule, initdbWasmModule] = await Promise.all(
    [engine, initdb].map(async (path) => WebAssembly.compile(await Bun.file(path).arrayBuffer())),
  );
  return { pgliteWasmModule: pgliteWasmModule!, initdbWasmModule: initdbWasmModule!, fsBundle: Bun.file(data) };
}

/** Where a checkout keeps the prepared cluster; a new release of PGlite makes its own. */
export const TEMPLATE = join(
  import.meta.dir,
  "../../../node_modules/.cache/penstock",
  `pglite-${packageJson.version}.tgz`,
);

/**
 * A prepared empty cluster. To make one (initdb) takes two seconds and a gigabyte that is not given back, so it is made
 * once, by a process of its own; the compiled program carries it.
 */
export async function templateOf(): Promise<Blob> {
  if (COMPILED) {
    // Made by tools/build.ts before it compiles.
    const { default: path } = await import("../../../dist/pglite-template.tgz", { with: { type: "file" } });
    return Bun.file(path);
  }
  if (!existsSync(TEMPLATE)) {
    const made = Bun.spawnSync([process.execPath, join(import.meta.dir, "make-template.ts"), TEMPLATE], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (!made.success) throw new Error("the embedded database could not be prepared");
  }
  return Bun.file(TEMPLATE);
}

/** Writes a prepared cluster; run in a process of its own, see `templateOf`. */
export async function makeTemplate(path: string): Promise<void> {
  const database = new PGlite({ ...(await pgliteFiles()) });
  await database.waitReady;
  const cluster = await database.dumpDataDir("gzip");
  await database.close();
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, new Uint8Array(await cluster.arrayBuffer()));
  renameSync(draft, path);
}

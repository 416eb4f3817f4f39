import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbedded } from "../../src/store/embedded/embedded-server.ts";
import { templateOf } from "../../src/store/embedded/template.ts";
import { openStore } from "../../src/store/store.ts";

/**
 * How long the embedded database takes to start and what memory its process takes, for the first time in a folder and
 * later: `bun bench/store/embedded.ts [ROUNDS]`. The store's time includes the schema's migrations.
 */
const rounds = Number(process.argv[2] ?? 5);
const TARGETS = { first: { ms: 1000, MB: 450 }, later: { ms: 500, MB: 250 } } as const;

/** Resident memory of a process, now and at its peak, MB. */
function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}

const samples = { first: [] as Sample[], later: [] as Sample[] };
interface Sample {
  readonly server: number;
  readonly store: number;
  readonly now: number;
  readonly peak: number;
}

// Made once per checkout, and part of the compiled program.
await templateOf();
for (let round = 0; round < rounds; round++) {
  const dataDir = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  try {
    for (const which of ["first", "later"] as const) {
      const begun = performance.now();
      const store = await openStore({ databaseUrl: "", dataDir });
      const opened = performance.now() - begun;
      const { now, peak } = memoryOf(store.embedded!.pid);
      await store.close();
      // The server alone, without migrations: in a folder of its own the first time.
      const alone = which === "first" ? mkdtempSync(join(tmpdir(), "penstock-bench-")) : dataDir;
      const again = performance.now();
      const server = await startEmbedded(alone);
      samples[which].push({ server: performance.now() - again, store: opened, now, peak });
      await server.stop();
      if (alone !== dataDir) rmSync(alone, { recursive: true, force: true });
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
for (const which of ["first", "later"] as const) {
  const of = (name: keyof Sample) => Math.round(median(samples[which].map((sample) => sample[name])));
  const { ms, MB } = TARGETS[which];
  process.stdout.write(
    `${which.padEnd(5)} start: server ${of("server")} ms (target ${ms}), with migrations ${of("store")} ms; ` +
      `memory ${of("now")} MB, peak ${of("peak")} MB (target ${MB})\n`,
  );
}

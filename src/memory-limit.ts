/**
 * Bun reserves a gigabyte for compiled code, which counts as data: under a limit it would go without its compiler, ten
 * times slower and without bun:ffi, and not say so. This much is plenty.
 */
const JIT_VARIABLE = "BUN_JSC_jitMemoryReservationSize";
const JIT_BYTES = 67_108_864;

/**
 * A command as it must be spawned for the process to have no more than so many megabytes of data: the shell sets
 * RLIMIT_DATA by setrlimit and becomes the program, whose process id, pipes and IPC channel stay what they are.
 *
 * The limit has to be there before the program starts: Bun reserves address space according to it, and aborts when it
 * is lowered later. An allocation beyond it fails inside of the program (`RangeError: Out of memory`), or, where the garbage
 * collector meets it, ends the program.
 */
export function withMemoryLimit(command: readonly string[], megabytes: number): string[] {
  if (!(Number.isInteger(megabytes) && megabytes > 0)) throw new RangeError(`a memory limit of ${megabytes} MB`);
  // `ulimit -d` counts in units of 1024 bytes.
  const blocks = Math.floor((megabytes * 1_000_000) / 1024);
  const script = `ulimit -d "$1" && shift && export ${JIT_VARIABLE}=${JIT_BYTES} && exec "$@"`;
  return ["/bin/sh", "-c", script, "sh", String(blocks), ...command];
}

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SmallDisk {
  readonly folder: string;
  /** Writes a file of this name until nothing fits any more; to be removed by whoever wants room again. */
  fill(name: string): void;
  remove(): void;
}

/** A disk of some megabytes under a folder, or undefined where nobody may make one. */
export function smallDisk(parent: string, megabytes: number): SmallDisk | undefined {
  const folder = join(parent, "disk");
  mkdirSync(folder);
  const size = `size=${megabytes}m`;
  const mount = () => Bun.spawnSync(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder]).exitCode;
  if (process.platform !== "linux" || process.getuid?.() !== 0 || mount() !== 0) return undefined;
  return {
    folder,
    fill(name) {
      for (let part = 1 << 20; part >= 1; part >>= 1) {
        try {
          for (;;) writeFileSync(join(folder, name), new Uint8Array(part), { flag: "a" });
        } catch {
          // As much as fits.
        }
      }
    },
    remove: () => void Bun.spawnSync(["umount", "-l", folder]),
  };
}

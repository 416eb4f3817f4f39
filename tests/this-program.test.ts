import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

// Elsewhere than on Linux the file can only be found by its path.
test.skipIf(!existsSync("/proc/self/exe"))(
  "the hash of a compiled program is of the one that runs, not of the one that has taken its place",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "penstock-program-"));
    try {
      const main = join(dir, "main.ts");
      const program = join(dir, "program");
      const module = JSON.stringify(join(import.meta.dir, "../src/this-program.ts"));
      writeFileSync(
        main,
        `import { programHash } from ${module};
         console.log("runs");
         for await (const _ of console) break;
         console.log(programHash());
         process.exit();`,
      );
      const built = Bun.spawnSync([process.execPath, "build", "--compile", main, "--outfile", program], { cwd: dir });
      expect(built.exitCode).toBe(0);
      const expected = createHash("sha256")
        .update(sha256(readFileSync(program)))
        .digest("hex");
      const child = Bun.spawn([program], { stdin: "pipe", stdout: "pipe" });
      const said = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      expect((await said.read()).value).toBe("runs\n");
      writeFileSync(join(dir, "new"), "another program");
      renameSync(join(dir, "new"), program);
      child.stdin.write("go on\n");
      await child.stdin.end();
      expect((await said.read()).value).toBe(`${expected}\n`);
      await child.exited;
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);

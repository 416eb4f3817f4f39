import { expect, test } from "bun:test";
import { chmodSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { extract } from "../src/extracted.ts";
import { temporaryFolder } from "./end-to-end/penstock.ts";

const mode = (path: string) => lstatSync(path).mode & 0o777;

function prepared() {
  const folder = temporaryFolder();
  const embedded = join(folder, "library.so");
  writeFileSync(embedded, "what the program carries");
  return { folder, embedded, cache: join(folder, "cache") };
}

test("a file lies in a folder of ours alone, and a second start takes the same one", () => {
  const { embedded, cache } = prepared();
  const path = extract(embedded, [cache]);
  expect(readFileSync(path, "utf8")).toBe("what the program carries");
  expect([mode(cache), mode(dirname(path)), mode(path)]).toEqual([0o700, 0o700, 0o500]);
  const { ino } = lstatSync(path);
  expect(extract(embedded, [cache])).toBe(path);
  expect(lstatSync(path).ino).toBe(ino);
});

test("whatever else lies there is replaced: changed bytes, a link, a folder, a file that others may write", () => {
  const { folder, embedded, cache } = prepared();
  const path = extract(embedded, [cache]);
  const elsewhere = join(folder, "elsewhere");
  writeFileSync(elsewhere, "what the program carries");
  const tampered: (() => void)[] = [
    () => {
      chmodSync(path, 0o700);
      writeFileSync(path, "what somebody else wants");
    },
    () => {
      Bun.spawnSync(["rm", path]);
      symlinkSync(elsewhere, path);
    },
    () => {
      Bun.spawnSync(["rm", path]);
      mkdirSync(path);
    },
    () => chmodSync(path, 0o777),
  ];
  for (const tamper of tampered) {
    tamper();
    expect(extract(embedded, [cache])).toBe(path);
    expect(lstatSync(path).isFile()).toBe(true);
    expect(readFileSync(path, "utf8")).toBe("what the program carries");
    expect(mode(path)).toBe(0o500);
  }
  expect(readFileSync(elsewhere, "utf8")).toBe("what the program carries");
});

test("a folder that others can enter is closed; a link or a file in its place is passed over, and said when none is left", () => {
  const { folder, embedded, cache } = prepared();
  mkdirSync(cache, { mode: 0o755 });
  extract(embedded, [cache]);
  expect(mode(cache)).toBe(0o700);
  const link = join(folder, "link");
  symlinkSync(cache, link);
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(extract(embedded, [link, file, cache])).toStartWith(`${cache}/`);
  expect(() => extract(embedded, [link, file])).toThrow(/no folder for library.so: .*link: it is no folder; .*file: /);
});

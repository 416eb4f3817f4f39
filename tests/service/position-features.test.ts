import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { CoreRecord } from "../../src/core/effects.ts";
import { ownerOf, PositionFeatures } from "../../src/service/position-features.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-positions-"));
afterAll(() => rmSync(folder, { recursive: true }));

const signal = (symbol: number, features?: Float32Array) =>
  ({ kind: "signal", candidate: { symbol, ...(features === undefined ? {} : { features }) } }) as CoreRecord;
const opened = (symbol: number) => ({ kind: "opened", symbol, leg: "both" }) as CoreRecord;
const closed = (symbol: number) => ({ kind: "closed", trade: { symbol, leg: "both" } }) as CoreRecord;

function open(name: string, mapped: boolean, owners: readonly number[] = []) {
  const { settings } = loadSettings({ DATA_DIR: join(folder, name), ENABLE_MEMORY_MAPPED_STORAGE: String(mapped) });
  const notices: string[] = [];
  return { features: PositionFeatures.open(settings, owners, (_, text) => notices.push(text)), notices };
}

test("a position has the row of its signal from its entry to its exit", () => {
  const { features, notices } = open("a", true);
  features.add(signal(4, Float32Array.of(1, 2)));
  features.add(signal(5));
  features.add(opened(4));
  features.add(opened(5));
  expect(features.store.owners()).toEqual([ownerOf(4, "both")]);
  expect([...features.store.read(ownerOf(4, "both"))!]).toEqual([1, 2]);
  features.add(closed(4));
  expect(features.store.counts).toMatchObject({ active: 0, released: 1 });
  features.close();
  expect(notices).toEqual([]);

  // The next run takes the file over, and gives up rows of positions that it does not have.
  const before = open("a", true);
  expect(before.features.store.opening).toEqual({ kind: "reopened", crashed: false, torn: 0 });
  for (const symbol of [1, 2]) {
    before.features.add(signal(symbol, Float32Array.of(symbol)));
    before.features.add(opened(symbol));
  }
  before.features.close();
  const after = open("a", true, [ownerOf(2, "both")]);
  expect(after.features.store.owners()).toEqual([ownerOf(2, "both")]);
  after.features.close();
});

test("two runs in one folder do not share a file: the second keeps its rows in memory and says so", () => {
  const first = open("b", true);
  const second = open("b", true);
  expect(second.features.store.opening).toEqual({ kind: "memory" });
  expect(second.notices[0]).toStartWith(`features are kept in memory: process ${process.pid} has `);
  first.features.close();
  second.features.close();
  const third = open("b", true);
  expect(third.features.store.opening.kind).toBe("reopened");
  third.features.close();
});

test("without ENABLE_MEMORY_MAPPED_STORAGE nothing is written", () => {
  const { features } = open("c", false);
  expect(features.store.opening).toEqual({ kind: "memory" });
  features.close();
  expect(existsSync(join(folder, "c"))).toBe(false);
});

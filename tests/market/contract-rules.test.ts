import { expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { USDT } from "../../src/core/instrument.ts";
import { InputError } from "../../src/input-error.ts";
import { contractsOf, readBrackets } from "../../src/market/contract-rules.ts";
import { instrument } from "../exchange/bars.ts";

function fileOf(content: unknown): string {
  const path = join(mkdtempSync(join(tmpdir(), "penstock-brackets-")), "brackets.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const BRACKET = { initialLeverage: 50, notionalCap: 5000, notionalFloor: 0, maintMarginRatio: 0.01, cum: 0 };

test("both forms of a bracket file are read, as text or numbers", () => {
  const expected = [{ maxLeverage: 50, cap: 5000n * BigInt(USDT), maintenanceRate: 1_000_000n, amount: 0n }];
  const text = Object.fromEntries(Object.entries(BRACKET).map(([name, value]) => [name, String(value)]));
  expect(readBrackets(fileOf([{ symbol: "S0USDT", brackets: [BRACKET] }])).get("S0USDT")).toEqual(expected);
  expect(readBrackets(fileOf({ "S0/USDT:USDT": [text] })).get("S0USDT")).toEqual(expected);
  expect(readBrackets(fileOf({ "S0/USDT:USDT-250926": [text] })).has("S0USDT-250926")).toBe(true);
});

test("a symbol that the file does not know keeps what is assumed, and that is said", () => {
  const file = fileOf([{ symbol: "S0USDT", brackets: [BRACKET] }]);
  const { instruments, contracts, assumptions } = contractsOf(
    [instrument("S0USDT"), instrument("S1USDT")],
    undefined,
    file,
  );
  expect(instruments.map(({ maxLeverage }) => maxLeverage)).toEqual([50, 20]);
  expect(contracts!.map(({ brackets }) => brackets[0]!.maintenanceRate)).toEqual([1_000_000n, 2_500_000n]);
  expect(assumptions[0]).toContain("S1USDT");
});

test("what is wrong with a file is said with its place", () => {
  const wrong: readonly (readonly [content: unknown, says: string])[] = [
    ["not json", "is not JSON"],
    [7, "leverage brackets are expected"],
    [[{ brackets: [BRACKET] }], "entry 0"],
    [{ "S0/USDT:USDT": [] }, "S0USDT has no list"],
    [[{ symbol: "S0USDT", brackets: [{ ...BRACKET, cum: "x" }] }], 'S0USDT: bracket 1: cum is "x"'],
    [[{ symbol: "S0USDT", brackets: [{ ...BRACKET, initialLeverage: 0 }] }], "initialLeverage is 0"],
  ];
  for (const [content, says] of wrong) {
    const file = fileOf(content);
    expect(() => readBrackets(file)).toThrow(InputError);
    expect(() => readBrackets(file)).toThrow(says);
    expect(() => readBrackets(file)).toThrow(file);
  }
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fundingSchedule } from "../../src/market/funding-rates.ts";
import { testRecorded } from "../recorded.ts";

const HOUR = 3_600_000;
/** A midnight. */
const T = 1_749_945_600_000;
let root = "";
let files = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "penstock-funding-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function fundingFile(...rows: string[]): string {
  const file = join(root, `funding-${files++}.csv`);
  writeFileSync(file, ["symbol,funding_time,funding_rate", ...rows, ""].join("\n"));
  return file;
}

function schedule(file: string | undefined, symbols = ["AUSDT"], from = T, to = T + 24 * HOUR) {
  const built = fundingSchedule({ symbols, from, to, file, assumedRate: 0.0001 });
  const { time, symbol, rate } = built.schedule;
  const list = [...time].map((at, index) => [(at - T) / HOUR, symbol[index]!, rate[index]!]);
  return { list, assumptions: built.assumptions };
}

describe("fundingSchedule", () => {
  test("assumes a rate every eight hours where nothing is recorded", () => {
    const { list, assumptions } = schedule(undefined, ["AUSDT", "BUSDT"], T + 1, T + 16 * HOUR);
    expect(list).toEqual([
      [8, 0, 10_000],
      [8, 1, 10_000],
    ]);
    expect(assumptions).toEqual(["Funding of all symbols: assumed, 0.01 % at 00:00, 08:00 and 16:00 UTC."]);
  });

  test("recorded rates count between their first and last, snapped to the hour within a minute", () => {
    const file = fundingFile(
      `AUSDT,${T + 4 * HOUR + 13},-0.02`,
      `AUSDT,${T + 9 * HOUR - 60_000},0.00012345`,
      `AUSDT,${T + 12.5 * HOUR},0`,
      `OTHER,${T},0.5`,
    );
    const { list, assumptions } = schedule(file);
    expect(list).toEqual([
      [0, 0, 10_000],
      [4, 0, -2_000_000],
      [9, 0, 12_345],
      [12.5, 0, 0],
      [16, 0, 10_000],
    ]);
    expect(assumptions.join()).toStartWith("Funding of AUSDT before and after the recorded rates: assumed");
  });

  test("a recorded rate at an 8-hour time takes the place of the assumed one", () => {
    const { list } = schedule(fundingFile(`AUSDT,${T + 8 * HOUR + 2},0.0002`));
    expect(list).toEqual([
      [0, 0, 10_000],
      [8, 0, 20_000],
      [16, 0, 10_000],
    ]);
  });

  test.each([
    ["a bad header", "x", [], ":1: the header must have"],
    ["a bad time", "", ["AUSDT,soon,0.1"], ':2: funding_time "soon"'],
    ["a bad rate", "", [`AUSDT,${T},0.1`, `AUSDT,${T + HOUR},`], ':3: funding_rate ""'],
    ["a rate in percent", "", [`AUSDT,${T},1.5`], "is not a fraction"],
    ["a short row", "", ["AUSDT,1"], ":2: the row has 2 cells, the header 3"],
    ["duplicates", "", [`AUSDT,${T},0.1`, `AUSDT,${T + 5},0.1`], ":3: AUSDT has funding at 2025-06-15T00:00:00Z twice"],
    ["disorder", "", [`AUSDT,${T + HOUR},0.1`, `AUSDT,${T},0.1`], ":3: AUSDT: funding_time goes back"],
  ])("refuses %s", (_, header, rows, message) => {
    const file = fundingFile(...rows);
    if (header !== "") writeFileSync(file, header);
    expect(() => schedule(file)).toThrow(file);
    expect(() => schedule(file)).toThrow(message);
  });

  for (const part of ["2023-2024", "2025-04", "2025-06"]) {
    testRecorded(
      `reads the recorded rates of ${part}`,
      `market/funding/binance-usdm-funding-${part}.csv.gz`,
      (file) => {
        const from = Date.UTC(2023, 0, 1);
        const to = Date.UTC(2026, 0, 1);
        const { schedule: built } = fundingSchedule({ symbols: ["BTCUSDT"], from, to, file, assumedRate: 0 });
        expect(built.rate.some((rate) => rate !== 0)).toBe(true);
        expect(built.time.every((time) => time % HOUR === 0)).toBe(true);
      },
    );
  }
});

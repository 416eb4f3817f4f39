import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { structureEvents } from "../../src/inspect/structure.ts";
import { testRecorded } from "../recorded.ts";
import { readBars } from "./bars.ts";

const FOLDER = "vectors/smc/EURUSD";

/** Rows of a result file of the reference; empty cells are NaN. The file has one row per bar. */
function results(path: string): number[][] {
  const bytes = readFileSync(path);
  const text = path.endsWith(".gz") ? gunzipSync(bytes).toString() : bytes.toString();
  return text
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").map((cell) => (cell.trim() === "" ? Number.NaN : Number(cell))));
}

testRecorded(
  "fair value gaps have the reference's bounds, known one bar after where it marks them",
  FOLDER,
  (folder) => {
    const bars = readBars(`${folder}/EURUSD_15M.csv.gz`, "15m");
    const expected = results(`${folder}/fvg_result_data.csv.gz`);
    const indexOf = new Map(Array.from(bars.openTime, (time, index) => [time, index]));

    const ours = new Map<number, string>();
    for (const line of structureEvents(bars)) {
      if (line.kind !== "gap" || line.event !== "confirmed") continue;
      const middle = indexOf.get(line.formedAt)!;
      expect(indexOf.get(line.at)).toBe(middle + 1);
      ours.set(middle, `${line.direction} ${line.bottom} ${line.top}`);
    }

    let compared = 0;
    let plain = 0;
    expected.forEach(([direction, top, bottom], middle) => {
      if (Number.isNaN(direction!)) {
        // The one difference: the reference wants the middle candle to point the gap's way.
        const gap = ours.get(middle);
        if (gap === undefined) return;
        const body = bars.close[middle]! - bars.open[middle]!;
        expect(gap.startsWith("bullish") ? body <= 0 : body >= 0).toBe(true);
        plain++;
        return;
      }
      expect(ours.get(middle)).toBe(`${direction! > 0 ? "bullish" : "bearish"} ${bottom} ${top}`);
      compared++;
    });
    expect(compared).toBeGreaterThan(5_000);
    expect(plain).toBeLessThan(compared / 20);
  },
);

testRecorded("the reference's swings are among ours, known four bars after where it marks them", FOLDER, (folder) => {
  const bars = readBars(`${folder}/EURUSD_15M.csv.gz`, "15m");
  const expected = results(`${folder}/swing_highs_lows_result_data.csv`);
  const indexOf = new Map(Array.from(bars.openTime, (time, index) => [time, index]));

  const ours = new Set<string>();
  for (const line of structureEvents(bars, { swingLength: 4 })) {
    if (line.kind !== "swing" || line.event !== "confirmed") continue;
    expect(indexOf.get(line.at)).toBe(indexOf.get(line.formedAt)! + 4);
    ours.add(`${line.direction} ${indexOf.get(line.formedAt)} ${line.price}`);
  }

  // The reference's window is 4 bars before and 5 after; it then drops all but the most extreme of neighbouring swings
  // of one kind, and plants one on the first and the last bar. Ours are therefore more, and a tie is theirs twice.
  const swings = expected.flatMap(([side, price], index) =>
    Number.isNaN(side!) ? [] : [{ side: side!, price: price!, index }],
  );
  let same = 0;
  for (const { side, price, index } of swings.slice(1, -1)) {
    if (ours.has(`${side > 0 ? "high" : "low"} ${index} ${price}`)) {
      same++;
      continue;
    }
    const column = side > 0 ? bars.high : bars.low;
    expect(column.subarray(index - 4, index).includes(price)).toBe(true);
  }
  expect(same).toBeGreaterThan(0.95 * swings.length);
});

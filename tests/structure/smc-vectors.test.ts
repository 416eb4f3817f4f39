import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { PreviousLevel } from "../../src/core/strategy.ts";
import { structureEvents } from "../../src/inspect/structure.ts";
import { StructureTracker } from "../../src/structure/tracker.ts";
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
    if (line.kind !== "swing" || line.scale !== "internal" || line.event !== "confirmed") continue;
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

testRecorded("a break of the reference is ours at the same bar, or we know why not", FOLDER, (folder) => {
  const bars = readBars(`${folder}/EURUSD_15M.csv.gz`, "15m");
  const indexOf = new Map(Array.from(bars.openTime, (time, index) => [time, index]));
  const internal = structureEvents(bars, { swingLength: 4 }).filter(
    ({ scale, event }) => scale === "internal" && event === "confirmed",
  );
  const breaks = new Set(
    internal
      .filter(({ kind }) => kind === "break")
      .map(({ direction, at, price }) => `${direction} ${indexOf.get(at)} ${price}`),
  );
  const swings = internal
    .filter(({ kind }) => kind === "swing")
    .map(({ direction, formedAt, at, price }) => ({
      direction,
      price,
      formed: indexOf.get(formedAt)!,
      confirmed: indexOf.get(at)!,
    }));

  const count = { same: 0, newerSwing: 0, closeAtThePrice: 0, tie: 0, beforeKnown: 0 };
  for (const [index, [bos, choch, level, brokenAt]] of results(`${folder}/bos_choch_result_data.csv`).entries()) {
    const side = Number.isNaN(bos!) ? choch! : bos!;
    if (Number.isNaN(side) || Number.isNaN(brokenAt!)) continue;
    if (breaks.has(`${side > 0 ? "bullish" : "bearish"} ${brokenAt} ${level}`)) {
      count.same++;
      continue;
    }
    const direction = side > 0 ? "high" : "low";
    const swing = swings.find((each) => each.direction === direction && each.formed === index);
    // Of equal extremes the reference takes the last, we the first; and it breaks swings that are none yet.
    if (swing === undefined) count.tie++;
    else if (brokenAt! <= swing.confirmed) count.beforeKnown++;
    else if (swings.some((each) => each.direction === direction && between(each.confirmed, swing.confirmed, brokenAt!)))
      count.newerSwing++;
    else {
      // What is left are closes at the very price of the swing, which is no break of ours.
      expect(bars.close[brokenAt!]).toBe(level!);
      count.closeAtThePrice++;
    }
  }
  expect(count).toEqual({ same: 890, newerSwing: 217, closeAtThePrice: 14, tie: 7, beforeKnown: 1 });
});

function between(value: number, after: number, before: number): boolean {
  return value > after && value < before;
}

testRecorded(
  "previous days are the reference's, one bar earlier; its previous weeks are the ones before",
  FOLDER,
  (folder) => {
    const bars = readBars(`${folder}/EURUSD_15M.csv.gz`, "15m");
    const days = results(`${folder}/previous_high_low_result_data_1D.csv.gz`);
    const weeks = results(`${folder}/previous_high_low_result_data_W.csv.gz`);
    const tracker = new StructureTracker({ timeframe: "15m" });
    const pair = (period: PreviousLevel["period"]) =>
      tracker.view.levels.filter((level) => level.period === period).map(({ price }) => price);
    let week: number[] = [];
    let weekBefore: number[] = [];
    const compared = { days: 0, firstBars: 0, weeks: 0 };
    for (let i = 0; i < bars.openTime.length; i++) {
      const before = pair("day");
      tracker.advance(bars.openTime[i]!, bars.open[i]!, bars.high[i]!, bars.low[i]!, bars.close[i]!, bars.volume[i]!);
      const now = pair("week");
      if (String(now) !== String(week)) {
        weekBefore = week;
        week = now;
      }
      const [dayHigh, dayLow] = days[i]!;
      if (!Number.isNaN(dayHigh!)) {
        // On the bar of midnight it still shows the day before the previous.
        const first = bars.openTime[i]! % DAY === 0;
        expect(first ? before : pair("day")).toEqual([dayHigh!, dayLow!]);
        if (first) compared.firstBars++;
        else compared.days++;
      }
      const [weekHigh, weekLow] = weeks[i]!;
      if (Number.isNaN(weekHigh!)) continue;
      expect(weekBefore).toEqual([weekHigh!, weekLow!]);
      compared.weeks++;
    }
    expect(compared).toEqual({ days: 24_075, firstBars: 252, weeks: 23_464 });
  },
);

const DAY = 86_400_000;

testRecorded("London sessions have the reference's ranges up to its extra bar of 16:00", FOLDER, (folder) => {
  const bars = readBars(`${folder}/EURUSD_15M.csv.gz`, "15m");
  const indexOf = new Map(Array.from(bars.openTime, (time, index) => [time, index]));
  const expected = results(`${folder}/sessions_result_data.csv.gz`);
  let compared = 0;
  for (const line of structureEvents(bars)) {
    if (line.kind !== "session" || line.session !== "london" || line.event !== "confirmed") continue;
    // It confirms with the first bar after; the reference's running range of the bar before is that of the session.
    const [active, high, low] = expected[indexOf.get(line.at)! - 1]!;
    expect([active!, high!, low!]).toEqual([1, line.top!, line.bottom!]);
    compared++;
  }
  expect(compared).toBeGreaterThan(250);
});

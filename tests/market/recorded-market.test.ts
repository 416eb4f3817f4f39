import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { InputError } from "../../src/input-error.ts";
import { ABSENT, FLAT, REAL } from "../../src/market/bar-source.ts";
import { openRecordedMarket, type RecordedMarketOptions } from "../../src/market/recorded-market.ts";
import { testRecorded } from "../recorded.ts";

const MINUTE = 60_000;
/** A multiple of 8 hours. */
const T = 1_749_974_400_000;
let root = "";
let folders = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "penstock-recorded-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A row per minute given; prices tell the minute. */
function csv(minutes: readonly number[], step = MINUTE): string {
  const rows = minutes.map((m) => `${T + m * step},${100 + m}.5,${101 + m}.25,${99 + m},${100 + m}.75,${m + 1}.125`);
  return ["open_time,open,high,low,close,volume", ...rows, ""].join("\n");
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function folder(files: Record<string, string | Uint8Array>): string {
  const dir = join(root, `${folders++}`);
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
}

function open(dir: string, more: Partial<RecordedMarketOptions> = {}) {
  return openRecordedMarket({ dir, assumedFundingRate: 0.0001, ...more });
}

function refusal(run: () => unknown): { message: string; exitCode: number } {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return { message: error.message, exitCode: error.exitCode };
    throw error;
  }
  throw new Error("no error");
}

/** Every step as plain values. */
function unroll(market: ReturnType<typeof open>) {
  const steps = [];
  for (let step = market.step(); step !== undefined; step = market.step()) {
    steps.push({
      minute: (step.openTime - T) / MINUTE,
      status: [...step.status],
      close: [...step.close],
      volume: [...step.volume],
      listed: [...step.listed],
      delisted: [...step.delisted],
      funding: step.funding.map((funding) => ({ ...funding })),
    });
  }
  return steps;
}

describe("openRecordedMarket", () => {
  test("bars that are played once are the same, and are let go of when they have passed", () => {
    const rows = range(0, 3000).filter((m) => m % 700 !== 5);
    const dir = folder({ "AAAUSDT-1m.csv": csv(rows), "BBBUSDT-1m.csv": csv(range(1800, 2100)) });
    const kept = open(dir);
    const once = open(dir, { once: true });
    const copies = spyOn(Float64Array.prototype, "set");
    expect(unroll(once)).toEqual(unroll(kept));
    // Six columns of the long history whenever a quarter of it has passed, of the short one after its end.
    const lengths = copies.mock.calls.map(([from]) => (from as Float64Array).length);
    copies.mockRestore();
    expect(lengths.filter((_, i) => i % 6 === 0).length).toBeGreaterThan(2);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(3 * 6 * 3000);
    expect(once.dataHash).toBe(kept.dataHash);
    expect(() => once.share(0, 1)).toThrow("cannot be shared");
  });

  test("steps over the common grid, in ticks, symbols sorted", () => {
    const market = open(
      folder({ "x-BBBUSDT-1m.csv": csv(range(2, 5)), "AAAUSDT-1m-2025.csv.gz": gzipSync(csv([0, 1, 2, 3, 4])) }),
    );
    expect(market.instruments.map(({ symbol }) => symbol)).toEqual(["AAAUSDT", "BBBUSDT"]);
    expect([market.timeframe, market.start, market.steps, market.bars]).toEqual([MINUTE, T, 5, 8]);
    expect(market.sourceFiles).toEqual(["AAAUSDT-1m-2025.csv.gz", "x-BBBUSDT-1m.csv"]);
    const steps = unroll(market);
    expect(steps.map(({ status }) => status)).toEqual([
      [REAL, ABSENT],
      [REAL, ABSENT],
      [REAL, REAL],
      [REAL, REAL],
      [REAL, REAL],
    ]);
    expect(steps.map(({ listed }) => listed)).toEqual([[0], [], [1], [], []]);
    expect(steps[3]!.close).toEqual([10_375, 10_375]);
    expect(steps[3]!.volume).toEqual([4.125, 4.125]);
  });

  test("bridges ten missing bars, delists at the eleventh and relists", () => {
    const ten = unroll(open(folder({ "AUSDT-1m.csv": csv([0, ...range(11, 13)]) })));
    expect(ten.map(({ status }) => status[0])).toEqual([REAL, ...range(0, 10).map(() => FLAT), REAL, REAL]);
    expect(ten.flatMap(({ delisted }) => delisted)).toEqual([]);
    expect([ten[10]!.close[0], ten[10]!.volume[0]]).toEqual([10_075, 0]);

    const eleven = unroll(open(folder({ "AUSDT-1m.csv": csv([0, ...range(12, 14)]) })));
    expect(eleven.map(({ status }) => status[0])).toEqual([REAL, ...range(0, 10).map(() => FLAT), ABSENT, REAL, REAL]);
    expect(eleven.filter(({ delisted }) => delisted.length > 0).map(({ minute }) => minute)).toEqual([11]);
    expect(eleven.filter(({ listed }) => listed.length > 0).map(({ minute }) => minute)).toEqual([0, 12]);
  });

  test("treats the end of a symbol's file like any gap, and nobody is delisted by the end of the run", () => {
    const steps = unroll(open(folder({ "AUSDT-1m.csv": csv(range(0, 3)), "BUSDT-1m.csv": csv(range(0, 30)) })));
    expect(steps.map(({ status }) => status[0])).toEqual([
      ...range(0, 3).map(() => REAL),
      ...range(0, 10).map(() => FLAT),
      ...range(0, 17).map(() => ABSENT),
    ]);
    expect(steps.flatMap(({ minute, delisted }) => delisted.map((symbol) => [minute, symbol]))).toEqual([[13, 0]]);
  });

  test("does not let a step depend on later rows", () => {
    const files = (rows: number[]) => folder({ "AUSDT-1m.csv": csv(rows), "BUSDT-1m.csv": csv(range(0, 40)) });
    const whole = unroll(open(files([...range(0, 5), 9, ...range(30, 40)])));
    for (const cut of [5, 7, 12, 25]) {
      const until = unroll(open(files([...range(0, 5), 9, ...range(30, 40)]), { to: T + cut * MINUTE }));
      expect(until).toEqual(whole.slice(0, cut));
    }
  });

  test("joins files of one symbol and refuses an overlap, naming both", () => {
    const joined = open(folder({ "AUSDT-1m-2.csv": csv(range(3, 6)), "AUSDT-1m-1.csv": csv(range(0, 3)) }));
    expect(joined.bars).toBe(6);
    expect(unroll(joined)).toEqual(unroll(open(folder({ "AUSDT-1m.csv": csv(range(0, 6)) }))));
    const { message } = refusal(() =>
      open(folder({ "AUSDT-1m-1.csv": csv(range(0, 5)), "AUSDT-1m-2.csv": csv(range(3, 8)) })),
    );
    expect(message).toContain("AUSDT-1m-1.csv and ");
    expect(message).toContain(
      "AUSDT-1m-2.csv overlap: both have AUSDT from 2025-06-15T08:03:00Z to 2025-06-15T08:04:00Z",
    );
  });

  test("hashes what is fed in, not how it is packed", () => {
    const rows = csv(range(0, 20));
    const hash = open(folder({ "AUSDT-1m.csv": rows })).dataHash;
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    const extra = rows
      .split("\n")
      .map((line, index) => (line === "" ? "" : `${line},${index === 0 ? "trades" : 5}`))
      .join("\n");
    expect(open(folder({ "other-AUSDT-1m-x.csv.gz": gzipSync(rows) })).dataHash).toBe(hash);
    expect(open(folder({ "AUSDT-1m.csv": extra })).dataHash).toBe(hash);
    expect(open(folder({ "AUSDT-1m-1.csv": csv(range(0, 9)), "AUSDT-1m-2.csv": csv(range(9, 20)) })).dataHash).toBe(
      hash,
    );
    expect(open(folder({ "AUSDT-1m.csv": csv(range(0, 40)) }), { to: T + 20 * MINUTE }).dataHash).toBe(hash);
    expect(open(folder({ "AUSDT-1m.csv": rows.replace(",1.125\n", ",1.25\n") })).dataHash).not.toBe(hash);
    expect(open(folder({ "BUSDT-1m.csv": rows })).dataHash).not.toBe(hash);
    expect(open(folder({ "AUSDT-1m.csv": rows }), { assumedFundingRate: 0 }).dataHash).not.toBe(hash);
  });

  test("keeps to one timeframe", () => {
    const dir = folder({ "AUSDT-1m.csv": csv(range(0, 3)), "AUSDT-5m.csv": csv(range(0, 3), 5 * MINUTE) });
    expect(refusal(() => open(dir))).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining("mixes the timeframes 1m, 5m"),
    });
    expect(open(dir, { timeframe: "5m" }).timeframe).toBe(5 * MINUTE);
    expect(refusal(() => open(dir, { timeframe: "15m" })).message).toContain("has no 15m bars, only 1m, 5m");
    expect(refusal(() => open(dir, { timeframe: "7m" })).message).toContain("allowed are 1m, 5m, 15m, 1h");
  });

  test("chooses symbols and suggests near ones", () => {
    const dir = folder({ "ALDERUSDT-1m.csv": csv([0]), "BASALTUSDT-1m.csv": csv([0]) });
    expect(open(dir, { symbols: ["BASALTUSDT"] }).instruments.map(({ symbol }) => symbol)).toEqual(["BASALTUSDT"]);
    expect(refusal(() => open(dir, { symbols: ["BASALT"] }))).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('symbol "BASALT" has no file'),
    });
    expect(refusal(() => open(dir, { symbols: ["ADLERUSDT"] })).message).toContain("near it are ALDERUSDT");
  });

  test("checks from and to against the data", () => {
    const dir = folder({ "AUSDT-1m.csv": csv(range(0, 10)) });
    expect(refusal(() => open(dir, { from: T + 5, to: T + 5 }))).toMatchObject({ exitCode: 2 });
    expect(refusal(() => open(dir, { from: T + 10 * MINUTE })).message).toContain("is too late: the bars in");
    expect(refusal(() => open(dir, { to: T })).message).toContain("is too early");
    expect(open(dir, { from: T + 5 * MINUTE }).start).toBe(T);
    const beyond = open(dir, { to: T + 99 * MINUTE });
    expect(beyond.steps).toBe(10);
    expect(beyond.assumptions.join()).toContain("lies after the last bar");
  });

  test("names folder or file when something is missing or damaged", () => {
    expect(refusal(() => open(join(root, "nowhere"))).message).toContain("nowhere: no such folder");
    expect(refusal(() => open(folder({}))).message).toContain("the folder holds no files");
    expect(refusal(() => open(folder({ "notes.txt": "" }))).message).toContain("no file there holds bars");
    const packed = gzipSync(csv(range(0, 50)));
    for (const damaged of [packed.subarray(0, packed.length - 20), packed.subarray(5), new Uint8Array(0)]) {
      const { message, exitCode } = refusal(() => open(folder({ "AUSDT-1m.csv.gz": damaged })));
      expect(message).toContain("AUSDT-1m.csv.gz");
      expect(exitCode).toBe(1);
    }
  });

  test("exchanges funding while a symbol is listed, flat bars included", () => {
    const eight = 480;
    const dir = folder({
      "AUSDT-1m.csv": csv([eight - 3, eight + 3]),
      "BUSDT-1m.csv": csv([0, 1, ...range(eight + 1, eight + 4)]),
    });
    const funding = unroll(open(dir)).flatMap((step) => step.funding);
    expect(funding).toEqual([
      { time: T, symbol: 1, rate: 10_000, mark: 0 },
      { time: T + eight * MINUTE, symbol: 0, rate: 10_000, mark: 0 },
    ]);
  });

  test("reports progress", () => {
    const seen: string[] = [];
    const dir = folder({ "AUSDT-1m.csv": csv([0]), "BUSDT-1m.csv": csv([0, 1]) });
    open(dir, { onProgress: ({ files, filesTotal, rows }) => seen.push(`${files}/${filesTotal} ${rows}`) });
    expect(seen).toEqual(["1/2 1", "2/2 3"]);
  });

  testRecorded("reads the crash month as it is", "market/m5-wide-2025-10", (dir) => {
    const market = open(dir);
    expect([market.instruments.length, market.timeframe]).toEqual([57, 300_000]);
    let real = 0;
    for (let step = market.step(); step !== undefined; step = market.step()) {
      for (let symbol = 0; symbol < step.status.length; symbol++) {
        if (step.status[symbol] === ABSENT) continue;
        real += step.status[symbol] === REAL ? 1 : 0;
        const [o, h, l, c] = [step.open[symbol]!, step.high[symbol]!, step.low[symbol]!, step.close[symbol]!];
        if (!(Number.isInteger(o) && Number.isInteger(c) && l >= 1 && l <= o && o <= h && l <= c && c <= h)) {
          throw new Error(`${market.instruments[symbol]!.symbol} at ${step.openTime}: ${[o, h, l, c]}`);
        }
      }
    }
    expect(real).toBe(market.bars);
    expect(market.instruments.find(({ symbol }) => symbol === "BTCUSDT")).toMatchObject({
      priceDecimals: 1,
      quantityDecimals: 3,
    });
  });
});

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { ABSENT, type BarSource } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";

const MINUTE = 60_000;
const START = 1_767_225_600_000;

function fingerprint(market: BarSource, steps: number): string {
  const hash = createHash("sha256");
  for (let index = 0; index < steps; index++) {
    const step = market.step()!;
    hash.update(`${step.openTime} ${step.listed} ${JSON.stringify(step.funding)}`);
    for (const column of [step.open, step.high, step.low, step.close, step.volume]) hash.update(column);
  }
  return hash.digest("hex");
}

describe("generateMarket", () => {
  test("gives the same bars for the same seed, others for another", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 48 }), (a, b, symbols) => {
        const of = (seed: number) => fingerprint(generateMarket({ seed, symbols, start: START }), 50);
        expect(of(a)).toBe(of(a));
        if (a !== b) expect(of(a)).not.toBe(of(b));
      }),
      { numRuns: 30 },
    );
  });

  test("gives these bars on every machine", () => {
    const market = generateMarket({ seed: 1, symbols: 3, start: START });
    expect(fingerprint(market, 2_000)).toMatchInlineSnapshot(
      `"99ffa87e8e4955f07ff2c55306a19e71bce2d65f46bdc2426b729b349895eb41"`,
    );
    expect(market.dataHash).toMatchInlineSnapshot(`"c4eee56b540c4cf350e8cfe5569a88b4b72189be5cf501d8bdd759b64a95f15b"`);
  });

  test("stays sane over 100,000 steps", () => {
    const market = generateMarket({ seed: 11, symbols: 12, start: START });
    const first = market.step()!.open.slice();
    let up = 0;
    let down = 0;
    const rates: number[] = [];
    const previous = first.slice();
    for (let index = 1; index < 100_000; index++) {
      const { open, high, low, close, volume, funding } = market.step()!;
      for (let symbol = 0; symbol < first.length; symbol++) {
        const [o, h, l, c] = [open[symbol]!, high[symbol]!, low[symbol]!, close[symbol]!];
        const whole = Number.isInteger(o) && Number.isInteger(h) && Number.isInteger(l) && Number.isInteger(c);
        const bounded = c > first[symbol]! / 40 && c < first[symbol]! * 40;
        if (!(whole && l >= 1 && l <= o && l <= c && o <= h && c <= h && volume[symbol]! > 0 && bounded)) {
          throw new Error(`step ${index}, symbol ${symbol}: ${[o, h, l, c, volume[symbol]]}`);
        }
        if (index > 1 && o !== previous[symbol]) throw new Error(`step ${index} opens away from the close`);
        previous[symbol] = c;
        if (c > o) up++;
        if (c < o) down++;
      }
      for (const { rate, time } of funding) {
        expect(time % (480 * MINUTE)).toBe(0);
        rates.push(rate);
      }
    }
    expect(up / down).toBeWithin(0.97, 1.03);
    // Two or three of the twelve come and go.
    const most = 12 * Math.floor(99_999 / 480);
    expect(rates.length).toBeWithin(most * 0.85, most + 1);
    expect(rates.every((rate) => Number.isInteger(rate) && Math.abs(rate) <= 300_000)).toBe(true);
    expect(new Set(rates).size).toBeGreaterThan(100);
  });

  test("leaves gaps about as often as real five-minute bars do, and trades more when it moves more", () => {
    const market = generateMarket({ seed: 3, symbols: 8, start: START, timeframe: 5 * MINUTE });
    const bars = Array.from({ length: 3_000 }, () => {
      const { open, high, low, close, volume } = market.step()!;
      return { open: [...open], high: [...high], low: [...low], close: [...close], volume: [...volume] };
    });
    let gaps = 0;
    for (let index = 2; index < bars.length; index++) {
      for (let symbol = 0; symbol < 8; symbol++) {
        const [first, third] = [bars[index - 2]!, bars[index]!];
        if (third.low[symbol]! > first.high[symbol]! || third.high[symbol]! < first.low[symbol]!) gaps++;
      }
    }
    // 0.226 in the first nine days of October 2025 over 57 perpetuals.
    expect(gaps / (bars.length - 2) / 8).toBeWithin(0.12, 0.35);
    const moves = bars.map(({ open, close, volume }) => ({
      move: Math.abs(close[0]! / open[0]! - 1),
      volume: volume[0]!,
    }));
    moves.sort((a, b) => a.move - b.move);
    const mean = (list: typeof moves) => list.reduce((sum, { volume }) => sum + volume, 0) / list.length;
    expect(mean(moves.slice(-500))).toBeGreaterThan(2 * mean(moves.slice(0, 500)));
  });

  test("volatility clusters, tails are fat, and busy minutes are wild ones", () => {
    const symbols = 6;
    const market = generateMarket({ seed: 5, symbols, start: START });
    const steps = 20_000;
    const moves = Array.from({ length: symbols }, () => new Float64Array(steps));
    const volumes = Array.from({ length: symbols }, () => new Float64Array(steps));
    for (let index = 0; index < steps; index++) {
      const { open, close, volume } = market.step()!;
      for (let symbol = 0; symbol < symbols; symbol++) {
        moves[symbol]![index] = close[symbol]! / open[symbol]! - 1;
        volumes[symbol]![index] = volume[symbol]!;
      }
    }
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const correlation = (a: Float64Array, b: Float64Array) => {
      const [atA, atB] = [mean(a), mean(b)];
      const covariance = mean(a.map((value, index) => (value - atA) * (b[index]! - atB)));
      return (
        covariance / Math.sqrt(mean(a.map((value) => (value - atA) ** 2)) * mean(b.map((value) => (value - atB) ** 2)))
      );
    };
    // Regimes alone come to 0.35.
    const nextMinute = moves.map((list) =>
      correlation(list.map(Math.abs).subarray(1), list.map(Math.abs).subarray(0, -1)),
    );
    expect(mean(Float64Array.from(nextMinute))).toBeGreaterThan(0.38);
    for (let symbol = 0; symbol < symbols; symbol++) {
      const list = moves[symbol]!;
      const sizes = list.map(Math.abs);
      // A normal distribution has 3; minute bars of perpetuals have 10 and more.
      expect(mean(list.map((move) => move ** 4)) / mean(list.map((move) => move ** 2)) ** 2).toBeGreaterThan(5);
      // The size of a move tells of the next ones, its sign does not.
      for (const lag of [1, 10, 60]) {
        expect(correlation(sizes.subarray(lag), sizes.subarray(0, -lag))).toBeGreaterThan(0.05);
      }
      expect(correlation(sizes, volumes[symbol]!)).toBeGreaterThan(0.3);
    }
  });

  test("has crashes that take all symbols along, marks without wicks, and symbols that come and go", () => {
    const market = generateMarket({ seed: 4, symbols: 24, start: START });
    let crashes = 0;
    let left = 0;
    let came = 0;
    let wicks = 0;
    const listed = new Set<number>();
    const before = new Float64Array(24);
    for (let index = 0; index < 40_000; index++) {
      const { open, high, low, close, mark, status, listed: news, delisted } = market.step()!;
      for (const symbol of delisted) expect(listed.delete(symbol)).toBe(true);
      for (const symbol of news) {
        expect(listed.has(symbol)).toBe(false);
        listed.add(symbol);
      }
      left += delisted.length;
      came += index > 0 ? news.length : 0;
      let falling = 0;
      for (let symbol = 0; symbol < 24; symbol++) {
        expect(status[symbol] !== ABSENT).toBe(listed.has(symbol));
        const [top, bottom] = [mark!.high[symbol]!, mark!.low[symbol]!];
        if (!(low[symbol]! <= bottom && bottom <= top && top <= high[symbol]!))
          throw new Error(`mark at step ${index}`);
        if (top < high[symbol]! || bottom > low[symbol]!) wicks++;
        if (mark!.open[symbol] !== open[symbol] || mark!.close[symbol] !== close[symbol])
          throw new Error("mark's ends");
      }
      if (index % 15 === 0) {
        for (let symbol = 0; symbol < 24; symbol++) {
          if (index > 0 && close[symbol]! < before[symbol]! * 0.97) falling++;
          before[symbol] = close[symbol]!;
        }
        if (falling >= 20) crashes++;
      }
    }
    expect(crashes).toBeWithin(2, 40);
    expect(left).toBeGreaterThan(3);
    expect(came).toBeGreaterThan(2);
    expect(listed.has(0)).toBe(true);
    expect(wicks).toBeGreaterThan(24 * 20_000);
  });

  test("starts the history early and lists everyone in the first step", () => {
    const market = generateMarket({ seed: 2, symbols: 4, start: START, timeframe: 5 * MINUTE, historySteps: 10 });
    expect([market.start, market.steps, market.bars]).toEqual([START - 50 * MINUTE, Infinity, Infinity]);
    expect(market.step()!.listed).toEqual([0, 1, 2, 3]);
    const second = market.step()!;
    expect([second.openTime, second.listed.length]).toEqual([START - 45 * MINUTE, 0]);
    const names = market.instruments.map(({ symbol }) => symbol);
    expect(names).toEqual([...names].sort());
    const most = generateMarket({ seed: 9, symbols: 240, start: START }).instruments;
    expect(most.map(({ symbol }) => symbol)).toEqual([...new Set(most.map(({ symbol }) => symbol))].sort());
    for (const { unitValue } of most) {
      expect(Number.isInteger(unitValue) && unitValue >= 1).toBe(true);
    }
  });

  test("refuses parameters out of range", () => {
    const wrong = [
      { seed: 0.5 },
      { symbols: 0 },
      { symbols: 241 },
      { timeframe: 90_000 },
      { start: START + 1 },
      { historySteps: -1 },
    ];
    for (const options of wrong) {
      expect(() => generateMarket({ seed: 1, start: START, ...options })).toThrow(RangeError);
    }
  });
});

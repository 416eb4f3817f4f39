import { describe, expect, test } from "bun:test";
import { Random } from "../../src/market/random.ts";

describe("Random", () => {
  test("draws the same numbers everywhere", () => {
    const random = new Random(42);
    expect([random.word(), random.word(), random.word()]).toMatchInlineSnapshot(`
      [
        660444221,
        3652829492,
        77678286,
      ]
    `);
  });

  test("keeps streams apart", () => {
    const draws = [0, 1, 2].flatMap((stream) => {
      const random = new Random(7, stream);
      return Array.from({ length: 100 }, () => random.word());
    });
    expect(new Set(draws).size).toBe(300);
  });

  test("has the promised moments", () => {
    const random = new Random(3);
    let sum = 0;
    let squares = 0;
    for (let draw = 0; draw < 200_000; draw++) {
      const value = random.normal();
      sum += value;
      squares += value * value;
    }
    expect(Math.abs(sum / 200_000)).toBeLessThan(0.01);
    expect(squares / 200_000).toBeWithin(0.99, 1.01);
    const counts = new Array(6).fill(0);
    for (let draw = 0; draw < 60_000; draw++) counts[random.whole(0, 5)]++;
    for (const count of counts) expect(count).toBeWithin(9_500, 10_500);
  });
});

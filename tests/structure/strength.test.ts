import { expect, test } from "bun:test";
import fc from "fast-check";
import { type BlockAgeing, blockStrength } from "../../src/structure/strength.ts";

const HOUR = 3_600_000;
const AGEING: BlockAgeing = { maxTests: 3, decayEnabled: true, decayHours: 48, decayRate: 0.1 };

const aged = (hours: number, ageing = AGEING) => blockStrength(0, 0, hours * HOUR, ageing);

test("strength is full for 48 hours, then a tenth goes in each further 48, linearly within", () => {
  expect(aged(0)).toBe(1);
  expect(aged(48)).toBe(1);
  expect(aged(72)).toBeCloseTo(0.95, 12);
  expect(aged(96)).toBeCloseTo(0.9, 12);
  expect(aged(144)).toBeCloseTo(0.81, 12);
  expect(aged(120)).toBeCloseTo(0.855, 12);
});

test("each test takes its share, and one more than is allowed takes all", () => {
  expect([0, 1, 2, 3, 4].map((tests) => blockStrength(tests, 0, 0, AGEING))).toEqual([1, 0.75, 0.5, 0.25, 0]);
});

test("without decay only tests count", () => {
  expect(aged(10_000, { ...AGEING, decayEnabled: false })).toBe(1);
});

test("a rate of 1 ends blocks after the second span, one of 0 never", () => {
  expect(aged(96, { ...AGEING, decayRate: 1 })).toBe(0);
  expect(aged(5_000, { ...AGEING, decayRate: 0 })).toBe(1);
});

test("strength never grows, and stays between 0 and 1, for all settings that are allowed", () => {
  const hours = fc.double({ min: 0, max: 100_000, noNaN: true });
  fc.assert(
    fc.property(
      hours,
      hours,
      fc.double({ min: 1, max: 8_760, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (age, more, decayHours, decayRate) => {
        const ageing = { ...AGEING, decayHours, decayRate };
        const [young, old] = [aged(age, ageing), aged(age + more, ageing)];
        expect(old).toBeGreaterThanOrEqual(0);
        expect(young).toBeLessThanOrEqual(1);
        expect(old).toBeLessThanOrEqual(young);
      },
    ),
  );
});

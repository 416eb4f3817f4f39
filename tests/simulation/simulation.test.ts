import { describe, expect, test } from "bun:test";
import { testRecorded } from "../recorded.ts";
import { hunt, PLANTED_BUGS } from "./planted.ts";
import { RECORDED, recordedWorld } from "./recorded-world.ts";
import { killedAgainAndAgain, killedAt } from "./restart.ts";
import { type Outcome, simulate } from "./simulation.ts";
import { createWorld } from "./world.ts";

/** Seeds that every run of the tests tries; `bun run campaign --seeds N` tries many more. */
const SAMPLE = 120;
/** Seeds after which a planted bug counts as not found. */
const PATIENCE = 400;

function report({ seed, violation }: Outcome): string {
  if (violation === undefined) return "";
  return [`SEED=${seed}: ${violation.text}`, ...violation.last].join("\n");
}

const only = process.env.SEED;
if (only !== undefined) {
  test(`SEED=${only}`, () => {
    expect(report(simulate(createWorld(Number(only))))).toBe("");
  });
}

describe("invented worlds", () => {
  test(`${SAMPLE} seeds keep every invariant`, () => {
    let [fills, crashes, trades] = [0, 0, 0];
    for (let seed = 0; seed < SAMPLE; seed++) {
      const outcome = simulate(createWorld(seed));
      expect(report(outcome)).toBe("");
      fills += outcome.fills;
      crashes += outcome.crashes;
      trades += outcome.trades;
    }
    // A world in which nothing happens would keep every invariant too.
    expect(fills).toBeGreaterThan(10 * SAMPLE);
    expect(crashes).toBeGreaterThan(2 * SAMPLE);
    expect(trades).toBeGreaterThan(4 * SAMPLE);
  });

  test("a seed is the whole of its world: the same one gives the same run", () => {
    for (const seed of [3, 14, 15]) expect(simulate(createWorld(seed))).toEqual(simulate(createWorld(seed)));
  });

  test("seeds differ in their weather", () => {
    const climates = new Set(Array.from({ length: 20 }, (_, seed) => JSON.stringify(createWorld(seed).climate)));
    expect(climates.size).toBe(20);
  });

  test("in calm weather a process that is killed anywhere ends as one that was not", () => {
    for (const seed of [1, 9]) {
      const world = createWorld(seed, { calm: true });
      const whole = simulate(world);
      expect(report(whole)).toBe("");
      expect(whole.trades).toBeGreaterThan(5);
      for (let event = 1; event <= whole.events; event += 11) expect(killedAt(world, whole, event)).toBeUndefined();
      expect(killedAgainAndAgain(world, whole, 1)).toBeUndefined();
    }
  });
});

describe("a planted bug is caught", () => {
  for (const bug of PLANTED_BUGS) {
    test(bug.name, async () => {
      const caught = await hunt(bug, PATIENCE);
      expect(bug.breaks).toContain(caught?.invariant ?? "nothing");
    });
  }
});

testRecorded(
  "a recorded run that is killed and restarted ends in the same book, with the same tradesHash",
  RECORDED,
  async (dir) => {
    const { world, tradesHash, trades } = await recordedWorld(dir);
    const whole = simulate(world);
    expect(report(whole)).toBe("");
    expect(trades).toBeGreaterThan(2);
    expect(whole.tradesHash).toBe(tradesHash);
    // Every event is tried by `bun run campaign restart`; 73 has no factor in common with the bars of a step.
    for (let event = 1; event <= whole.events; event += 73) expect(killedAt(world, whole, event)).toBeUndefined();
    expect(killedAgainAndAgain(world, whole, 17)).toBeUndefined();
  },
);

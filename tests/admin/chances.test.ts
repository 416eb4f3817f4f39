import { afterAll, beforeAll, expect, test } from "bun:test";
import type { LearningRow } from "../../src/admin/protocol.ts";
import type { PositionRow } from "../../src/admin/snapshot.ts";
import { type Admin, OPERATOR, serveTest, startOfTest, updateOf } from "./admin-fixture.ts";

let admin: Admin;
beforeAll(() => {
  admin = serveTest();
});
afterAll(() => admin.server.stop());

const AT = Date.UTC(2026, 0, 2);
const LEARNING: LearningRow = {
  ...{ model: "0123456789ab", server: "a process", away: "", shadow: "", modelAge: 1, swaps: 1, training: null },
  ...{ shadowHours: 0, shadowOutcomes: 0 },
  ...{ trainings: 0, trainingFailures: 0, drift: null, unanswered: 2 },
  rescoring: { failures: 0, calls: 1, rows: 2 },
  chances: [
    { symbol: 1, direction: 1, model: "0123456789ab", probability: 0.625, unlike: true, at: AT },
    { symbol: 3, direction: -1, model: "0123456789ab", probability: 0.25, unlike: false, at: AT },
  ],
};

// biome-ignore lint/suspicious/noExplicitAny: the test is about what is in there.
const ask = async (path: string): Promise<any> => {
  const response = await fetch(`${admin.base}${path}`, { headers: { authorization: `Bearer ${OPERATOR}` } });
  return response.json();
};

test("what the model says now of a side is told with the positions on it, of all sides with the virtual ones", async () => {
  const { start, state } = startOfTest();
  const names = start.run.instruments.map(({ symbol }) => symbol);
  const held = (symbol: number, direction: "long" | "short", entered: number | null): PositionRow => ({
    ...{ symbol: names[symbol]!, leg: "both", direction, phase: "open", quantity: 1, entry: 1, mark: 1, stop: 1 },
    ...{ disasterStop: 1, target: 1, leverage: 1, notional: 1, margin: 1, unrealised: 0, fees: 0, funding: 0 },
    ...{
      protected: true,
      entering: "taking",
      slippage: null,
      openedAt: AT,
      strategy: "hybrid",
      setup: "gap",
      confidence: 0.5,
      reasons: [],
    },
    chance: { entered, now: null },
  });
  const update = updateOf(state);
  const positions = [held(1, "long", 0.5), held(3, "long", null)];
  admin.mirror.update({ ...update, snapshot: { ...update.snapshot, positions }, learning: LEARNING }, 0);

  const now = { model: "0123456789ab", probability: 0.625, unlike: true, at: AT };
  const told = (await ask("/api/positions")).map(({ symbol, chance }: PositionRow) => [symbol, chance]);
  expect(told).toEqual([
    [names[1], { entered: 0.5, now }],
    // The other side of it is not its side.
    [names[3], { entered: null, now: null }],
  ]);
  expect((await ask(`/api/why?symbol=${names[1]}&at=${AT}`)).position.chance.now).toEqual(now);
  expect((await ask("/api/virtual")).chances).toEqual([
    { symbol: names[1], direction: "long", ...now },
    { symbol: names[3], direction: "short", ...now, probability: 0.25, unlike: false },
  ]);
  expect((await ask(`/api/virtual?symbol=${names[3]}`)).chances).toHaveLength(1);
  const { chances, ...learning } = LEARNING;
  expect((await ask("/api/models")).learning).toEqual(learning);
});

import { expect, test } from "bun:test";
import { createState } from "../../src/core/state.ts";
import type { JournalWriter } from "../../src/journal/writer.ts";
import { Holds } from "../../src/service/holds.ts";
import { config } from "../core/core-fixture.ts";

test("a hold of an earlier process ends where nobody shares the right to trade with this one", () => {
  const state = createState(config());
  state.holds.add("lease");
  const holds = new Holds({} as JournalWriter, undefined, () => {});
  expect(holds.next(state, 7.5)).toMatchObject({ kind: "hold", time: 7, hold: "lease", on: false, epoch: 0 });
  state.holds.clear();
  expect(holds.next(state, 8)).toBeUndefined();
});

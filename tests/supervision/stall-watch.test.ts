import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Heartbeat } from "../../src/supervision/heartbeat.ts";
import { type Finding, StallWatch } from "../../src/supervision/stall-watch.ts";

const LIMITS = { interval: 250, report: 1000, giveUp: 3000 };

/** What a watch finds when it looks every interval; `beats` says the number of beats at each look. */
function findings(beats: readonly number[], every = LIMITS.interval): (Finding["kind"] | undefined)[] {
  const watch = new StallWatch(LIMITS);
  return beats.map((count, index) => watch.look(count, index * every)?.kind);
}

describe("a watch over the loop", () => {
  test("says once that it stands still, once that it gives up, and when it goes on", () => {
    const still = [1, ...Array(16).fill(1)];
    expect(findings(still).flatMap((kind, i) => (kind ? [[i, kind]] : []))).toEqual([
      [4, "stalled"],
      [12, "given up"],
    ]);
    expect(findings([1, 1, 1, 1, 1, 2, 2, 3]).filter(Boolean)).toEqual(["stalled", "recovered"]);
  });

  test("nothing stalls that has not begun, or that beats in each report", () => {
    expect(findings(Array(50).fill(0)).filter(Boolean)).toEqual([]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 5, maxLength: 60 }), (gaps) => {
        // A beat at least every third look.
        const beats = gaps.flatMap((gap, index) => Array(gap).fill(index + 1));
        return findings(beats).every((kind) => kind === undefined);
      }),
    );
  });

  test("time in which the watcher itself did not run does not count", () => {
    // Four looks, a minute apart: the machine slept, or the process was stopped.
    expect(findings([1, 1, 1], 60_000).filter(Boolean)).toEqual(["stalled"]);
    expect(findings([1, 1], 60_000).filter(Boolean)).toEqual([]);
  });

  test("the count may wrap", () => {
    const heartbeat = new Heartbeat();
    new Int32Array(heartbeat.buffer)[0] = 2 ** 31 - 1;
    heartbeat.beat();
    expect(new Heartbeat(heartbeat.buffer).beats).toBe(-(2 ** 31));
  });
});

import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../../src/exchange/binance/gateway.ts";
import { patiently } from "../../../src/exchange/binance/patiently.ts";

/** A clock that only waiting moves. */
function clockAt(start: number) {
  const waits: number[] = [];
  let now = start;
  return {
    waits,
    now: () => now,
    wait: async (ms: number) => {
      waits.push(ms);
      now += ms;
    },
  };
}

const withheld = (retryAt: number): Outcome<string> => ({ kind: "withheld", reason: "the rate budget", retryAt });

describe("asking patiently", () => {
  test("waits until there is leave, and asks again", async () => {
    const clock = clockAt(1000);
    const answers = [withheld(61_000), withheld(62_500), { kind: "done", value: "bars" } as const];
    const asked: number[] = [];
    const outcome = await patiently(async () => {
      asked.push(clock.now());
      return answers[asked.length - 1]!;
    }, clock);
    expect(outcome).toEqual({ kind: "done", value: "bars" });
    expect(asked).toEqual([1000, 61_000, 62_500]);
  });

  test("does not wait for a long ban, nor for a client that is closed", async () => {
    for (const retryAt of [86_400_000, Number.POSITIVE_INFINITY, Number.NaN]) {
      const clock = clockAt(0);
      expect((await patiently(async () => withheld(retryAt), clock)).kind).toBe("withheld");
      expect(clock.waits).toEqual([]);
    }
  });

  test("gives up in the end, and takes a time that has passed for now", async () => {
    const clock = clockAt(5000);
    expect((await patiently(async () => withheld(4000), clock)).kind).toBe("withheld");
    expect(clock.waits).toEqual(Array.from({ length: 10 }, () => 1));
  });

  test("passes on refusals and what is unknown at once", async () => {
    const clock = clockAt(0);
    const unknown = { kind: "unknown", reason: "no answer in time" } as const;
    expect(await patiently<string>(async () => unknown, clock)).toEqual(unknown);
    expect(clock.waits).toEqual([]);
  });
});

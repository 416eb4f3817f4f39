import { expect, test } from "bun:test";
import fc from "fast-check";
import { ServerClock } from "../../../src/exchange/binance/server-clock.ts";

test("before the first answer the wall clock is believed; a step of the wall clock later changes nothing", () => {
  let monotonic = 100;
  let wall = 1_000_000;
  const clock = new ServerClock(
    () => monotonic,
    () => wall,
  );
  expect(clock.now()).toBe(1_000_000);
  expect(clock.uncertainty).toBe(Number.POSITIVE_INFINITY);
  clock.sample(100, 120, 5_000_010);
  wall = 9_999_999_999;
  monotonic = 220;
  expect(clock.now()).toBe(5_000_120);
  expect(clock.uncertainty).toBe(10);
});

test("however slow and lopsided the ways are, the error stays within half of the best round trip", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          there: fc.integer({ min: 0, max: 500 }),
          back: fc.integer({ min: 0, max: 500 }),
          pause: fc.nat(1000),
        }),
        { minLength: 1, maxLength: 30 },
      ),
      fc.integer({ min: -100_000, max: 100_000 }),
      (ways, offset) => {
        let monotonic = 0;
        const clock = new ServerClock(
          () => monotonic,
          () => 0,
        );
        let best = Number.POSITIVE_INFINITY;
        for (const { there, back, pause } of ways) {
          monotonic += pause;
          const sent = monotonic;
          monotonic += there + back;
          clock.sample(sent, monotonic, sent + there + offset);
          best = Math.min(best, there + back);
        }
        expect(clock.uncertainty).toBe(best / 2);
        expect(Math.abs(clock.now() - (monotonic + offset))).toBeLessThanOrEqual(best / 2 + 1);
      },
    ),
  );
});

test("after a refused timestamp the next answer is believed, however slow; until then the old offset is", () => {
  let monotonic = 0;
  const clock = new ServerClock(
    () => monotonic,
    () => 0,
  );
  clock.sample(0, 2, 1_001);
  clock.distrust();
  expect(clock.now()).toBe(1_000);
  monotonic = 1000;
  clock.sample(200, 1000, 70_600);
  expect(clock.now()).toBe(71_000);
});

test("what was measured long ago gives way to what is measured now", () => {
  let monotonic = 0;
  const clock = new ServerClock(
    () => monotonic,
    () => 0,
  );
  clock.sample(0, 2, 1_001);
  monotonic = 11 * 60_000;
  clock.sample(monotonic - 100, monotonic, monotonic - 50 + 3_000);
  expect(clock.now()).toBe(monotonic + 3_000);
});

test("the error that is admitted covers ways, rounding and the drift of the clocks since they were compared", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2000 }),
      fc.integer({ min: 0, max: 2000 }),
      fc.integer({ min: 0, max: 3_600_000 }),
      fc.double({ min: -1e-4, max: 1e-4, noNaN: true }),
      (there, back, later, drift) => {
        let monotonic = 0;
        const clock = new ServerClock(
          () => monotonic,
          () => 0,
        );
        const truth = () => 5_000_000 + monotonic * (1 + drift);
        expect(clock.error).toBe(Number.POSITIVE_INFINITY);
        monotonic = there;
        const server = Math.floor(truth());
        monotonic = there + back;
        clock.sample(0, monotonic, server);
        monotonic += later;
        expect(Math.abs(clock.now() - truth())).toBeLessThanOrEqual(clock.error);
      },
    ),
  );
});

test("an answer that cannot be true beside what is believed puts all in doubt, until the next says which is right", () => {
  for (const wasSet of [true, false]) {
    let monotonic = 0;
    const clock = new ServerClock(
      () => monotonic,
      () => 0,
    );
    clock.sample(0, 2, 1_001);
    monotonic = 60_000;
    // Slower than the first answer, and a second off.
    clock.sample(monotonic - 100, monotonic, monotonic - 50);
    expect(clock.now()).toBe(61_000);
    expect(clock.error).toBe(Number.POSITIVE_INFINITY);
    monotonic = 120_000;
    clock.sample(monotonic - 100, monotonic, monotonic - 50 + (wasSet ? 0 : 1000));
    expect(clock.now()).toBe(wasSet ? 120_000 : 121_000);
    expect(clock.error).toBeLessThan(60);
  }
});

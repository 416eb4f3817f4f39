import { describe, expect, test } from "bun:test";
import type { Trade } from "../../src/core/effects.ts";
import type { BarEvent } from "../../src/core/events.ts";
import { BuyAndHold } from "../../src/report/buy-and-hold.ts";
import { Excursions } from "../../src/report/excursions.ts";
import { START, trade } from "./sample.ts";

const MINUTE = 60_000;

/** The bar that closes after so many minutes; it opens at its low and closes at its high. */
function bar(minute: number, low: number, high: number, symbol = 0): BarEvent {
  const time = START + minute * MINUTE;
  return { kind: "bar", time, symbol, open: low, high, low, close: high, volume: 1, flat: false };
}

function opened(direction: 1 | -1, price: number, symbol = 0, leg: Trade["leg"] = "both") {
  return { kind: "opened", time: START, symbol, leg, direction, lots: 1, price, leverage: 1, margin: 0 } as const;
}

describe("excursions", () => {
  test("a long reaches its target: the bar of the exit counts against it, not for it", () => {
    const excursions = new Excursions();
    excursions.bar(bar(0, 1, 5000));
    excursions.opened(opened(1, 1000));
    excursions.bar(bar(1, 980, 1050));
    const closed = trade({ exitTime: START + 2 * MINUTE - 1 });
    excursions.closed(closed, 1100);
    excursions.bar(bar(2, 970, 1200));
    excursions.bar(bar(3, 1, 5000));
    expect(excursions.of(closed)).toMatchObject({ best: 1100, worst: 970 });
  });

  test("a stopped short: its exit is the worst, and what the bar did afterwards is not its own", () => {
    const excursions = new Excursions();
    excursions.opened(opened(-1, 1000));
    excursions.bar(bar(1, 960, 1010));
    const closed = trade({ direction: -1, reason: "stop", exitTime: START + 2 * MINUTE - 1 });
    excursions.closed(closed, 1052);
    excursions.bar(bar(2, 900, 1200));
    expect(excursions.of(closed)).toMatchObject({ best: 960, worst: 1052 });
  });

  test("a target that is jumped over at the open has seen nothing of that bar", () => {
    const excursions = new Excursions();
    excursions.opened(opened(1, 1000));
    const closed = trade({ exitTime: START + MINUTE });
    excursions.closed(closed, 1150);
    excursions.bar(bar(2, 500, 2000));
    expect(excursions.of(closed)).toMatchObject({ best: 1150, worst: 1000 });
  });

  test("symbols and legs are apart, and a trade without an opening has none", () => {
    const excursions = new Excursions();
    excursions.opened(opened(1, 1000, 0, "long"));
    excursions.opened(opened(-1, 1000, 0, "short"));
    excursions.opened(opened(1, 1000, 1));
    excursions.bar(bar(1, 990, 1020));
    const long = trade({ leg: "long", reason: "stop" });
    const short = trade({ leg: "short", direction: -1, reason: "stop" });
    const other = trade({ symbol: 1, reason: "stop" });
    for (const closed of [long, short, other]) excursions.closed(closed, 1000);
    expect(excursions.of(long)).toMatchObject({ best: 1020, worst: 990 });
    expect(excursions.of(short)).toMatchObject({ best: 990, worst: 1020 });
    expect(excursions.of(other)).toMatchObject({ best: 1000, worst: 1000 });
    const unknown = trade();
    excursions.closed(unknown, 1000);
    expect(excursions.of(unknown)).toBeUndefined();
  });
});

describe("buy and hold", () => {
  test("equal shares, a late listing waits as cash, a delisting turns into cash for good", () => {
    const held = new BuyAndHold(2, START, 1000);
    held.bar(bar(1, 100, 110));
    held.bar(bar(2, 110, 120));
    held.bar(bar(2, 50, 75, 1));
    held.listing({ kind: "listing", time: START + 2 * MINUTE, symbol: 0, listed: false });
    held.listing({ kind: "listing", time: START + 3 * MINUTE, symbol: 0, listed: true });
    held.bar(bar(4, 1, 1));
    held.bar(bar(4, 75, 100, 1));
    held.end();
    // 500 became 600 and stayed; 500 doubled.
    expect(held.curve.end).toMatchObject({ time: START + 4 * MINUTE, equity: 1600, positions: 1 });
    expect(held.curve.drawdown.fraction).toBe(0);
    expect(held.curve.start.equity).toBe(1000);
  });

  test("its drawdown is seen at every close, and ending it twice changes nothing", () => {
    const held = new BuyAndHold(1, START, 1000);
    const close = (minute: number, price: number) => held.bar({ ...bar(minute, price, price), open: 100 });
    close(1, 200);
    close(2, 150);
    close(3, 180);
    held.end();
    held.end();
    expect(held.curve.drawdown.fraction).toBe(0.25);
    expect(held.curve.end.equity).toBe(1800);
  });
});

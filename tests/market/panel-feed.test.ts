import { expect, test } from "bun:test";
import { analysisPanel } from "../../src/analysis/analysis-panel.ts";
import { ABSENT, barEvent } from "../../src/market/bar-source.ts";
import { type Panel, VOLUME } from "../../src/market/panel.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { barsOf, type SharedBars } from "../../src/market/recorded-market.ts";
import { BARS } from "../analysis/analysis-fixture.ts";

/** All symbols stop for half a day and come back: no step in between has a bar. */
function interrupted(): SharedBars {
  const histories = BARS.histories.map((history) => {
    const keep = [...history.openTime.keys()].filter((row) => {
      const step = (history.openTime[row]! - BARS.start) / BARS.timeframe;
      return step < 1000 || step >= 1720;
    });
    const pick = (column: Float64Array) => {
      const picked = new Float64Array(new SharedArrayBuffer(keep.length * 8));
      keep.forEach((row, index) => {
        picked[index] = column[row]!;
      });
      return picked;
    };
    const { openTime, open, high, low, close, volume } = history;
    return {
      ...history,
      openTime: pick(openTime),
      open: pick(open),
      high: pick(high),
      low: pick(low),
      close: pick(close),
      volume: pick(volume),
    };
  });
  return { ...BARS, steps: 2600, histories };
}

function contents(panel: Panel): unknown[] {
  return panel.timeframes.map((_, timeframe) => {
    const bars: unknown[] = [panel.published(timeframe)];
    for (let bar = 0; bar <= panel.published(timeframe); bar++) {
      for (let symbol = 0; symbol < panel.symbols; symbol++) {
        bars.push(panel.status(timeframe, bar, symbol), panel.value(timeframe, bar, symbol, VOLUME));
      }
    }
    return bars;
  });
}

test("bars that come as events make the panel that whole steps make, also where nothing at all is traded", () => {
  const bars = interrupted();
  const { instruments, timeframe, start, steps } = bars;
  const [whole, single] = [0, 1].map(() => {
    const panel = analysisPanel(instruments.length, start, steps * timeframe);
    return { panel, feed: new PanelFeed(panel, instruments, timeframe) };
  }) as [{ panel: Panel; feed: PanelFeed }, { panel: Panel; feed: PanelFeed }];
  const source = barsOf(bars);
  let silent = 0;
  for (let step = source.step(); step !== undefined; step = source.step()) {
    whole.feed.step(step);
    for (const symbol of step.delisted) single.feed.listing(symbol, false);
    for (const symbol of step.listed) single.feed.listing(symbol, true);
    const close = step.openTime + timeframe;
    let any = false;
    for (let symbol = 0; symbol < instruments.length; symbol++) {
      if (step.status[symbol] === ABSENT) continue;
      single.feed.bar(barEvent(step, symbol, close));
      any = true;
    }
    // Without a bar there is no cycle, and nobody closes the step.
    if (!any) {
      silent++;
      continue;
    }
    single.feed.close(close);
    // A reader may look at any of them now.
    for (const [index] of whole.panel.timeframes.entries()) {
      if (whole.panel.published(index) !== single.panel.published(index)) throw new Error(`step ${step.openTime}`);
    }
  }
  expect(silent).toBe(710);
  expect(contents(single.panel)).toEqual(contents(whole.panel));
});

test("a range of a panel is that part of it, and follows the writer", () => {
  const source = barsOf(BARS);
  const panel = analysisPanel(source.instruments.length, BARS.start, BARS.steps * BARS.timeframe);
  const feed = new PanelFeed(panel, source.instruments, BARS.timeframe);
  const range = panel.range(1, 10);
  for (let step = 0; step < 100; step++) feed.step(source.step()!);
  expect([range.symbols, range.groups, range.published(0)]).toEqual([10, 2, 19]);
  for (let symbol = 0; symbol < 10; symbol++) {
    for (const bar of [0, 7, 19]) {
      expect(range.value(0, bar, symbol, VOLUME)).toBe(panel.value(0, bar, symbol + 8, VOLUME));
      expect(range.status(0, bar, symbol)).toBe(panel.status(0, bar, symbol + 8));
    }
  }
  expect(() => panel.range(1, 14)).toThrow("symbols 8 to 22 of a panel of 21");
});

test("a panel that is full grows to twice its room with all its bars", () => {
  const source = barsOf(BARS);
  const roomy = analysisPanel(source.instruments.length, BARS.start, BARS.steps * BARS.timeframe);
  const small = analysisPanel(source.instruments.length, BARS.start, 0);
  const feeds = [roomy, small].map((panel) => new PanelFeed(panel, source.instruments, BARS.timeframe));
  let grown = small;
  let times = 0;
  for (let step = source.step(); step !== undefined; step = source.step()) {
    for (const feed of feeds) feed.step(step);
    if (!feeds[1]!.isFull) continue;
    grown = feeds[1]!.grow();
    times++;
  }
  expect(times).toBe(3);
  expect(contents(grown)).toEqual(contents(roomy));
});

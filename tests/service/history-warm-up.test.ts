import { describe, expect, test } from "bun:test";
import { analysisPanel } from "../../src/analysis/analysis-panel.ts";
import { loadSettings } from "../../src/config/load.ts";
import { type Instrument, ticksOf } from "../../src/core/instrument.ts";
import { InputError } from "../../src/input-error.ts";
import { type BarStep, REAL } from "../../src/market/bar-source.ts";
import { generateMarket } from "../../src/market/generated-market.ts";
import type { Kline } from "../../src/market/kline-rules.ts";
import type { Panel } from "../../src/market/panel.ts";
import { PanelFeed } from "../../src/market/panel-feed.ts";
import { type HistoryOptions, warmUpHistory } from "../../src/service/history-warm-up.ts";
import { BEGIN, KlineExchange } from "../market/kline-exchange.ts";
import { KINDS, temporaryFolder } from "../store/database.ts";

const MINUTE = 60_000;
const SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"];
/** More than a page. */
const BARS = 600;

/** A process that starts: what it is given, and what it says. */
class Start {
  readonly said: string[] = [];
  readonly bars = new Map<string, readonly Kline[]>();
  readonly options: HistoryOptions;
  readonly exchange: KlineExchange;

  constructor(exchange: KlineExchange) {
    this.exchange = exchange;
    const to = Math.floor(exchange.now / MINUTE) * MINUTE - MINUTE;
    this.options = {
      ...{ symbols: SYMBOLS, timeframe: MINUTE, from: to - (BARS - 1) * MINUTE, to, fetcher: exchange },
      onBars: (symbol, bars) => this.bars.set(symbol, bars),
      onNotice: (_, text) => this.said.push(text),
    };
  }

  truth(symbol: string): readonly Kline[] {
    return this.exchange.truth(symbol, MINUTE, BARS, 0);
  }
}

/** The panel that a run reads, filled from a history. */
function panelOf(bars: (symbol: string) => readonly Kline[], from: number, rules: Instrument): Panel {
  const instruments = SYMBOLS.map((symbol) => ({ ...rules, symbol }));
  const panel = analysisPanel(SYMBOLS.length, from, BARS * MINUTE);
  const feed = new PanelFeed(panel, instruments, MINUTE);
  const series = SYMBOLS.map(bars);
  const column = (index: number, name: "open" | "high" | "low" | "close") =>
    Float64Array.from(series, (one) => ticksOf(rules, one[index]![name]));
  for (let index = 0; index < BARS; index++) {
    const step: BarStep = {
      openTime: from + index * MINUTE,
      status: new Uint8Array(SYMBOLS.length).fill(REAL),
      open: column(index, "open"),
      high: column(index, "high"),
      low: column(index, "low"),
      close: column(index, "close"),
      volume: Float64Array.from(series, (one) => one[index]!.volume),
      listed: index === 0 ? SYMBOLS.map((_, symbol) => symbol) : [],
      delisted: [],
      funding: [],
    };
    feed.step(step);
  }
  return panel;
}

describe.each(KINDS)("the history of a run on $name", (kind) => {
  test.skipIf(kind.absent)(
    "is fetched once; a restart fetches what has closed since and what is missing, and nothing else",
    async () => {
      const database = await kind.create();
      const { settings } = loadSettings({
        DATABASE_URL: database.options.databaseUrl,
        DATA_DIR: database.options.dataDir,
      });
      try {
        const exchange = new KlineExchange();
        exchange.now = BEGIN + 1000 * MINUTE + 3000;
        const first = new Start(exchange);
        const pages = 2;
        expect(await warmUpHistory(settings, first.options)).toEqual({
          ...{ read: 0, fetched: SYMBOLS.length * BARS, requests: SYMBOLS.length * pages, missing: 0 },
        });
        for (const symbol of SYMBOLS) expect(first.bars.get(symbol)).toEqual(first.truth(symbol));

        // A bar that may not be finished is for the run alone.
        exchange.now += MINUTE;
        const young = new Start(exchange);
        const finished = young.options.to - MINUTE;
        for (let start = 0; start < 2; start++) {
          expect(await warmUpHistory(settings, { ...young.options, finished })).toMatchObject({
            fetched: 3,
            requests: 3,
          });
        }
        expect(young.bars.get("AUSDT")).toEqual(young.truth("AUSDT"));
        exchange.now -= MINUTE;

        // The same minute: nothing to ask for.
        const again = new Start(exchange);
        expect(await warmUpHistory(settings, again.options)).toEqual({
          ...{ read: SYMBOLS.length * BARS, fetched: 0, requests: 0, missing: 0 },
        });
        for (const symbol of SYMBOLS) expect(again.bars.get(symbol)).toEqual(first.truth(symbol));

        // Seven minutes later, with a gap in one of the series.
        const store = await database.open();
        const gone = first.options.to - 50 * MINUTE;
        await store.sql`DELETE FROM klines WHERE symbol = 'BUSDT' AND open_time BETWEEN ${gone} AND ${gone + MINUTE}`;
        await store.close();
        exchange.now += 7 * MINUTE;
        exchange.requests = 0;
        const later = new Start(exchange);
        const counters = await warmUpHistory(settings, later.options);
        expect(counters).toEqual({
          ...{ read: SYMBOLS.length * (BARS - 7) - 2, fetched: SYMBOLS.length * 7 + 2, requests: 4, missing: 0 },
        });
        expect(exchange.requests).toBe(4);
        const [rules] = generateMarket({ seed: 1, symbols: 1, start: 0 }).instruments;
        const { from } = later.options;
        const made = panelOf((symbol) => later.bars.get(symbol)!, from, rules!);
        const wanted = panelOf((symbol) => later.truth(symbol), from, rules!);
        for (const panel of [made, wanted]) expect(panel.published(panel.timeframe("5m"))).toBe(BARS / 5 - 1);
        expect(new Uint8Array(made.buffer)).toStrictEqual(new Uint8Array(wanted.buffer));
        expect([first.said, again.said, later.said]).toEqual([[], [], []]);
      } finally {
        await database.remove();
      }
    },
  );

  test.skipIf(kind.absent)("is not lost when a start fails in the middle: the next one goes on", async () => {
    const database = await kind.create();
    const { settings } = loadSettings({
      DATABASE_URL: database.options.databaseUrl,
      DATA_DIR: database.options.dataDir,
    });
    try {
      const exchange = new KlineExchange();
      exchange.now = BEGIN + 1000 * MINUTE;
      const failing = new Start(exchange);
      const fetcher: HistoryOptions["fetcher"] = {
        klines: (symbol, ...range) =>
          symbol === "CUSDT" ? Promise.reject(new Error("connection reset")) : exchange.klines(symbol, ...range),
      };
      const message = "history of CUSDT 1m: connection reset";
      await expect(warmUpHistory(settings, { ...failing.options, fetcher })).rejects.toThrow(new InputError(message));
      const next = new Start(exchange);
      const counters = await warmUpHistory(settings, next.options);
      expect(counters.read + counters.fetched).toBe(SYMBOLS.length * BARS);
      expect(counters.read).toBeGreaterThan(0);
      for (const symbol of SYMBOLS) expect(next.bars.get(symbol)).toEqual(next.truth(symbol));
    } finally {
      await database.remove();
    }
  });
});

describe("a history without a store", () => {
  test.each([
    ["that is switched off", { ENABLE_STORE: "false" }, undefined],
    ["that nobody reaches", { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" }, "DATABASE_URL: cannot open"],
  ])("%s is fetched", async (_, environment, notice) => {
    const exchange = new KlineExchange();
    exchange.now = BEGIN + 1000 * MINUTE;
    exchange.hole("AUSDT", MINUTE, exchange.now - 20 * MINUTE);
    const start = new Start(exchange);
    const { settings } = loadSettings({ DATA_DIR: temporaryFolder(), ...environment });
    expect(await warmUpHistory(settings, start.options)).toEqual({
      ...{ read: 0, fetched: SYMBOLS.length * BARS - 1, requests: 2 * SYMBOLS.length, missing: 1 },
    });
    for (const symbol of SYMBOLS) expect(start.bars.get(symbol)).toEqual(start.truth(symbol));
    expect(start.said.length).toBe(notice === undefined ? 0 : 1);
    if (notice !== undefined) expect(start.said[0]).toContain(notice);
  });
});

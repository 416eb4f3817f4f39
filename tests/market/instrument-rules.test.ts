import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { powerOfTen, quantityOf, USDT } from "../../src/core/instrument.ts";
import { instrumentsOf } from "../../src/market/instrument-rules.ts";
import { testRecorded } from "../recorded.ts";

let root = "";
let files = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "penstock-rules-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function rulesFile(content: unknown): string {
  const file = join(root, `rules-${files++}.json`);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

function entry(tickSize: string, lot: { stepSize: string; minQty: string; maxQty: string }, market = lot) {
  return {
    symbol: "AUSDT",
    filters: [
      { filterType: "PRICE_FILTER", tickSize },
      { filterType: "LOT_SIZE", ...lot },
      { filterType: "MARKET_LOT_SIZE", ...market },
      { filterType: "MIN_NOTIONAL", notional: "20" },
    ],
  };
}

const seen = { symbol: "AUSDT", priceDecimals: 2, volumeDecimals: 3, price: 50 };

describe("rules inferred from bars", () => {
  test("tick and lot are the last decimals used", () => {
    const { instruments, assumptions } = instrumentsOf([seen], undefined);
    expect(instruments).toEqual([
      {
        symbol: "AUSDT",
        tickUnits: 1,
        priceDecimals: 2,
        lotUnits: 1,
        quantityDecimals: 3,
        unitValue: 1000,
        minLots: 1,
        maxLots: 200_000_000,
        minNotional: 5 * USDT,
        maxLeverage: 20,
      },
    ]);
    expect(assumptions.map((sentence) => sentence.split(":")[0])).toEqual([
      "Tick size of AUSDT",
      "Lot size of AUSDT",
      "Minimum notional of AUSDT",
      "Largest order of AUSDT",
      "Maximum leverage",
    ]);
  });

  test("a lot inferred from whole-number volumes of a dear coin is not believed", () => {
    const [instrument] = instrumentsOf([{ ...seen, volumeDecimals: 0, price: 90_000 }], undefined).instruments;
    expect(quantityOf(instrument!, 1)).toBe(0.00001);
  });

  test("one lot moving by one tick is whole ledger units, whatever the decimals", () => {
    const observed = fc.record({
      symbol: fc.constant("AUSDT"),
      priceDecimals: fc.nat(12),
      volumeDecimals: fc.option(fc.nat(9), { nil: undefined }),
      price: fc.double({ min: 1e-8, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(observed, (one) => {
        const instrument = instrumentsOf([one], undefined).instruments[0]!;
        expect(Number.isSafeInteger(instrument.unitValue) && instrument.unitValue >= 1).toBe(true);
        const value =
          (BigInt(instrument.tickUnits) * BigInt(instrument.lotUnits) * 10n ** 30n) /
          (10n ** BigInt(instrument.priceDecimals) * 10n ** BigInt(instrument.quantityDecimals));
        expect(value).toBe(BigInt(instrument.unitValue) * 10n ** 22n);
        if (one.volumeDecimals === undefined && one.priceDecimals <= 2) {
          const worth = one.price * (instrument.lotUnits / powerOfTen(instrument.quantityDecimals));
          expect(worth).toBeLessThanOrEqual(1.0000001);
          expect(worth).toBeGreaterThan(0.0999999);
        }
      }),
    );
  });
});

describe("rules from exchangeInfo", () => {
  test("the stricter of both lot filters counts, and decimals are exact", () => {
    const lot = { stepSize: "0.0010", minQty: "0.003", maxQty: "1000" };
    const market = { stepSize: "0.002", minQty: "0.1", maxQty: "120" };
    const file = rulesFile({ symbols: [entry("0.050", lot, market)] });
    const { instruments, assumptions } = instrumentsOf([seen], file);
    expect(instruments[0]).toMatchObject({
      tickUnits: 5,
      priceDecimals: 2,
      lotUnits: 2,
      quantityDecimals: 3,
      unitValue: 10_000,
      minLots: 50,
      maxLots: 60_000,
      minNotional: 20 * USDT,
    });
    expect(assumptions).toEqual(["Maximum leverage: assumed, 20 for every symbol."]);
  });

  test("a lot too fine for the ledger is coarsened, and said so", () => {
    const lot = { stepSize: "0.001", minQty: "0.001", maxQty: "10" };
    const { instruments, assumptions } = instrumentsOf([seen], rulesFile({ symbols: [entry("0.0000001", lot)] }));
    expect(instruments[0]).toMatchObject({ unitValue: 1, lotUnits: 1, quantityDecimals: 1, maxLots: 100 });
    expect(assumptions.join()).toContain("Lot size of AUSDT: coarsened");
  });

  test("symbols that the file lacks are inferred", () => {
    const file = rulesFile({ symbols: [entry("0.01", { stepSize: "1", minQty: "1", maxQty: "10" })] });
    const { instruments, assumptions } = instrumentsOf([seen, { ...seen, symbol: "BUSDT" }], file);
    expect(instruments.map(({ quantityDecimals }) => quantityDecimals)).toEqual([0, 3]);
    expect(assumptions.join()).toContain("Tick size of BUSDT");
    expect(assumptions.join()).not.toContain("AUSDT");
  });

  const lot = { stepSize: "1", minQty: "1", maxQty: "10" };
  test.each([
    ["no JSON", "{", "is not JSON"],
    ["no symbols", { a: 1 }, 'has no list "symbols"'],
    ["a nameless symbol", { symbols: [{}] }, 'symbols[0] has no "symbol"'],
    ["no filters", { symbols: [{ symbol: "AUSDT" }] }, 'AUSDT has no list "filters"'],
    ["a missing filter", { symbols: [{ symbol: "AUSDT", filters: [] }] }, "AUSDT has no filter PRICE_FILTER"],
    ["a tick of zero", { symbols: [entry("0.00", lot)] }, 'AUSDT: PRICE_FILTER.tickSize is "0.00"'],
    [
      "a missing field",
      { symbols: [entry("0.1", { ...lot, minQty: undefined as never })] },
      "LOT_SIZE.minQty is missing",
    ],
    ["a symbol twice", { symbols: [entry("1", lot), entry("1", lot)] }, "AUSDT is there twice"],
  ])("refuses %s", (_, content, message) => {
    const file = rulesFile(content);
    expect(() => instrumentsOf([seen], file)).toThrow(message);
    expect(() => instrumentsOf([seen], file)).toThrow(file);
  });

  for (const path of [
    "rest-exchangeInfo-TESTNET-2025-11-26.json.gz",
    "cryptofeed-2021-07-22/rest-v1_exchangeInfo.json",
    "gocryptotrader-rest/fapi_v1_exchangeInfo.json",
  ]) {
    testRecorded(`reads ${path}`, `payloads/recorded/${path}`, (file) => {
      const { instruments } = instrumentsOf([{ ...seen, symbol: "BTCUSDT" }], file);
      expect(instruments[0]).toMatchObject({ symbol: "BTCUSDT", lotUnits: 1, quantityDecimals: 3, minLots: 1 });
    });
  }
});

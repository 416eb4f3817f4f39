import type { Trade } from "../../src/core/effects.ts";
import type { Instrument } from "../../src/core/instrument.ts";

function instrument(symbol: string): Instrument {
  return {
    symbol,
    // A tick of 0.1 USDT and a lot of 0.001: one lot moving by one tick is 0.0001 USDT.
    tickUnits: 1,
    priceDecimals: 1,
    lotUnits: 1,
    quantityDecimals: 3,
    unitValue: 10_000,
    minLots: 1,
    maxLots: 1_000_000,
    minNotional: 500_000_000,
    maxLeverage: 50,
  };
}

export const instruments = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(instrument);

/** 2025-10-01T00:00:00Z */
export const START = 1_759_276_800_000;

/** A trade of 100 lots that was bought at 100.0 and sold at 110.0: 1 USDT before costs, 0.9 after. */
export function trade(changes: Partial<Trade> = {}): Trade {
  return {
    symbol: 0,
    leg: "both",
    direction: 1,
    entryTime: START + 60_000,
    exitTime: START + 3_659_999,
    lots: 100,
    entryNotional: 1_000_000_000n,
    exitNotional: 1_100_000_000n,
    fees: 8_000_000n,
    funding: -2_000_000n,
    pnl: 90_000_000n,
    reason: "target",
    strategy: "ict",
    setup: "order-block",
    confidence: 0.75,
    plannedEntry: 1000,
    stop: 950,
    target: 1100,
    leverage: 5,
    reasons: ["with the trend"],
    ...changes,
  };
}

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { Instrument } from "../../src/core/instrument.ts";
import { USDT } from "../../src/core/instrument.ts";
import { Account, exactNotional } from "../../src/exchange/simulated/account.ts";
import { Costs } from "../../src/exchange/simulated/costs.ts";
import { assumedContract } from "../../src/market/contract.ts";
import { testRecorded } from "../recorded.ts";

const CENT = USDT / 100;
const NO_COSTS = { spreadBps: 0, slippageBps: 0, volumeShare: 1 };

/** An exact decimal in units of `10 ** -decimals`. */
function units(text: string | number, decimals: number): bigint {
  const [whole = "0", fraction = ""] = String(text).replace("-", "").split(".");
  const value = BigInt(whole + fraction.padEnd(decimals, "0").slice(0, decimals));
  return String(text).startsWith("-") ? -value : value;
}

function contract(symbol: string, priceDecimals: number, quantityDecimals: number): Instrument {
  return {
    symbol,
    tickUnits: 1,
    priceDecimals,
    lotUnits: 1,
    quantityDecimals,
    unitValue: 10 ** (8 - priceDecimals - quantityDecimals),
    minLots: 1,
    maxLots: 1_000_000,
    minNotional: 0,
    maxLeverage: 125,
  };
}

interface Fill {
  readonly side: 1 | -1;
  readonly price: string | number;
  readonly quantity: string | number;
  readonly commission: string | number;
  readonly realised: string | number;
  readonly maker: boolean;
}

interface Differences {
  fee: bigint;
  realised: bigint;
  fills: number;
  closing: number;
  lots: number;
}

/** Plays fills through our books: a fill that turns the position closes first, then opens, as the exchange does. */
function replay(
  instrument: Instrument,
  fills: readonly Fill[],
  rates: { takerFee: number; makerFee: number },
): Differences {
  const costs = new Costs({ ...NO_COSTS, ...rates });
  const mode = { position: "one-way", margin: "cross" } as const;
  const account = new Account([instrument], [assumedContract(instrument)], 1_000_000n * BigInt(USDT), mode);
  const result: Differences = { fee: 0n, realised: 0n, fills: 0, closing: 0, lots: 0 };
  const worst = (name: "fee" | "realised", difference: bigint): void => {
    const size = difference < 0n ? -difference : difference;
    if (size > result[name]) result[name] = size;
  };
  for (const fill of fills) {
    const price = Number(units(fill.price, instrument.priceDecimals));
    const lots = Number(units(fill.quantity, instrument.quantityDecimals));
    const { lots: held } = account.positions[0]!;
    const opposed = held * fill.side < 0 ? Math.min(Math.abs(held), lots) : 0;
    const realised = opposed > 0 ? account.close(0, opposed, price) : 0n;
    if (lots > opposed) account.open(0, fill.side, lots - opposed, price, 10);
    worst("fee", costs.fee(exactNotional(instrument, lots, price), fill.maker) - units(fill.commission, 8));
    worst("realised", realised - units(fill.realised, 8));
    result.fills++;
    if (opposed > 0) result.closing++;
  }
  result.lots = account.positions[0]!.lots;
  return result;
}

testRecorded(
  "197 recorded testnet fills: commission to the unit, realised result to the cent",
  "payloads/recorded/user-trades-TESTNET-BTCUSDT-2025-06.csv",
  (path) => {
    const [header = "", ...lines] = readFileSync(path, "utf8").trim().split("\n");
    const names = header.trim().split(",");
    const rows = lines.map((line) =>
      Object.fromEntries(
        line
          .trim()
          .split(",")
          .map((cell, at) => [names[at], cell]),
      ),
    );
    rows.sort((a, b) => Number(a.time) - Number(b.time) || Number(a.id) - Number(b.id));
    const fills = rows.map(
      (row): Fill => ({
        side: row.side === "BUY" ? 1 : -1,
        price: row.price!,
        quantity: row.qty!,
        commission: row.commission!,
        realised: row.realizedPnl!,
        maker: row.maker === "True",
      }),
    );
    const result = replay(contract("BTCUSDT", 2, 3), fills, { takerFee: 0.0004, makerFee: 0.0002 });
    expect(result.fills).toBe(197);
    expect(result.closing).toBeGreaterThan(50);
    // The exchange cuts off what lies below its eighth decimal, we round up: never more than one unit apart.
    expect(Number(result.fee)).toBeLessThanOrEqual(1);
    expect(Number(result.realised)).toBeLessThan(CENT);
  },
);

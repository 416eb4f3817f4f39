import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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
  /** Missing where the recording has none. */
  readonly commission: string | undefined;
  readonly realised: string | number;
  readonly maker: boolean;
}

interface Differences {
  fee: bigint;
  realised: bigint;
  fills: number;
  fees: number;
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
  const result: Differences = { fee: 0n, realised: 0n, fills: 0, fees: 0, closing: 0, lots: 0 };
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
    if (fill.commission !== undefined) {
      worst("fee", costs.fee(exactNotional(instrument, lots, price), fill.maker) - units(fill.commission, 8));
      result.fees++;
    }
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

/** One event of a recorded session, in the field names of the client that recorded it. */
interface SessionEvent {
  readonly value: {
    readonly eventType?: string;
    readonly order?: {
      readonly symbol: string;
      readonly orderSide: string;
      readonly executionType: string;
      readonly lastFilledPrice: number;
      readonly lastFilledQuantity: number;
      readonly commissionAmount?: number | null;
      readonly isMakerTrade: boolean;
      readonly realisedProfit: number;
    };
    readonly updateData?: { readonly updatedBalances: readonly { walletBalance: number; balanceChange: number }[] };
  };
}

function sessionOf(path: string): readonly SessionEvent[] {
  return JSON.parse(readFileSync(path, "utf8")) as SessionEvent[];
}

function fillsOf(session: readonly SessionEvent[]): Fill[] {
  return session.flatMap(({ value }) => {
    const { order } = value;
    if (order?.executionType !== "TRADE" || order.symbol !== "BNBUSDT") return [];
    return [
      {
        side: order.orderSide === "BUY" ? 1 : -1,
        price: order.lastFilledPrice,
        quantity: order.lastFilledQuantity,
        commission: order.commissionAmount?.toFixed(8),
        realised: order.realisedProfit.toFixed(8),
        maker: order.isMakerTrade,
      },
    ];
  });
}

const BNB = contract("BNBUSDT", 2, 2);

testRecorded(
  "recorded sessions of 2022: commission to the unit, results to the cent",
  "payloads/recorded/metacodi-2022",
  (dir) => {
    let fees = 0;
    let makers = 0;
    for (const name of readdirSync(dir).filter((name) => /^exemple-[1-5]-.*\.json$/.test(name))) {
      const session = fillsOf(sessionOf(join(dir, name)));
      const result = replay(BNB, session, { takerFee: 0.0004, makerFee: 0.0002 });
      expect(Number(result.fee)).toBeLessThanOrEqual(1);
      expect(Number(result.realised)).toBeLessThan(CENT);
      fees += result.fees;
      makers += session.filter(({ maker }) => maker).length;
    }
    expect(fees).toBeGreaterThan(8);
    expect(makers).toBeGreaterThan(2);
  },
);

testRecorded(
  "a recorded cross-margin liquidation: where it comes, and what it costs",
  "payloads/recorded/metacodi-2022/exemple-10-75_leverage.json",
  (path) => {
    const session = sessionOf(path);
    const fills = fillsOf(session);
    // Its fills are the ones without commission, the last of the session.
    const first = fills.findIndex(({ commission }) => Number(commission) === 0);
    const liquidation = fills.slice(first);
    expect(liquidation).toHaveLength(5);
    const ordinary = replay(BNB, fills.slice(0, first), { takerFee: 0.0004, makerFee: 0.0002 });
    expect(Number(ordinary.fee)).toBeLessThanOrEqual(1);
    expect(Number(ordinary.realised)).toBeLessThan(CENT);
    expect(ordinary.lots).toBe(-160);

    // The position before it: three sales after the last time it was flat, with a wallet of 7.75757137 behind it.
    const brackets = [{ maxLeverage: 75, cap: 10_000n * BigInt(USDT), maintenanceRate: 650_000n, amount: 0n }];
    const rules = { ...assumedContract(BNB), brackets, liquidationFee: 500_000 };
    const account = new Account([BNB], [rules], 775_757_137n, { position: "one-way", margin: "cross" });
    for (const sale of fills.slice(first - 3, first)) {
      account.open(0, -1, Number(units(sale.quantity, 2)), Number(units(sale.price, 2)), 75);
    }
    account.marks[0] = 37_838;
    // (7.75757137 + 606.0716) / (1.6 × 1.0065) = 381.166; it was bought back at 381.15 and 381.16.
    expect(account.liquidationLevel(0, 37_838, 38_500)).toBe(38_117);
    for (const { price } of liquidation) expect(Math.abs(Number(units(price, 2)) - 38_117)).toBeLessThanOrEqual(2);

    let clearance = 0n;
    for (const { quantity, price } of liquidation) {
      const [lots, ticks] = [Number(units(quantity, 2)), Number(units(price, 2))];
      account.close(0, lots, ticks);
      clearance += (exactNotional(BNB, lots, ticks) * BigInt(rules.liquidationFee)) / 100_000_000n;
    }
    const changes = session.flatMap(({ value }) => value.updateData?.updatedBalances ?? []);
    const cleared = changes.find(({ balanceChange }) => balanceChange === -3.049267)!;
    expect(clearance).toBe(304_926_700n);
    const wallet = Number(account.wallet - clearance) / USDT;
    expect(Math.abs(wallet - cleared.walletBalance)).toBeLessThan(0.01);
    expect(account.positions[0]!.lots).toBe(0);
  },
);

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { USDT } from "../../src/core/instrument.ts";
import {
  assumedContract,
  bracketOf,
  type Contract,
  largestNotional,
  maintenanceMargin,
} from "../../src/market/contract.ts";
import { contractsOf, readBrackets } from "../../src/market/contract-rules.ts";
import { instrument } from "../exchange/bars.ts";
import { testRecorded } from "../recorded.ts";

interface Recorded {
  readonly initialLeverage: string;
  readonly notionalCap: string;
  readonly notionalFloor: string;
  readonly maintMarginRatio: string;
  readonly cum: string;
}

const contractWith = (brackets: Contract["brackets"]): Contract => ({
  ...assumedContract(instrument("XUSDT")),
  brackets,
});

for (const file of ["leverage-brackets-2024-10.json.gz", "leverage-brackets-2025-06.json.gz"]) {
  describe(file, () => {
    testRecorded(
      "maintenance margins follow every recorded bracket to the cent",
      `payloads/recorded/${file}`,
      (path) => {
        const raw = JSON.parse(gunzipSync(readFileSync(path)).toString()) as Record<string, Recorded[]>;
        const read = readBrackets(path);
        expect(read.size).toBe(Object.keys(raw).length);
        let checked = 0;
        for (const [name, list] of Object.entries(raw)) {
          const symbol = name.replace(/:[A-Z0-9]+/, "").replace("/", "");
          const contract = contractWith(read.get(symbol)!);
          for (const entry of list) {
            const floor = Number(entry.notionalFloor);
            const cap = Number(entry.notionalCap);
            // Both edges and the middle, by the documented formula in decimals that float64 holds to a cent.
            for (const notional of [floor + 1, (floor + cap) / 2, cap]) {
              const value = BigInt(Math.round(notional)) * BigInt(USDT);
              const documented = Math.round(notional) * Number(entry.maintMarginRatio) - Number(entry.cum);
              const ours = Number(maintenanceMargin(contract, value)) / USDT;
              expect(Math.abs(ours - documented)).toBeLessThan(0.005);
              expect(bracketOf(contract, value).maxLeverage).toBe(Number(entry.initialLeverage));
              checked++;
            }
            expect(largestNotional(contract, Number(entry.initialLeverage))).toBeGreaterThanOrEqual(
              BigInt(cap) * BigInt(USDT),
            );
          }
        }
        expect(checked).toBeGreaterThan(5000);
      },
    );
  });
}

testRecorded(
  "the rules file gives fees, bands and counts; brackets the leverage",
  "payloads/recorded/rest-exchangeInfo-TESTNET-2025-11-26.json.gz",
  (rules) => {
    const bitcoin = { ...instrument("BTCUSDT"), priceDecimals: 1, quantityDecimals: 3, unitValue: USDT / 10_000 };
    const brackets = `${rules.slice(0, rules.lastIndexOf("/"))}/leverage-brackets-2025-06.json.gz`;
    const { contracts, instruments, assumptions } = contractsOf([bitcoin], rules, brackets);
    expect(assumptions).toEqual([]);
    expect(instruments[0]!.maxLeverage).toBe(125);
    expect(contracts![0]).toMatchObject({
      liquidationFee: 2_000_000,
      percentUp: 105_000_000,
      percentDown: 95_000_000,
      minPrice: 2611,
      maxPrice: 8_094_840,
      maxMarketLots: 1_000_000,
      maxOrders: 10_000,
      maxConditional: 10,
    });
    expect(contracts![0]!.brackets[1]).toEqual({
      maxLeverage: 100,
      cap: 600_000n * BigInt(USDT),
      maintenanceRate: 500_000n,
      amount: 50n * BigInt(USDT),
    });
    expect(largestNotional(contracts![0]!, 101)).toBe(50_000n * BigInt(USDT));
    expect(largestNotional(contracts![0]!, 126)).toBe(0n);
  },
);

test("without files everything is assumed, and nothing is said here: the exchange says it", () => {
  expect(contractsOf([instrument("XUSDT")], undefined, undefined)).toEqual({
    instruments: [instrument("XUSDT")],
    contracts: undefined,
    assumptions: [],
  });
});

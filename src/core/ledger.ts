import { assert } from "./assert.ts";

/** Where money of the run can be. Debits and credits over all accounts add up to zero at all times. */
export const ACCOUNTS = ["wallet", "capital", "realised", "fees", "funding"] as const;
export type Account = (typeof ACCOUNTS)[number];

/**
 * Double-entry ledger in units of 1e-8 USDT. BigInt: sums stay exact however large they grow.
 *
 * `wallet` is what the exchange holds for us; the other accounts say where it came from (credits, negative) or went
 * (debits, positive).
 */
export interface Ledger {
  readonly balances: Record<Account, bigint>;
  entries: number;
}

export function createLedger(capital: bigint): Ledger {
  const ledger: Ledger = { balances: { wallet: 0n, capital: 0n, realised: 0n, fees: 0n, funding: 0n }, entries: 0 };
  post(ledger, "wallet", "capital", capital);
  return ledger;
}

/** Moves `amount` out of `from` into `into`; a negative amount moves the other way. */
export function post(ledger: Ledger, into: Account, from: Account, amount: bigint): void {
  assert(into !== from, `a posting needs two accounts, not ${into} twice`);
  ledger.balances[into] += amount;
  ledger.balances[from] -= amount;
  ledger.entries += 1;
}

/** The sum over all accounts: 0 unless the ledger is broken. */
export function trialBalance(ledger: Ledger): bigint {
  let sum = 0n;
  for (const account of ACCOUNTS) sum += ledger.balances[account];
  return sum;
}

/**
 * What waiting costs: the service's way from a closed bar to the order it asks the client for (tick-to-order.ts without
 * sockets), when one bar follows the other at once, when the thread spins for a millisecond in between, and when it
 * sleeps for it. The work is the same to the last order; what differs is what is still in the processor's caches.
 *
 * Run: bun bench/exchange/cold-path.ts [--bars N]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AlgoReport, AlgoUpdate, Gateway, NewAlgoOrder } from "../../src/exchange/binance/gateway.ts";
import { SYMBOLS } from "./order-exchange.ts";
import { ServicePath, STAGES, type Stage } from "./service-path.ts";

const PAUSES = ["none", "spinning", "sleeping"] as const;
type Pause = (typeof PAUSES)[number];
const FROM = STAGES.indexOf("decoded");
const TO = STAGES.indexOf("order made");
/** ms */
const LENGTH = 1;

const bars = Number(process.argv[process.argv.indexOf("--bars") + 1]) || 2000;
const warm = bars >> 1;
const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
const moments = new Float64Array(STAGES.length);
let moment = 0;
const orders: NewAlgoOrder[] = [];

function at(stage: Stage): void {
  if (STAGES[moment] !== stage) return;
  moments[moment] = performance.now();
  moment += 1;
}

const gateway = {
  listen() {},
  onBreaker() {},
  placeAlgoOrder(order) {
    at("order made");
    orders.push(order);
    const algoId = String(orders.length);
    return Promise.resolve({ kind: "done", value: { ...reportOf(order), algoId, status: "NEW", updateTime: 1 } });
  },
  cancelAlgoOrder: () => Promise.resolve({ kind: "done", value: null }),
} as Pick<Gateway, "listen" | "onBreaker" | "placeAlgoOrder" | "cancelAlgoOrder"> as Gateway;

function reportOf({ symbol, clientId, side, type, quantity, triggerPrice }: NewAlgoOrder): AlgoReport {
  const [positionSide, reduceOnly, closePosition] = ["BOTH", true, false] as const;
  const order = {
    symbol,
    clientId,
    side,
    positionSide,
    type,
    reduceOnly,
    closePosition,
    actualOrderId: "",
    reason: "",
  };
  return { ...order, algoId: "", status: "NEW", quantity: quantity!, triggerPrice: triggerPrice!, updateTime: 1 };
}

const path = new ServicePath({ symbols: SYMBOLS, gateway, journal: join(folder, "run.journal"), at });

async function pause(kind: Pause): Promise<void> {
  const until = performance.now() + LENGTH;
  if (kind === "spinning") while (performance.now() < until);
  await new Promise<void>((resolve) => (kind === "sleeping" ? setTimeout(resolve, LENGTH) : setImmediate(resolve)));
}

/** Takes the next bar through; the orders that it asks for are settled before it returns. */
async function bar(): Promise<void> {
  path.advance();
  const { openTime, close: price } = path.next;
  moment = FROM;
  at("decoded");
  const volumes = { volume: 1, quoteVolume: 1, trades: 1, takerBuyBase: 1, takerBuyQuote: 1 };
  path.bar(0, { openTime, open: price, high: price, low: price, close: price, ...volumes });
  while (moment <= TO) await Promise.resolve();
}

/** The old stop has been cancelled: the account's stream says so. */
function settle(): void {
  for (const record of path.exchange.desk.open) {
    if (!record.cancelAsked) continue;
    const order = orders.find(({ clientId }) => clientId === record.clientId)!;
    const event: AlgoUpdate = { ...reportOf(order), kind: "algo", time: 1, transactionTime: 1, status: "CANCELED" };
    path.exchange.desk.algoEvent({ ...event, algoId: record.algoId });
  }
}

const times: Record<Pause, number[][]> = { none: [], spinning: [], sleeping: [] };
let expected = Number.NaN;
for (let i = 0; i < warm + bars; i++) {
  const kind = PAUSES[(i >> 5) % PAUSES.length]!;
  await pause(kind);
  await bar();
  // The stop follows the close by the same distance, bar after bar.
  const distance = path.next.close - Number(orders.at(-1)!.triggerPrice);
  if (orders.length !== i + 1 || (i > 0 && Math.abs(distance - expected) > 1e-6))
    throw new Error(`bar ${i}: another order`);
  expected = distance;
  // The first after another kind of pause tells nothing of this one.
  if (i >= warm && i % 32 !== 0) {
    times[kind].push(
      STAGES.slice(FROM + 1, TO + 1).map((_, k) => (moments[FROM + 1 + k]! - moments[FROM + k]!) * 1000),
    );
  }
  for (let turns = 0; turns < 4; turns++) await Promise.resolve();
  settle();
}
rmSync(folder, { recursive: true });

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const total = (kind: Pause) => median(times[kind].map((stages) => stages.reduce((sum, time) => sum + time, 0)));
console.log(`µs, medians of ${bars} bars in turns of 32, by the pause before the bar`);
console.log("".padEnd(24), PAUSES.map((kind) => kind.padStart(9)).join(""));
STAGES.slice(FROM + 1, TO + 1).forEach((stage, k) => {
  const row = PAUSES.map((kind) =>
    median(times[kind].map((stages) => stages[k]!))
      .toFixed(1)
      .padStart(9),
  );
  console.log(`to "${stage}"`.padEnd(24), row.join(""));
});
console.log("together".padEnd(24), PAUSES.map((kind) => total(kind).toFixed(1).padStart(9)).join(""));
process.exit(0);

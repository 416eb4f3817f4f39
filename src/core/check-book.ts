import type { Purpose } from "./effects.ts";
import { TRADING_STATES } from "./effects.ts";
import { trialBalance } from "./ledger.ts";
import { type Order, remainingLots } from "./order.ts";
import type { Position } from "./position.ts";
import { isProtected } from "./protection.ts";
import { stricter } from "./risk.ts";
import { positionKey, type State } from "./state.ts";

/** How many orders of a purpose a position may have that are not on their way out: a stop and its replacement. */
const MOST: Readonly<Record<Purpose, number>> = {
  entry: 1,
  "working-stop": 2,
  "disaster-stop": 1,
  target: 1,
  exit: 1,
  "partial-target": 1,
};

/**
 * Everything that must hold in the book between two events. For tests, the simulation, and the end of every run.
 * @returns one sentence per broken rule, none when all is well
 */
export function checkBook(state: State): string[] {
  const broken: string[] = [];
  const balance = trialBalance(state.ledger);
  if (balance !== 0n) broken.push(`the ledger is out of balance by ${balance}`);
  if (state.trading !== stricter(state.floor, TRADING_STATES[state.risk.level]!)) {
    broken.push(`trading is ${state.trading}, not what floor and record ask for`);
  }
  const listed = state.symbols.filter((symbol) => symbol.listed).length;
  if (listed !== state.listed) broken.push(`${state.listed} symbols count as listed, ${listed} are`);

  const orders = new Map<Position, Order[]>();
  for (const [id, order] of state.orders) {
    if (id !== order.request.id || id >= state.nextOrder) broken.push(`order ${order.request.id} is kept as ${id}`);
    if (order.state.kind === "ended") broken.push(`order ${id} has ended and is among the open ones`);
    if (state.ended.has(id)) broken.push(`order ${id} is both open and ended`);
    const own = orders.get(order.position);
    if (own === undefined) orders.set(order.position, [order]);
    else own.push(order);
  }
  for (const [key, position] of state.positions) {
    if (key !== positionKey(position.symbol, position.leg)) broken.push(`position ${key} is kept under a wrong name`);
    broken.push(...checkPosition(state, key, position, orders.get(position) ?? []));
  }
  for (const position of state.resting) {
    const key = positionKey(position.symbol, position.leg);
    if (state.positions.get(key) !== position) broken.push(`an entry rests of position ${key}, which is over`);
  }
  broken.push(...state.virtual.check());
  return broken;
}

function checkPosition(state: State, key: string, position: Position, orders: readonly Order[]): string[] {
  const broken: string[] = [];
  const say = (text: string) => broken.push(`position ${key}: ${text}`);
  const { holding, phase, workingStop, disasterStop, direction, plan } = position;
  if (!Number.isSafeInteger(holding.lots) || holding.lots < 0) say(`holds ${holding.lots} lots`);
  if (holding.lots > holding.openedLots) say(`holds more lots than were opened`);
  if (holding.lots === 0 && holding.cost !== 0n) say(`is flat and has a cost of ${holding.cost}`);
  if (holding.lots > 0 && holding.cost <= 0n) say(`holds lots that cost ${holding.cost}`);
  if (direction * (position.stop - plan.stop) < 0) say("its stop has moved away from the price");
  if (phase.kind === "opening" && holding.openedLots > 0) say("is opening and holds something");
  if (phase.kind === "open" && holding.lots === 0) say("is open and holds nothing");
  if (phase.kind === "closing" && holding.lots === 0 && !state.orders.has(phase.entry))
    say("is flat and was not finished");

  const entries = orders.filter(({ request }) => request.purpose === "entry");
  const wanted = entries.reduce((sum, entry) => sum + remainingLots(entry), holding.openedLots);
  if (entries.length > 1) say(`has ${entries.length} entry orders`);
  if (wanted > plan.lots && phase.kind !== "closing") say(`may come to ${wanted} of ${plan.lots} lots`);
  const { entering } = position;
  if ((entering.kind === "resting") !== state.resting.has(position))
    say(`its entry is ${entering.kind}, and listed otherwise`);
  if (entering.kind === "resting" && phase.kind === "closing") say("is closing while its entry rests");
  if (entering.kind === "resting" && holding.lots < holding.openedLots)
    say("its entry rests while a part of it has been closed");
  if (entering.kind !== "taking" && entries.length === 0) say(`its entry is ${entering.kind} without an order`);

  const standing = orders.filter((order) => order.state.kind !== "cancelling");
  for (const purpose of Object.keys(MOST) as Purpose[]) {
    const count = standing.filter((order) => order.request.purpose === purpose).length;
    if (count > MOST[purpose]) say(`has ${count} orders of purpose ${purpose}`);
  }
  const known = new Set<number>([phase.entry]);
  if (phase.kind === "closing") known.add(phase.exit);
  for (const stop of [workingStop, disasterStop]) {
    if (stop.kind !== "none") known.add(stop.order);
    if (stop.kind === "replacing") known.add(stop.old);
  }
  for (const target of [position.target, position.partial]) if (target.kind === "placed") known.add(target.order);
  for (const { request } of standing)
    if (!known.has(request.id)) say(`order ${request.id} (${request.purpose}) is forgotten`);

  if (phase.kind !== "open" || holding.lots === 0) return broken;
  if (!isProtected(state, position) && !position.unguarded) say("is not protected and nobody watches it");
  if (workingStop.kind === "acknowledged") {
    // It may cover more, where the exchange refused a smaller one: a reduce-only order closes no more than there is.
    const order = state.orders.get(workingStop.order);
    if (order === undefined) say("its working stop is not among the orders");
    else if (remainingLots(order) < holding.lots)
      say(`its stop covers ${remainingLots(order)} of ${holding.lots} lots`);
    else if (order.request.trigger !== position.stop) say("its stop is not where it should be");
  }
  if (disasterStop.kind === "acknowledged" && !state.orders.has(disasterStop.order)) {
    say("its disaster stop is not among the orders");
  }
  return broken;
}

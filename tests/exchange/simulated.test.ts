import { describe, expect, test } from "bun:test";
import { USDT } from "../../src/core/instrument.ts";
import type { VenueEvent } from "../../src/exchange/exchange.ts";
import { createSimulatedExchange, type SimulatedExchangeOptions } from "../../src/exchange/simulated/exchange.ts";
import {
  all,
  barsOf,
  buy,
  type Change,
  type Funding,
  limit,
  linesOf,
  MINUTE,
  order,
  PLAIN,
  play,
  type Reaction,
  type Row,
  sell,
  stop,
  stopLimit,
  target,
  targetLimit,
  trailing,
} from "./bars.ts";

/** The bar on whose close the first orders are sent. Their open is the next bar's. */
const FIRST: Row = [1000, 1000, 1000, 1000];

interface Situation {
  /** What happens, and why it must. */
  readonly why: string;
  /** Bars after FIRST. */
  readonly bars: readonly Row[];
  /** Sent at the close of FIRST: ids 1, 2 … */
  readonly first?: readonly Change[];
  /** Sent right after the first fill: ids 11, 12 … */
  readonly afterFill?: readonly Change[];
  readonly react?: Reaction;
  readonly funding?: readonly Funding[];
  readonly options?: Partial<SimulatedExchangeOptions>;
  readonly lines: readonly string[];
}

const long = buy(10);
const short = sell(10);
const exit = (change: Change): Change => sell(10, change);
const cover = (change: Change): Change => buy(10, change);

const HEDGE: Partial<SimulatedExchangeOptions> = { positionMode: "hedge" };

const SITUATIONS: readonly Situation[] = [
  {
    why: "a market order fills at the next open, never at the close it was decided on",
    first: [long],
    bars: [[1010, 1020, 1005, 1015]],
    lines: ["1 #1 10@1010"],
  },
  {
    why: "half the spread and the slippage are paid, rounded up to ticks: 1010 × 6 bp = 0.6, so one tick",
    first: [long],
    bars: [[1010, 1020, 1005, 1015]],
    options: { spreadBps: 2, slippageBps: 5 },
    lines: ["1 #1 10@1011"],
  },
  {
    why: "a seller pays them downwards",
    first: [short],
    bars: [[1010, 1020, 1005, 1015]],
    options: { spreadBps: 20, slippageBps: 5 },
    lines: ["1 #1 10@1008"],
  },
  {
    why: "a stop that is touched fills at its trigger",
    first: [long],
    afterFill: [exit(stop(990))],
    bars: [[1000, 1001, 990, 995]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990"],
  },
  {
    why: "a stop one tick below the low stays",
    first: [long],
    afterFill: [exit(stop(989))],
    bars: [[1000, 1001, 990, 995]],
    lines: ["1 #1 10@1000"],
  },
  {
    why: "the open jumps over the stop: it fills at the open, which is worse",
    first: [long],
    afterFill: [exit(stop(990))],
    bars: [
      [1000, 1001, 995, 1000],
      [980, 999, 970, 990],
    ],
    lines: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@980"],
  },
  {
    why: "the same for a short, upwards",
    first: [short],
    afterFill: [cover(stop(1010))],
    bars: [
      [1000, 1001, 995, 1000],
      [1025, 1030, 1020, 1022],
    ],
    lines: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@1025"],
  },
  {
    why: "stop slippage goes against us: 990 × 10 bp = 0.99, so one tick",
    first: [long],
    afterFill: [exit(stop(990))],
    bars: [[1000, 1001, 985, 995]],
    options: { slippageBps: 10 },
    lines: ["1 #1 10@1001", "1+ #11 triggered", "1+ #11 10@989"],
  },
  {
    why: "both barriers in one bar: the stop comes first, the target has nothing left to close",
    first: [long],
    afterFill: [exit(stop(990)), exit(target(1010))],
    bars: [[1000, 1050, 980, 1000]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990", "1+ #12 expired -2022"],
  },
  {
    why: "both barriers in one bar for a short: the high comes first",
    first: [short],
    afterFill: [cover(stop(1010)), cover(target(990))],
    bars: [[1000, 1050, 980, 1000]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@1010", "1+ #12 expired -2022"],
  },
  {
    why: "one cancels the other: the trader's cancel after the stop's fill is in time",
    first: [long],
    afterFill: [exit(stop(990)), exit(target(1010))],
    bars: [[1000, 1050, 980, 1000]],
    react: (event, { cancel }) => {
      if (event.kind === "fill" && event.order === 11) cancel(12);
    },
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990", "1+ #12 cancelled"],
  },
  {
    why: "a target that is only touched does not trigger",
    first: [long],
    afterFill: [exit(target(1010))],
    bars: [[1000, 1010, 995, 1005]],
    lines: ["1 #1 10@1000"],
  },
  {
    why: "a target that is traded through by one tick fills at its trigger",
    first: [long],
    afterFill: [exit(target(1010))],
    bars: [[1000, 1011, 995, 1005]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@1010"],
  },
  {
    why: "the open jumps over the target: its trigger, not the better open",
    first: [long],
    afterFill: [exit(target(1010))],
    bars: [
      [1000, 1005, 995, 1000],
      [1030, 1040, 1020, 1025],
    ],
    lines: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@1010"],
  },
  {
    why: "a limit that is touched does not fill, others stood before us",
    first: [buy(10, limit(990))],
    bars: [[1000, 1001, 990, 995]],
    lines: [],
  },
  {
    why: "a limit that is traded through fills at its price as maker, without slippage",
    first: [buy(10, limit(990))],
    bars: [[1000, 1001, 989, 995]],
    options: { spreadBps: 10, slippageBps: 10 },
    lines: ["1+ #1 10@990 maker"],
  },
  {
    why: "the open jumps over a resting limit: its price, not the better open",
    first: [buy(10, limit(990))],
    bars: [[980, 985, 975, 980]],
    lines: ["1 #1 10@990 maker"],
  },
  {
    why: "a limit that meets the market takes liquidity at the next open",
    first: [buy(10, limit(1010))],
    bars: [[1005, 1020, 1001, 1010]],
    lines: ["1 #1 10@1005"],
  },
  {
    why: "a limit that met the market when sent, but not at the open any more, rests and fills as maker",
    first: [buy(10, limit(1001))],
    bars: [[1005, 1020, 1000, 1010]],
    lines: ["1+ #1 10@1001 maker"],
  },
  {
    why: "post-only refuses to take",
    first: [buy(10, limit(1000, { timeInForce: "post-only" }))],
    bars: [[1000, 1001, 990, 995]],
    lines: ["1 #1 rejected -5022"],
  },
  {
    why: "immediate-or-cancel beyond its limit expires at the open",
    first: [buy(10, limit(1001, { timeInForce: "ioc" }))],
    bars: [[1005, 1020, 990, 1010]],
    lines: ["1 #1 expired"],
  },
  {
    why: "immediate-or-cancel takes what is there",
    first: [buy(10, limit(1001, { timeInForce: "ioc" }))],
    bars: [[1000, 1020, 990, 1010, 6]],
    lines: ["1 #1 6@1000 part", "1 #1 expired"],
  },
  {
    why: "fill-or-kill does not take a part",
    first: [buy(10, limit(1001, { timeInForce: "fok" }))],
    bars: [[1000, 1020, 990, 1010, 6]],
    lines: ["1 #1 expired -5021"],
  },
  {
    why: "the volume share caps an entry, and its rest expires",
    first: [long],
    bars: [
      [1000, 1001, 999, 1000, 40],
      [1000, 1001, 999, 1000],
    ],
    options: { volumeShare: 0.1 },
    lines: ["1 #1 4@1000 part", "1 #1 expired"],
  },
  {
    why: "an exit that the volume caps goes on in the following bars",
    first: [long],
    afterFill: [exit({ reduceOnly: true })],
    bars: [
      [1000, 1001, 999, 1000],
      [1005, 1006, 1004, 1005, 4],
      [1007, 1008, 1006, 1007],
    ],
    lines: ["1 #1 10@1000", "2 #11 4@1005 part", "3 #11 6@1007"],
  },
  {
    why: "so does a stop: what the bar could not take fills at the next open",
    first: [long],
    afterFill: [exit(stop(990))],
    bars: [
      [1000, 1001, 995, 1000],
      [1000, 1001, 985, 987, 4],
      [986, 988, 984, 986],
    ],
    lines: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 4@990 part", "3 #11 6@986"],
  },
  {
    why: "one volume for all orders of a bar: the entry takes it all, the stop has to wait for the next open",
    first: [long],
    afterFill: [exit(stop(990))],
    bars: [
      [1000, 1001, 985, 987, 10],
      [986, 988, 984, 986],
    ],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "2 #11 10@986"],
  },
  {
    why: "nothing fills in a flat bar: an entry expires",
    first: [long],
    bars: ["flat", [1000, 1001, 999, 1000]],
    lines: ["1 #1 expired"],
  },
  {
    why: "nothing fills in a flat bar: an exit waits for the next trade",
    first: [long],
    afterFill: [exit({ reduceOnly: true })],
    bars: [[1000, 1001, 999, 1000], "flat", [990, 991, 989, 990]],
    lines: ["1 #1 10@1000", "3 #11 10@990"],
  },
  {
    why: "an entry at t pays no funding of t; who holds at t pays",
    first: [long],
    funding: [
      { time: MINUTE, rate: 10_000 },
      { time: 2 * MINUTE, rate: 10_000, mark: 1001 },
    ],
    bars: [
      [1000, 1001, 999, 1000],
      [1000, 1001, 999, 1000],
    ],
    // 10 lots × 1001 ticks × 0.01 USDT × 0.01 % = 0.01001 USDT.
    lines: ["1 #1 10@1000", "2 funding -1001000"],
  },
  {
    why: "an exit in a bar's last millisecond pays no funding of the bar's close",
    first: [long],
    afterFill: [exit(stop(990))],
    funding: [{ time: 2 * MINUTE, rate: 10_000 }],
    bars: [
      [1000, 1001, 985, 1000],
      [1000, 1001, 999, 1000],
    ],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990"],
  },
  {
    why: "an exit at the open of t pays the funding of t before",
    first: [long],
    afterFill: [exit({ reduceOnly: true })],
    funding: [{ time: 2 * MINUTE, rate: 10_000 }],
    bars: [
      [1000, 1001, 999, 1000],
      [1000, 1001, 999, 1000],
    ],
    lines: ["1 #1 10@1000", "2 funding -1000000", "2 #11 10@1000"],
  },
  {
    why: "a short receives funding of a positive rate, at the open where there is no mark, rounded down",
    first: [sell(1)],
    funding: [{ time: MINUTE + 1000, rate: 1 }],
    bars: [[1005, 1006, 999, 1000]],
    // 1 × 1005 × 1 000 000 × 1e-8 = 10.05 units.
    lines: ["1 #1 1@1005", "1 funding 10"],
  },
  {
    why: "funding that is switched off is no event",
    first: [long],
    funding: [{ time: MINUTE + 1000, rate: 10_000 }],
    bars: [[1000, 1001, 999, 1000]],
    options: { fundingOn: false },
    lines: ["1 #1 10@1000"],
  },
  {
    why: "the liquidation price lies nearer than the stop: (1000 − 100) / (1 − 2.5 %) = 923.08",
    first: [long],
    afterFill: [exit(stop(890))],
    bars: [[1000, 1001, 880, 885]],
    lines: ["1 #1 10@1000", "1+ liquidation 10@923", "1+ #11 expired"],
  },
  {
    why: "the open jumps over stop and bankruptcy: still no more than the margin is lost",
    first: [long],
    afterFill: [exit(stop(910))],
    bars: [
      [1000, 1001, 990, 1000],
      [850, 860, 840, 850],
    ],
    lines: ["1 #1 10@1000", "2 liquidation 10@900", "2 #11 expired"],
  },
  {
    why: "a short is liquidated at (1000 + 100) / (1 + 2.5 %) = 1073.2, so at 1074",
    first: [short],
    bars: [[1000, 1074, 999, 1050]],
    lines: ["1 #1 10@1000", "1+ liquidation 10@1074"],
  },
  {
    why: "a tick before that it stands",
    first: [short],
    bars: [[1000, 1073, 999, 1050]],
    lines: ["1 #1 10@1000"],
  },
  {
    why: "a stop's slippage does not reach beyond the margin: 952 − 29 would, so it fills at 1030 − 103 = 927",
    first: [long],
    afterFill: [exit(stop(952))],
    bars: [[1000, 1001, 951, 960]],
    options: { slippageBps: 300 },
    lines: ["1 #1 10@1030", "1+ #11 triggered", "1+ #11 10@927"],
  },
  {
    why: "a delisted symbol's position closes at the last price and its orders end, then it is delisted",
    first: [long],
    afterFill: [exit(stop(950)), exit(target(1100))],
    bars: [[1000, 1010, 990, 1003], "gone"],
    lines: ["1 #1 10@1000", "2 delisted 10@1003", "2 #11 expired", "2 #12 expired"],
  },
  {
    why: "an entry for a symbol that is delisted before its open expires",
    first: [long],
    bars: ["gone", [1000, 1001, 999, 1000]],
    lines: ["1 #1 expired"],
  },
  {
    why: "close-position closes what is there, not what was there when it was sent",
    first: [long],
    afterFill: [buy(5), sell(0, { ...stop(990), ...all })],
    bars: [
      [1000, 1001, 995, 1000],
      [1000, 1001, 985, 990],
    ],
    lines: ["1 #1 10@1000", "2 #11 5@1000", "2+ #12 triggered", "2+ #12 15@990"],
  },
  {
    why: "of two stops the nearer one goes first, and the close-position stop expires with the position",
    first: [long],
    afterFill: [sell(0, { ...stop(980), ...all }), exit(stop(990))],
    bars: [[1000, 1001, 970, 990]],
    lines: ["1 #1 10@1000", "1+ #12 triggered", "1+ #12 10@990", "1+ #11 expired -2022"],
  },
  {
    why: "of two stops that the open jumps over the nearer one goes first too",
    first: [long],
    afterFill: [sell(0, { ...stop(980), ...all }), exit(stop(990))],
    bars: [
      [1000, 1001, 995, 1000],
      [975, 976, 974, 975],
    ],
    lines: ["1 #1 10@1000", "2 #12 triggered", "2 #12 10@975", "2 #11 expired -2022"],
  },
  {
    why: "a reduce-only order is cut to the position and never opens",
    first: [buy(4)],
    afterFill: [exit({ reduceOnly: true })],
    bars: [
      [1000, 1001, 999, 1000],
      [1005, 1006, 1004, 1005],
    ],
    lines: ["1 #1 4@1000", "2 #11 4@1005 part", "2 #11 expired -2022"],
  },
  {
    why: "an order that may open closes first and opens the rest by a second fill",
    first: [buy(4)],
    afterFill: [sell(10)],
    bars: [
      [1000, 1001, 999, 1000],
      [1005, 1006, 1004, 1005],
    ],
    lines: ["1 #1 4@1000", "2 #11 4@1005 part", "2 #11 6@1005"],
  },
  {
    why: "the price that has filled a limit goes on to the low: the stop that was placed at once is met on the way",
    first: [buy(10, limit(990))],
    afterFill: [exit(stop(980))],
    bars: [[1000, 1001, 970, 995]],
    lines: ["1+ #1 10@990 maker", "1+ #11 triggered", "1+ #11 10@980"],
  },
  {
    why: "and the same upwards",
    first: [sell(10, limit(1010))],
    afterFill: [cover(stop(1020))],
    bars: [[1000, 1030, 999, 1005]],
    lines: ["1+ #1 10@1010 maker", "1+ #11 triggered", "1+ #11 10@1020"],
  },
  {
    why: "a stop that the rest of the way does not reach stays for the next bar",
    first: [buy(10, limit(990))],
    afterFill: [exit(stop(980))],
    bars: [
      [1000, 1001, 985, 995],
      [990, 991, 979, 985],
    ],
    lines: ["1+ #1 10@990 maker", "2+ #11 triggered", "2+ #11 10@980"],
  },
  {
    why: "what a limit opened inside of a bar cannot gain in that bar: the high may have come before",
    first: [buy(10, limit(990)), sell(10, limit(1010))],
    bars: [
      [1000, 1020, 980, 1000],
      [1000, 1020, 995, 1000],
    ],
    lines: ["1+ #1 10@990 maker", "2+ #2 10@1010 maker"],
  },
  {
    why: "a stop may open too: an entry on a break",
    first: [buy(10, stop(1010, { reduceOnly: false }))],
    bars: [[1000, 1015, 999, 1012]],
    lines: ["1+ #1 triggered", "1+ #1 10@1010"],
  },
  {
    why: "margin is checked again at the fill: the open is dearer than the close was",
    first: [long],
    bars: [[1200, 1201, 1199, 1200]],
    options: { balance: 11 * USDT },
    lines: ["1 #1 expired -2019"],
  },
  {
    why: "a stop-limit becomes a limit order when triggered, and meets the market at the trigger",
    first: [long],
    afterFill: [exit(stopLimit(990, 985))],
    bars: [[1000, 1001, 980, 995]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990"],
  },
  {
    why: "the open jumps over a stop-limit's price: it rests there and fills when the price comes back through it",
    first: [long],
    afterFill: [exit(stopLimit(990, 985))],
    bars: [
      [1000, 1001, 995, 1000],
      [980, 985, 975, 980],
      [980, 986, 975, 980],
    ],
    lines: ["1 #1 10@1000", "2 #11 triggered", "3+ #11 10@985 maker"],
  },
  {
    why: "a stop-limit may fill inside of the very bar that it was triggered at the open of",
    first: [long],
    afterFill: [exit(stopLimit(990, 985))],
    bars: [
      [1000, 1001, 995, 1000],
      [980, 990, 975, 980],
    ],
    lines: ["1 #1 10@1000", "2 #11 triggered", "2+ #11 10@985 maker"],
  },
  {
    why: "a stop-limit above its trigger does not fill in the bar of its trigger: what came after is not known",
    first: [long],
    afterFill: [exit(stopLimit(990, 995))],
    bars: [
      [1000, 1001, 980, 995],
      [994, 996, 990, 995],
    ],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "2+ #11 10@995 maker"],
  },
  {
    why: "an ioc stop-limit that cannot trade at its price ends",
    first: [long],
    afterFill: [exit(stopLimit(990, 985, { timeInForce: "ioc" }))],
    bars: [
      [1000, 1001, 995, 1000],
      [980, 990, 975, 980],
    ],
    lines: ["1 #1 10@1000", "2 #11 triggered", "2 #11 expired"],
  },
  {
    why: "a post-only stop-limit that would take at its trigger ends",
    first: [long],
    afterFill: [exit(stopLimit(990, 985, { timeInForce: "post-only" }))],
    bars: [[1000, 1001, 985, 995]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 expired -5022"],
  },
  {
    why: "a take-profit-limit takes at its trigger when its price allows it",
    first: [long],
    afterFill: [exit(targetLimit(1010, 1008))],
    bars: [[1000, 1011, 995, 1005]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@1010"],
  },
  {
    why: "a take-profit-limit beyond its trigger rests, from the next bar on",
    first: [long],
    afterFill: [exit(targetLimit(1010, 1015))],
    bars: [
      [1000, 1020, 995, 1005],
      [1005, 1016, 1004, 1010],
    ],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "2+ #11 10@1015 maker"],
  },
  {
    why: "a trailing stop does not advance before the adverse check: 1 % below 1000 is not reached by 991",
    first: [long],
    afterFill: [exit(trailing(100))],
    bars: [[1000, 1050, 991, 1045]],
    lines: ["1 #1 10@1000"],
  },
  {
    why: "it follows the high afterwards: the close 1 % below 1050 (1039.5, rounded down) has met it",
    first: [long],
    afterFill: [exit(trailing(100))],
    bars: [[1000, 1050, 991, 1039]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@1039"],
  },
  {
    why: "in the next bar the low meets what the high of the last one has set",
    first: [long],
    afterFill: [exit(trailing(100))],
    bars: [
      [1000, 1050, 991, 1045],
      [1046, 1047, 1030, 1040],
    ],
    lines: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@1039"],
  },
  {
    why: "in the bar of an entry it does not follow the high: that may have come before the entry",
    first: [buy(10, limit(990)), sell(10, trailing(500, { reduceOnly: false }))],
    bars: [[1000, 1100, 985, 1040]],
    lines: ["1+ #1 10@990 maker"],
  },
  {
    why: "the open jumps over a trailing stop: it fills at the open",
    first: [long],
    afterFill: [exit(trailing(100))],
    bars: [
      [1000, 1050, 991, 1045],
      [1020, 1047, 1010, 1040],
    ],
    lines: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@1020"],
  },
  {
    why: "a short's trailing stop follows the low: 2 % above 950 is 969",
    first: [short],
    afterFill: [cover(trailing(200))],
    bars: [
      [1000, 1005, 950, 955],
      [955, 970, 954, 960],
    ],
    lines: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@969"],
  },
  {
    why: "a trailing stop with an activation price sleeps until it is reached",
    first: [long],
    afterFill: [exit(trailing(100, { trigger: 1020 }))],
    bars: [
      [1000, 1019, 950, 1010],
      [1010, 1030, 1005, 1025],
      [1025, 1026, 1015, 1020],
    ],
    lines: ["1 #1 10@1000", "3+ #11 triggered", "3+ #11 10@1019"],
  },
  {
    why: "an amended limit fills at its new price",
    first: [buy(10, limit(950))],
    react: (event, { amend }) => {
      if (event.kind === "answer" && event.answer === "accepted") amend(1, 10, 990);
    },
    bars: [[1000, 1001, 985, 995]],
    lines: ["1 #1 amended", "1+ #1 10@990 maker"],
  },
  {
    why: "amended across the market it takes at the next open",
    first: [buy(10, limit(950))],
    react: (event, { amend }) => {
      if (event.kind === "answer" && event.answer === "accepted") amend(1, 8, 1005);
    },
    bars: [[1002, 1003, 1001, 1002]],
    lines: ["1 #1 amended", "1 #1 8@1002"],
  },
  {
    why: "amended to what is filled already it is cancelled",
    first: [buy(10, limit(990))],
    react: (event, { amend }) => {
      if (event.kind === "fill") amend(1, 4, 990);
    },
    bars: [[1000, 1001, 985, 995, 4]],
    lines: ["1+ #1 4@990 maker part", "1+ #1 cancelled"],
  },
  {
    why: "in hedge mode both legs stand side by side, and each sees its own bad side first",
    options: HEDGE,
    first: [buy(10, { leg: "long" }), sell(10, { leg: "short" })],
    afterFill: [
      sell(0, { leg: "long", ...stop(990), ...all }),
      buy(0, { leg: "short", ...stop(1010), ...all }),
      sell(0, { leg: "long", ...target(1010), ...all }),
    ],
    react: (event, { submit }) => {
      if (event.kind === "fill" && event.order === 2) submit(21, buy(0, { leg: "short", ...stop(1010), ...all }));
    },
    bars: [[1000, 1050, 950, 1000]],
    lines: [
      "1 #1 10@1000",
      "1 #12 rejected -2022",
      "1 #2 10@1000",
      "1+ #11 triggered",
      "1+ #11 10@990",
      "1+ #13 expired -2022",
      "1+ #21 triggered",
      "1+ #21 10@1010",
    ],
  },
  {
    why: "in hedge mode a sale of the long leg never opens a short",
    options: HEDGE,
    first: [buy(4, { leg: "long" })],
    afterFill: [sell(10, { leg: "long" })],
    bars: [
      [1000, 1001, 999, 1000],
      [1005, 1006, 1004, 1005],
    ],
    lines: ["1 #1 4@1000", "2 #11 4@1005 part", "2 #11 expired -2022"],
  },
  {
    why: "funding is exchanged by both legs at once: what one pays the other gets",
    options: HEDGE,
    first: [buy(10, { leg: "long" }), sell(4, { leg: "short" })],
    bars: [
      [1000, 1001, 999, 1000],
      [1000, 1001, 999, 1000],
    ],
    funding: [{ time: 2 * MINUTE, rate: 10_000 }],
    lines: ["1 #1 10@1000", "1 #2 4@1000", `2 funding ${-6 * 1000 * 100}`],
  },
  {
    why: "a leg of hedge mode is liquidated alone: 900 / (1 − 2.5 %) = 923.08",
    options: HEDGE,
    first: [buy(10, { leg: "long" }), sell(10, { leg: "short" })],
    bars: [[1000, 1001, 920, 930]],
    lines: ["1 #1 10@1000", "1 #2 10@1000", "1+ liquidation 10@923"],
  },
  {
    why: "cross margin: the whole wallet stands behind it, so the move that ends an isolated one does not",
    options: { marginMode: "cross" },
    first: [long],
    bars: [[1000, 1001, 800, 850]],
    lines: ["1 #1 10@1000"],
  },
  {
    why: "cross margin: 200 USDT less a fee of 0.5 behind 1 USDT a tick: 199.5 − (1000 − p) = 2.5 % of p at 821.03",
    options: { marginMode: "cross", balance: 200 * USDT },
    first: [buy(100, { leverage: 20 })],
    bars: [
      [1000, 1001, 999, 1000],
      [1000, 1001, 820, 850],
    ],
    lines: ["1 #1 100@1000", "2+ liquidation 100@821"],
  },
  {
    why: "liquidation in a bar too thin for it: the fund takes the position over at the bankruptcy price",
    first: [long],
    bars: [
      [1000, 1001, 999, 1000],
      [1000, 1001, 910, 920, 9],
    ],
    lines: ["1 #1 10@1000", "2+ liquidation 10@900"],
  },
  {
    why: "the open jumps over the liquidation price: it is sold at the open",
    first: [long],
    bars: [
      [1000, 1001, 999, 1000],
      [915, 930, 914, 920],
    ],
    lines: ["1 #1 10@1000", "2 liquidation 10@915"],
  },
  {
    why: "a stop that lies nearer than the liquidation price goes first",
    first: [long],
    afterFill: [exit(stop(924))],
    bars: [[1000, 1001, 890, 900]],
    lines: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@924"],
  },
  {
    why: "a stop at the liquidation price comes too late",
    first: [long],
    afterFill: [exit(stop(923))],
    bars: [[1000, 1001, 890, 900]],
    lines: ["1 #1 10@1000", "1+ liquidation 10@923", "1+ #11 expired"],
  },
  {
    why: "deleveraging closes at the next open, and what would reduce the position ends",
    first: [long],
    afterFill: [exit(target(1100))],
    react: (event, { exchange }) => {
      if (event.kind === "fill") exchange.deleverage(0, "both");
    },
    bars: [
      [1000, 1051, 999, 1050],
      [1052, 1060, 1040, 1050],
    ],
    lines: ["1 #1 10@1000", "2 adl 10@1052", "2 #11 expired -2022"],
  },
];

/** Lists the symbol, sends the first orders at the first close and the others after the first fill. */
function reaction(situation: Situation): Reaction {
  let filled = false;
  return (event, session) => {
    if (event.kind === "bar" && event.time === MINUTE) {
      situation.first?.forEach((change, index) => {
        session.submit(1 + index, change);
      });
    }
    if (event.kind === "fill" && !filled) {
      filled = true;
      situation.afterFill?.forEach((change, index) => {
        session.submit(11 + index, change);
      });
    }
    situation.react?.(event, session);
  };
}

describe("bar situations", () => {
  for (const situation of SITUATIONS) {
    test(situation.why, () => {
      const source = barsOf([[FIRST, ...situation.bars]], situation.funding);
      const { events } = play(source, reaction(situation), situation.options);
      expect(linesOf(events)).toEqual([...situation.lines]);
    });
  }
});

describe("refusals", () => {
  const table: readonly (readonly [name: string, code: number, change: Change])[] = [
    ["an unknown symbol", -1121, buy(10, { symbol: 7 })],
    ["a symbol that is not trading", -4141, buy(10, { symbol: 1 })],
    ["a leg of hedge mode", -4061, buy(10, { leg: "long" })],
    ["no quantity", -4003, buy(0)],
    ["half a lot", -4003, buy(1.5)],
    ["too much", -4005, buy(1001)],
    ["no price", -4001, buy(10, limit(0))],
    ["no trigger", -4006, buy(10, stop(0, { reduceOnly: false }))],
    ["too little value: 49 ticks of 0.01 USDT at 10 lots", -4164, buy(10, limit(49))],
    ["too little margin: 100 000 USDT at leverage 1 of a wallet of 1000", -2019, buy(1000, { leverage: 1 })],
    ["too much leverage", -4028, buy(10, { leverage: 21 })],
    ["reduce-only without a position", -2022, sell(10, { reduceOnly: true })],
    ["close-position without a position", -2022, sell(0, { ...stop(990), ...all })],
    ["close-position with a quantity", -4137, sell(3, { ...stop(990), ...all, lots: 3 })],
    ["close-position at the market", -4136, sell(0, all)],
    ["close-position and reduce-only", -1106, sell(0, { ...stop(990), ...all, reduceOnly: true })],
    ["a sell stop above the market", -2021, sell(10, stop(1000, { reduceOnly: false }))],
    ["a buy stop below the market", -2021, buy(10, stop(999, { reduceOnly: false }))],
    ["a sell target below the market", -2021, sell(10, target(1000, { reduceOnly: false }))],
    ["a trailing stop without a callback", -2007, sell(10, { type: "trailing-stop", reduceOnly: false })],
    ["a callback of 0.15 %", -2007, sell(10, trailing(15, { reduceOnly: false }))],
    ["a trailing stop that is active already", -2021, sell(10, trailing(50, { reduceOnly: false, trigger: 990 }))],
    ["a stop-limit without a price", -4001, sell(10, stopLimit(990, 0, { reduceOnly: false }))],
    ["post-only that would take", -5022, sell(10, limit(1000, { timeInForce: "post-only" }))],
  ];
  for (const [name, code, change] of table) {
    test(`${name}: ${code}`, () => {
      const source = barsOf([
        [FIRST, FIRST],
        ["absent", "absent"],
      ]);
      const { events } = play(
        source,
        (event, { submit }) => {
          if (event.kind === "bar" && event.time === MINUTE) submit(1, change);
        },
        { balance: 1000 * USDT },
      );
      const answers = events.filter((event) => event.kind === "answer");
      expect(answers).toHaveLength(1);
      expect(answers[0]).toMatchObject({ order: 1, answer: "rejected", code });
      expect(answers[0]!.reason).not.toBe("");
    });
  }

  test("an id is used once, a second close-position stop is refused, a cancel needs an order", () => {
    const { events, exchange } = play(barsOf([[FIRST, FIRST, FIRST]]), (event, { submit, cancel }) => {
      if (event.kind === "bar" && event.time === MINUTE) submit(1, long);
      if (event.kind !== "fill") return;
      submit(1, long);
      submit(2, sell(0, { ...stop(990), ...all }));
      submit(3, sell(0, { ...stop(980), ...all }));
      submit(4, sell(0, { ...target(1100), ...all }));
      cancel(9);
      cancel(2);
      cancel(2);
    });
    expect(linesOf(events)).toEqual([
      "1 #1 10@1000",
      "1 #1 rejected -4116",
      "1 #3 rejected -4130",
      "1 #9 cancel-rejected -2011",
      "1 #2 cancelled",
      "1 #2 cancel-rejected -2011",
    ]);
    expect(exchange.openOrders).toEqual([4]);
  });
});

describe("books", () => {
  test("fees are rounded up, results are booked to the unit", () => {
    const { exchange, events } = play(
      barsOf([[FIRST, [1001, 1001, 1001, 1001], [1011, 1011, 1011, 1011]]]),
      (event, s) => {
        if (event.kind === "bar" && event.time === MINUTE) s.submit(1, buy(3));
        if (event.kind === "fill" && event.order === 1) s.submit(2, sell(3, { reduceOnly: true }));
      },
    );
    const fees = events.flatMap((event) => (event.kind === "fill" ? [event.fee] : []));
    expect(fees).toEqual([(3 * 1001 * 1_000_000 * 5) / 10_000, (3 * 1011 * 1_000_000 * 5) / 10_000]);
    expect(exchange.wallet).toBe(BigInt(10_000 * USDT + 3 * 10 * 1_000_000 - fees[0]! - fees[1]!));
    expect(exchange.available).toBe(exchange.wallet);
  });

  test("a liquidation never costs more than the margin, its fee included", () => {
    const rows: Row[] = [FIRST, [1003, 1004, 1000, 1003], [880, 881, 870, 880]];
    const { exchange, events } = play(barsOf([rows]), (event, s) => {
      if (event.kind === "bar" && event.time === MINUTE) s.submit(1, buy(7));
    });
    const fill = events.find((event) => event.kind === "fill")!;
    const margin = (7n * 1003n * 1_000_000n) / 10n;
    expect(exchange.wallet).toBe(BigInt(10_000 * USDT) - BigInt(fill.fee) - margin);
    // Bankrupt at 902.7, so closed at 903: 0.3 ticks are left for the fee. The market paid 880.
    expect(exchange.insuranceFund).toBe(-7n * 23n * 1_000_000n + 2_100_000n);
    expect(exchange.available).toBe(exchange.wallet);
  });

  test("pending entries bind margin until they end", () => {
    const seen: bigint[] = [];
    play(barsOf([[FIRST, FIRST]]), (event, { exchange, submit, cancel }) => {
      if (event.kind !== "bar" || event.time !== MINUTE) return;
      submit(1, buy(10, limit(900)));
      seen.push(exchange.wallet - exchange.available);
      cancel(1);
      seen.push(exchange.wallet - exchange.available);
    });
    // A tenth of 90 USDT and the taker's fee of it.
    expect(seen).toEqual([BigInt(9 * USDT + 4_500_000), 0n]);
  });
});

describe("course of events", () => {
  test("listing, funding, fills, bars; the next step's events at a bar's close come after the bar", () => {
    const rows: Row[] = [FIRST, [1000, 1010, 990, 1000], "gone", [900, 900, 900, 900]];
    const { events } = play(
      barsOf([rows, [FIRST, FIRST, FIRST, FIRST]], [{ time: MINUTE, rate: 10_000 }]),
      (event, s) => {
        if (event.kind === "bar" && event.time === MINUTE && event.symbol === 1) s.submit(1, long);
      },
    );
    const label = (event: VenueEvent): string =>
      `${event.time / MINUTE} ${event.kind}${event.kind === "listing" ? (event.listed ? "+" : "-") : ""} ${event.symbol}`;
    expect(events.map(label)).toEqual([
      "0 listing+ 0",
      "0 listing+ 1",
      "1 bar 0",
      "1 bar 1",
      "1 answer 0",
      "1 fill 0",
      "2 bar 0",
      "2 bar 1",
      "2 liquidation 0",
      "2 listing- 0",
      "3 bar 1",
      "3 listing+ 0",
      "4 bar 0",
      "4 bar 1",
    ]);
  });

  test("events are given out only up to the time asked for", () => {
    const exchange = createSimulatedExchange(barsOf([[FIRST]]), PLAIN);
    expect(exchange.next(-1)).toBeUndefined();
    expect(exchange.next(0)?.kind).toBe("listing");
    expect(exchange.next(MINUTE - 1)).toBeUndefined();
    expect(exchange.ended).toBe(false);
    expect(exchange.next(MINUTE)?.kind).toBe("bar");
    expect(exchange.next(MINUTE)).toBeUndefined();
    expect(exchange.ended).toBe(true);
  });

  test("a stop sent between the open and the bar's end, by a timer say, protects inside of the bar", () => {
    const exchange = createSimulatedExchange(barsOf([[FIRST, [1000, 1001, 980, 990]]]), PLAIN);
    while (exchange.next(MINUTE - 1) !== undefined);
    exchange.next(MINUTE);
    exchange.send({ kind: "submit", order: order(1, long) }, MINUTE);
    const lines: VenueEvent[] = [];
    const take = (until: number): void => {
      for (let event = exchange.next(until); event !== undefined; event = exchange.next(until)) lines.push(event);
    };
    take(MINUTE + 5000);
    exchange.send({ kind: "submit", order: order(2, exit(stop(990))) }, MINUTE + 5000);
    take(3 * MINUTE);
    expect(linesOf(lines)).toEqual(["1 #1 10@1000", "1+ #2 triggered", "1+ #2 10@990"]);
    expect(lines.find((event) => event.kind === "answer" && event.order === 2)?.time).toBe(MINUTE + 5000);
  });

  test("a source that was advanced for warm-up goes on with its next step, its symbols listed", () => {
    const source = barsOf([[FIRST, FIRST, FIRST]]);
    source.step();
    const { events } = play(source, () => {});
    expect(events.map(({ kind, time }) => [kind, time])).toEqual([
      ["listing", MINUTE],
      ["bar", 2 * MINUTE],
      ["bar", 3 * MINUTE],
    ]);
  });

  test("options out of range are refused", () => {
    const broken: readonly (readonly [Partial<SimulatedExchangeOptions>, string])[] = [
      [{ volumeShare: 0 }, "volumeShare"],
      [{ takerFee: 5 }, "takerFee"],
      [{ balance: 0.5 }, "balance"],
      [{ leverage: 0 }, "leverage"],
    ];
    for (const [change, name] of broken) expect(() => play(barsOf([[FIRST]]), () => {}, change)).toThrow(name);
  });
});

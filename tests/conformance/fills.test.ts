import { describe, expect, test } from "bun:test";
import type { SimulatedExchangeOptions } from "../../src/exchange/simulated/exchange.ts";
import {
  all,
  barsOf,
  buy,
  type Change,
  type Funding,
  limit,
  linesOf,
  MINUTE,
  play,
  type Row,
  sell,
  stop,
  target,
} from "../exchange/bars.ts";

/**
 * What must happen on bars, written from the design's rules and not from the code:
 *
 *  - decided on a closed bar, filled at the next bar's open at the earliest, after the funding of that time;
 *  - inside a bar the adverse side comes first; what happens there carries the bar's last millisecond;
 *  - stops fill at the worse of stop and open; limits and targets only when traded through, and never better than
 *    their price;
 *  - a bar's volume caps what can be filled; without volume nothing is;
 *  - funding is paid by who holds at its time; a position ends when its isolated margin is down to the maintenance
 *    margin, and no loss goes beyond the isolated margin;
 *  - a delisted position closes at the last price;
 *  - every rounding is against us.
 *
 * All bars begin after one at 1000 on whose close the first orders leave. One tick of one lot is 0.01 USDT, leverage is
 * 10, costs are off where nothing else is said. Lines read `<bar>[+] <what>`, `+` for the bar's last millisecond.
 */
interface Line {
  readonly why: string;
  readonly bars: readonly Row[];
  /** Sent on the close of the first bar: 1, 2 …; after the first fill: 11, 12 …; on the close of a bar: 101, 102 … */
  readonly first?: readonly Change[];
  readonly filled?: readonly Change[];
  readonly later?: { readonly bar: number; readonly orders: readonly Change[] };
  readonly funding?: readonly Funding[];
  readonly options?: Partial<SimulatedExchangeOptions>;
  readonly happens: readonly string[];
}

const BEFORE: Row = [1000, 1000, 1000, 1000];
const STILL: Row = [1000, 1000, 1000, 1000];
const long = [buy(10)];
const short = [sell(10)];
const exit: Change = sell(10, { reduceOnly: true });
const cover: Change = buy(10, { reduceOnly: true });
/** 0.01 % on a value of 100 USDT: 0.01 USDT. */
const RATE = 10_000;
const CENT = 1_000_000;

const MARKET: readonly Line[] = [
  {
    why: "a market buy pays the next open, however far it jumped from the close it was decided on",
    first: long,
    bars: [[1030, 1040, 1020, 1035]],
    happens: ["1 #1 10@1030"],
  },
  {
    why: "it does not get the bar's low",
    first: long,
    bars: [[1000, 1010, 950, 1005]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "a market sell does not get the bar's high",
    first: short,
    bars: [[1000, 1050, 999, 1005]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "half of a spread of 20 bp is 1 tick of 1000: the buyer pays it",
    first: long,
    bars: [STILL],
    options: { spreadBps: 20 },
    happens: ["1 #1 10@1001"],
  },
  {
    why: "and the seller pays it too",
    first: short,
    bars: [STILL],
    options: { spreadBps: 20 },
    happens: ["1 #1 10@999"],
  },
  {
    why: "5 bp of 1003 are half a tick: rounded against us to a whole one",
    first: long,
    bars: [[1003, 1003, 1003, 1003]],
    options: { slippageBps: 5 },
    happens: ["1 #1 10@1004"],
  },
  {
    why: "in and out of a market that stands still costs spread and slippage twice",
    first: long,
    filled: [exit],
    bars: [STILL, STILL],
    options: { spreadBps: 20, slippageBps: 10 },
    happens: ["1 #1 10@1002", "2 #11 10@998"],
  },
  {
    why: "an exit sent after the fill at the open goes at the next open, not inside of the bar",
    first: long,
    filled: [exit],
    bars: [
      [1000, 1020, 980, 1010],
      [1012, 1015, 1005, 1010],
    ],
    happens: ["1 #1 10@1000", "2 #11 10@1012"],
  },
  {
    why: "a missing bar has no trades: the entry is not made",
    first: long,
    bars: ["flat", STILL],
    happens: ["1 #1 expired"],
  },
  {
    why: "nor in a bar that exists but traded nothing",
    first: long,
    bars: [[1000, 1000, 1000, 1000, 0], STILL],
    happens: ["1 #1 expired"],
  },
  {
    why: "an exit must happen: it waits through missing bars for the first trade",
    first: long,
    filled: [exit],
    bars: [STILL, "flat", "flat", [970, 975, 965, 970]],
    happens: ["1 #1 10@1000", "4 #11 10@970"],
  },
];

const VOLUME: readonly Line[] = [
  {
    why: "a volume of exactly our size is enough",
    first: long,
    bars: [[1000, 1001, 999, 1000, 10]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "a volume of 9.99 holds 9 whole lots: the rest of an entry is given up",
    first: long,
    bars: [[1000, 1001, 999, 1000, 9.99], STILL],
    happens: ["1 #1 9@1000 part", "1 #1 expired"],
  },
  {
    why: "half of a volume of 10 is 5",
    first: long,
    bars: [[1000, 1001, 999, 1000, 10]],
    options: { volumeShare: 0.5 },
    happens: ["1 #1 5@1000 part", "1 #1 expired"],
  },
  {
    why: "less than one lot is nothing",
    first: long,
    bars: [[1000, 1001, 999, 1000, 0.5]],
    happens: ["1 #1 expired"],
  },
  {
    why: "two entries of one bar share its volume, the older one first",
    first: [buy(6), buy(6)],
    bars: [[1000, 1001, 999, 1000, 8]],
    happens: ["1 #1 6@1000", "1 #2 2@1000 part", "1 #2 expired"],
  },
  {
    why: "an exit takes what each bar has, at each bar's open",
    first: long,
    filled: [exit],
    bars: [STILL, [999, 999, 999, 999, 3], [998, 998, 998, 998, 3], [997, 997, 997, 997, 30]],
    happens: ["1 #1 10@1000", "2 #11 3@999 part", "3 #11 3@998 part", "4 #11 4@997"],
  },
  {
    why: "a stop that found too little goes on at the next open, even if that lies above its trigger",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [1000, 1000, 985, 986, 4], [995, 996, 994, 995]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 4@990 part", "3 #11 6@995"],
  },
  {
    why: "and waits where there is no trade at all",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [1000, 1000, 985, 986, 4], "flat", [980, 981, 979, 980]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 4@990 part", "4 #11 6@980"],
  },
];

const STOPS: readonly Line[] = [
  {
    why: "the low touches the stop: filled at the stop",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [1000, 1005, 990, 1004]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@990"],
  },
  {
    why: "the low ends one tick above it: nothing",
    first: long,
    filled: [sell(10, stop(989))],
    bars: [STILL, [1000, 1005, 990, 1004]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "the high touches a short's stop",
    first: short,
    filled: [buy(10, stop(1010))],
    bars: [STILL, [1000, 1010, 990, 995]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@1010"],
  },
  {
    why: "the high ends one tick below it",
    first: short,
    filled: [buy(10, stop(1011))],
    bars: [STILL, [1000, 1010, 990, 995]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "the open lies beyond the stop: the open is worse and is what we get",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [975, 999, 970, 998]],
    happens: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@975"],
  },
  {
    why: "the same above a short's stop",
    first: short,
    filled: [buy(10, stop(1010))],
    bars: [STILL, [1030, 1035, 1000, 1001]],
    happens: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@1030"],
  },
  {
    why: "the open is the stop: it triggers at the open, in time and price",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [990, 1020, 985, 1015]],
    happens: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@990"],
  },
  {
    why: "a position that was opened at the open can be stopped in the same bar",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [[1000, 1005, 980, 1004]],
    happens: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990"],
  },
  {
    why: "what the bar does after the stop does not matter",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [1000, 1200, 989, 1200]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@990"],
  },
  {
    why: "a stop is a market order when it triggers: 10 bp of 990 are 0.99, one tick",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [1000, 1005, 985, 1004]],
    options: { slippageBps: 10 },
    happens: ["1 #1 10@1001", "2+ #11 triggered", "2+ #11 10@989"],
  },
  {
    why: "the slippage comes on top of a gap: 1 % of 980 is 9.8, ten ticks",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [980, 985, 975, 980]],
    options: { slippageBps: 100 },
    happens: ["1 #1 10@1010", "2 #11 triggered", "2 #11 10@970"],
  },
  {
    why: "no stop triggers in a missing bar, whatever the price is when bars return: then it is a gap",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, "flat", [960, 965, 955, 960]],
    happens: ["1 #1 10@1000", "3 #11 triggered", "3 #11 10@960"],
  },
  {
    why: "a bar without volume triggers nothing either",
    first: long,
    filled: [sell(10, stop(990))],
    bars: [STILL, [1000, 1000, 980, 1000, 0]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "of two stops on the way down the higher one is met first; nothing is left for the other",
    first: long,
    filled: [sell(10, stop(980)), sell(10, stop(990))],
    bars: [STILL, [1000, 1000, 970, 975]],
    happens: ["1 #1 10@1000", "2+ #12 triggered", "2+ #12 10@990", "2+ #11 expired -2022"],
  },
  {
    why: "a stop for half of the position leaves the other half to the wider one",
    first: long,
    filled: [sell(10, stop(980)), sell(5, stop(990))],
    bars: [STILL, [1000, 1000, 970, 975]],
    happens: [
      "1 #1 10@1000",
      "2+ #12 triggered",
      "2+ #12 5@990",
      "2+ #11 triggered",
      "2+ #11 5@980 part",
      "2+ #11 expired -2022",
    ],
  },
  {
    why: "a stop at the market would trigger at once and is refused",
    first: long,
    filled: [sell(10, stop(1000))],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", "1 #11 rejected -2021"],
  },
  {
    why: "a close-position stop takes whatever is there when it triggers",
    first: [buy(10), buy(5)],
    filled: [sell(0, { ...stop(990), ...all })],
    bars: [STILL, [1000, 1000, 985, 990]],
    happens: ["1 #1 10@1000", "1 #2 5@1000", "2+ #11 triggered", "2+ #11 15@990"],
  },
];

const TARGETS: readonly Line[] = [
  {
    why: "a touched target is not filled: others stood before us",
    first: long,
    filled: [sell(10, target(1010))],
    bars: [STILL, [1000, 1010, 995, 1009]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "one tick beyond it is",
    first: long,
    filled: [sell(10, target(1010))],
    bars: [STILL, [1000, 1011, 995, 1009]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@1010"],
  },
  {
    why: "a short's target is touched only",
    first: short,
    filled: [buy(10, target(990))],
    bars: [STILL, [1000, 1001, 990, 991]],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "a short's target is traded through",
    first: short,
    filled: [buy(10, target(990))],
    bars: [STILL, [1000, 1001, 989, 991]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@990"],
  },
  {
    why: "an open beyond the target is no present: never better than the target",
    first: long,
    filled: [sell(10, target(1010))],
    bars: [STILL, [1040, 1050, 1035, 1045]],
    happens: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@1010"],
  },
  {
    why: "an open on the target only touches it; the bar goes through it later",
    first: long,
    filled: [sell(10, target(1010))],
    bars: [STILL, [1010, 1015, 1005, 1008]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@1010"],
  },
  {
    why: "a target at market pays slippage: 10 bp of 1010 are 1.01, two ticks",
    first: long,
    filled: [sell(10, target(1010))],
    bars: [STILL, [1000, 1020, 995, 1009]],
    options: { slippageBps: 10 },
    happens: ["1 #1 10@1001", "2+ #11 triggered", "2+ #11 10@1008"],
  },
  {
    why: "a position that was opened at the open can reach its target in the same bar",
    first: long,
    filled: [sell(10, target(1010))],
    bars: [[1000, 1020, 995, 1015]],
    happens: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@1010"],
  },
];

const BOTH: readonly Line[] = [
  {
    why: "both barriers in one bar: the adverse side comes first",
    first: long,
    filled: [sell(10, stop(990)), sell(10, target(1010))],
    bars: [STILL, [1000, 1030, 970, 1030]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@990", "2+ #12 expired -2022"],
  },
  {
    why: "both barriers of a short",
    first: short,
    filled: [buy(10, stop(1010)), buy(10, target(990))],
    bars: [STILL, [1000, 1030, 970, 970]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@1010", "2+ #12 expired -2022"],
  },
  {
    why: "both in the bar of the entry",
    first: long,
    filled: [sell(10, stop(990)), sell(10, target(1010))],
    bars: [[1000, 1030, 970, 1030]],
    happens: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990", "1+ #12 expired -2022"],
  },
  {
    why: "the open comes before the inside: it lies beyond the target, so the later low does not count",
    first: long,
    filled: [sell(10, stop(990)), sell(10, target(1010))],
    bars: [STILL, [1020, 1030, 970, 980]],
    happens: ["1 #1 10@1000", "2 #12 triggered", "2 #12 10@1010", "2 #11 expired -2022"],
  },
  {
    why: "the open lies beyond the stop, so the later high does not count",
    first: long,
    filled: [sell(10, stop(990)), sell(10, target(1010))],
    bars: [STILL, [980, 1030, 970, 1020]],
    happens: ["1 #1 10@1000", "2 #11 triggered", "2 #11 10@980", "2 #12 expired -2022"],
  },
  {
    why: "the stop is missed by a tick and the target is traded through: the target",
    first: long,
    filled: [sell(10, stop(990)), sell(10, target(1010))],
    bars: [STILL, [1000, 1011, 991, 1000]],
    happens: ["1 #1 10@1000", "2+ #12 triggered", "2+ #12 10@1010", "2+ #11 expired -2022"],
  },
  {
    why: "the stop is touched and the target is touched: the stop, for touching is enough for it alone",
    first: long,
    filled: [sell(10, stop(990)), sell(10, target(1010))],
    bars: [STILL, [1000, 1010, 990, 1000]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@990", "2+ #12 expired -2022"],
  },
  {
    why: "one volume for both: the stop takes 4 of 4, the target gets nothing",
    first: long,
    filled: [sell(10, stop(990)), sell(10, target(1010))],
    bars: [STILL, [1000, 1030, 970, 1000, 4], [1000, 1000, 1000, 1000]],
    happens: [
      "1 #1 10@1000",
      "2+ #11 triggered",
      "2+ #11 4@990 part",
      "2+ #12 triggered",
      "3 #11 6@1000",
      "3 #12 expired -2022",
    ],
  },
];

const LIMITS: readonly Line[] = [
  {
    why: "a buy limit is touched: no fill",
    first: [buy(10, limit(990))],
    bars: [[1000, 1001, 990, 991]],
    happens: [],
  },
  {
    why: "it is traded through: its price, as maker, without spread or slippage",
    first: [buy(10, limit(990))],
    bars: [[1000, 1001, 989, 991]],
    options: { spreadBps: 20, slippageBps: 20 },
    happens: ["1+ #1 10@990 maker"],
  },
  {
    why: "a sell limit is touched, then traded through",
    first: [sell(10, limit(1010))],
    bars: [
      [1000, 1010, 999, 1000],
      [1000, 1011, 999, 1000],
    ],
    happens: ["2+ #1 10@1010 maker"],
  },
  {
    why: "the open jumps below a buy limit: its price, not the better open",
    first: [buy(10, limit(990))],
    bars: [[970, 975, 965, 970]],
    happens: ["1 #1 10@990 maker"],
  },
  {
    why: "a limit above the market takes the open, which is better than its price",
    first: [buy(10, limit(1020))],
    bars: [[1005, 1010, 1000, 1005]],
    happens: ["1 #1 10@1005"],
  },
  {
    why: "the market has run beyond the limit: it rests and waits to be traded through",
    first: [buy(10, limit(1001))],
    bars: [
      [1010, 1012, 1001, 1005],
      [1005, 1006, 1000, 1002],
    ],
    happens: ["2+ #1 10@1001 maker"],
  },
  {
    why: "a thin bar fills a part, the rest stays in the book at its price",
    first: [buy(10, limit(990))],
    bars: [
      [1000, 1001, 980, 985, 4],
      [995, 996, 985, 990],
    ],
    happens: ["1+ #1 4@990 maker part", "2+ #1 6@990 maker"],
  },
  {
    why: "a limit does not fill in a missing bar",
    first: [buy(10, limit(990))],
    bars: ["flat", [1000, 1001, 989, 990]],
    happens: ["2+ #1 10@990 maker"],
  },
  {
    why: "the price that fills a limit goes on to the bar's low: a stop sent at the fill is met on that way",
    first: [buy(10, limit(990))],
    filled: [sell(10, stop(985))],
    bars: [
      [1000, 1001, 980, 995],
      [995, 996, 986, 990],
    ],
    happens: ["1+ #1 10@990 maker", "1+ #11 triggered", "1+ #11 10@985"],
  },
  {
    why: "one that the rest of that way does not reach stays for the bars after",
    first: [buy(10, limit(990))],
    filled: [sell(10, stop(985))],
    bars: [
      [1000, 1001, 986, 995],
      [995, 996, 986, 990],
      [990, 991, 985, 990],
    ],
    happens: ["1+ #1 10@990 maker", "3+ #11 triggered", "3+ #11 10@985"],
  },
  {
    why: "nobody knows whether the high came after the limit's fill: no gain in that bar",
    first: [buy(10, limit(990)), sell(10, limit(1010))],
    bars: [
      [1000, 1020, 980, 1000],
      [1000, 1011, 995, 1000],
    ],
    happens: ["1+ #1 10@990 maker", "2+ #2 10@1010 maker"],
  },
  {
    why: "post-only would take: refused",
    first: [buy(10, limit(1000, { timeInForce: "post-only" }))],
    bars: [STILL],
    happens: ["1 #1 rejected -5022"],
  },
  {
    why: "fill-or-kill needs all of it",
    first: [buy(10, limit(1000, { timeInForce: "fok" }))],
    bars: [[1000, 1001, 999, 1000, 9]],
    happens: ["1 #1 expired -5021"],
  },
];

const FUNDING: readonly Line[] = [
  {
    why: "an entry at t comes after the funding of t and does not pay it",
    first: long,
    funding: [{ time: MINUTE, rate: RATE }],
    bars: [STILL],
    happens: ["1 #1 10@1000"],
  },
  {
    why: "a long that is held at t pays a positive rate",
    first: long,
    funding: [{ time: 2 * MINUTE, rate: RATE }],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", `2 funding -${CENT}`],
  },
  {
    why: "a short receives it",
    first: short,
    funding: [{ time: 2 * MINUTE, rate: RATE }],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", `2 funding ${CENT}`],
  },
  {
    why: "a long receives a negative rate",
    first: long,
    funding: [{ time: 2 * MINUTE, rate: -RATE }],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", `2 funding ${CENT}`],
  },
  {
    why: "an exit at the open of t comes after the funding of t and pays it",
    first: long,
    filled: [exit],
    funding: [{ time: 2 * MINUTE, rate: RATE }],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", `2 funding -${CENT}`, "2 #11 10@1000"],
  },
  {
    why: "a stop in the last millisecond before t does not",
    first: long,
    filled: [sell(10, stop(990))],
    funding: [{ time: 2 * MINUTE, rate: RATE }],
    bars: [[1000, 1000, 990, 1000], STILL],
    happens: ["1 #1 10@1000", "1+ #11 triggered", "1+ #11 10@990"],
  },
  {
    why: "funding inside of the bar comes before what happens in its last millisecond",
    first: long,
    filled: [sell(10, stop(990))],
    funding: [{ time: MINUTE + 30_000, rate: RATE }],
    bars: [[1000, 1000, 990, 1000]],
    happens: ["1 #1 10@1000", `1 funding -${CENT}`, "1+ #11 triggered", "1+ #11 10@990"],
  },
  {
    why: "a gap at t is met after the funding of t",
    first: long,
    filled: [sell(10, stop(990))],
    funding: [{ time: 2 * MINUTE, rate: RATE, mark: 1000 }],
    bars: [STILL, [950, 955, 945, 950]],
    happens: ["1 #1 10@1000", `2 funding -${CENT}`, "2 #11 triggered", "2 #11 10@950"],
  },
  {
    why: "the value is taken at the mark: 10 lots at 1100 ticks",
    first: long,
    funding: [{ time: 2 * MINUTE, rate: RATE, mark: 1100 }],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", "2 funding -1100000"],
  },
  {
    why: "10.05 units are 11 when we pay",
    first: [buy(1)],
    funding: [{ time: 2 * MINUTE, rate: 1, mark: 1005 }],
    bars: [STILL, STILL],
    happens: ["1 #1 1@1000", "2 funding -11"],
  },
  {
    why: "and 10 when we receive",
    first: [sell(1)],
    funding: [{ time: 2 * MINUTE, rate: 1, mark: 1005 }],
    bars: [STILL, STILL],
    happens: ["1 #1 1@1000", "2 funding 10"],
  },
  {
    why: "funding is due in a missing bar as well, at the last price",
    first: long,
    funding: [{ time: 2 * MINUTE, rate: RATE }],
    bars: [STILL, "flat"],
    happens: ["1 #1 10@1000", `2 funding -${CENT}`],
  },
  {
    why: "who holds nothing pays nothing",
    funding: [{ time: 2 * MINUTE, rate: RATE }],
    bars: [STILL, STILL],
    happens: [],
  },
];

const MARGIN: readonly Line[] = [
  {
    // Margin 1000, maintenance 2.5 % of the value: 1000 - 10 (1000 - p) = 0.25 p at p = 923.08.
    why: "at leverage 10 what is left is down to the maintenance margin at 923, before the stop at 880 is reached",
    first: long,
    filled: [sell(10, stop(880))],
    bars: [STILL, [1000, 1000, 870, 875]],
    happens: ["1 #1 10@1000", "2+ liquidation 10@923", "2+ #11 expired"],
  },
  {
    why: "a stop one tick nearer than that comes first",
    first: long,
    filled: [sell(10, stop(924))],
    bars: [STILL, [960, 960, 870, 875]],
    happens: ["1 #1 10@1000", "2+ #11 triggered", "2+ #11 10@924"],
  },
  {
    why: "an open beyond stop and margin: the loss still ends at the margin",
    first: long,
    filled: [sell(10, stop(950))],
    bars: [STILL, [800, 810, 790, 800]],
    happens: ["1 #1 10@1000", "2 liquidation 10@900", "2 #11 expired"],
  },
  {
    // 1000 - 10 (p - 1000) = 0.25 p at p = 1073.17.
    why: "a short is down to the maintenance margin at 1074",
    first: short,
    filled: [buy(10, stop(1150))],
    bars: [STILL, [1000, 1160, 1000, 1150]],
    happens: ["1 #1 10@1000", "2+ liquidation 10@1074", "2+ #11 expired"],
  },
  {
    why: "a long of leverage 1 can lose no more than it has paid in full",
    first: [buy(10, { leverage: 1 })],
    bars: [STILL, [1000, 1000, 100, 200]],
    happens: ["1 #1 10@1000"],
  },
];

const DELISTING: readonly Line[] = [
  {
    why: "a delisted position closes at the last price, its orders end",
    first: long,
    filled: [sell(10, stop(900))],
    bars: [[1000, 1010, 990, 1007], "gone"],
    happens: ["1 #1 10@1000", "2 delisted 10@1007", "2 #11 expired"],
  },
  {
    why: "after missing bars the last price is the one before them",
    first: short,
    bars: [[1000, 1010, 990, 993], "flat", "flat", "gone"],
    happens: ["1 #1 10@1000", "4 delisted 10@993"],
  },
  {
    why: "an entry on its way is not made",
    first: long,
    bars: ["gone", STILL],
    happens: ["1 #1 expired"],
  },
  {
    why: "what was ended by a delisting does not come back with the symbol",
    first: [buy(10, limit(950))],
    bars: ["gone", [900, 910, 890, 900], [900, 910, 890, 900]],
    happens: ["1 #1 expired"],
  },
  {
    why: "a symbol that has come back is traded like any other",
    first: long,
    later: { bar: 2, orders: [buy(5)] },
    bars: ["gone", [900, 910, 890, 900], [905, 910, 890, 900]],
    happens: ["1 #1 expired", "3 #101 5@905"],
  },
  {
    why: "funding of the time of a delisting finds nobody",
    first: long,
    funding: [{ time: 2 * MINUTE, rate: RATE }],
    bars: [STILL, "gone"],
    happens: ["1 #1 10@1000", "2 delisted 10@1000"],
  },
];

const REDUCING: readonly Line[] = [
  {
    why: "an exit that is larger than the position is cut, and never turns it around",
    first: [buy(4)],
    filled: [sell(10, { reduceOnly: true })],
    bars: [STILL, STILL],
    happens: ["1 #1 4@1000", "2 #11 4@1000 part", "2 #11 expired -2022"],
  },
  {
    why: "without a position it is refused",
    first: [sell(10, { reduceOnly: true })],
    bars: [STILL],
    happens: ["1 #1 rejected -2022"],
  },
  {
    why: "on the position's own side it is refused too",
    first: long,
    filled: [buy(5, { reduceOnly: true })],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", "1 #11 rejected -2022"],
  },
  {
    why: "two exits of full size: the second finds nothing",
    first: short,
    filled: [cover, cover],
    bars: [STILL, STILL],
    happens: ["1 #1 10@1000", "2 #11 10@1000", "2 #12 expired -2022"],
  },
];

const TABLE = { MARKET, VOLUME, STOPS, TARGETS, BOTH, LIMITS, FUNDING, MARGIN, DELISTING, REDUCING };

for (const [name, lines] of Object.entries(TABLE)) {
  describe(`fills on bars: ${name.toLowerCase()}`, () => {
    for (const { why, bars, first = [], filled = [], later, funding, options, happens } of lines) {
      test(why, () => {
        let fills = 0;
        const { events } = play(
          barsOf([[BEFORE, ...bars]], funding),
          (event, { submit }) => {
            const send = (from: number, orders: readonly Change[]) =>
              orders.forEach((order, index) => {
                submit(from + index, order);
              });
            if (event.kind === "bar" && event.time === MINUTE) send(1, first);
            if (event.kind === "bar" && later !== undefined && event.time === (later.bar + 1) * MINUTE) {
              send(101, later.orders);
            }
            if (event.kind === "fill" && ++fills === 1) send(11, filled);
          },
          options,
        );
        expect(linesOf(events)).toEqual([...happens]);
      });
    }
  });
}

test("the table has its sixty lines", () => {
  expect(Object.values(TABLE).flat().length).toBeGreaterThanOrEqual(60);
});

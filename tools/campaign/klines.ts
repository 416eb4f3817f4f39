import { incrementalAgainstNaive } from "../../tests/market/incremental.ts";
import type { Campaign } from "./campaign.ts";

const FEWER_REQUESTS = 0.8;
const FEWER_BARS = 0.95;

/** A day of 200 symbols through the cache of bars, beside a client that fetches every window in full each minute. */
export const klines: Campaign = {
  help: "24 hours of 200 symbols: the cache of bars against full windows each cycle; needs no seeds",
  async run(_, progress) {
    const { requests, bars, weight, windows, differences } = await incrementalAgainstNaive(
      { symbols: 200, hours: 24 },
      progress,
    );
    const fewer = ({ cache, naive }: { readonly cache: number; readonly naive: number }) => 1 - cache / naive;
    const percent = (share: number) => Math.round(share * 10_000) / 100;
    const totals = {
      windows,
      differences,
      requests: requests.cache,
      "requests of full windows": requests.naive,
      "% fewer requests": percent(fewer(requests)),
      bars: bars.cache,
      "bars of full windows": bars.naive,
      "% fewer bars": percent(fewer(bars)),
      "% less weight": percent(fewer(weight)),
    };
    const good = differences === 0 && fewer(requests) >= FEWER_REQUESTS && fewer(bars) >= FEWER_BARS;
    return { totals, trouble: good ? undefined : "the cache saves too little, or its windows differ" };
  },
};

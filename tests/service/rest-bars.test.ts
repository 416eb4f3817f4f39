import { describe, expect, test } from "bun:test";
import { Bans, bansFile } from "../../src/exchange/binance/bans.ts";
import { TIMEFRAMES } from "../../src/market/timeframe.ts";
import { RestBars } from "../../src/service/rest-bars.ts";
import { temporaryFolder } from "../store/database.ts";
import { BinanceStandIn, LISTED } from "./binance-stand-in.ts";

const M5 = TIMEFRAMES["5m"];
const NOW = LISTED + 3000 * M5;

/** A client whose clock moves only when it waits. */
function clientOf(standIn: BinanceStandIn, weightPerMinute: number) {
  const slept: number[] = [];
  let now = NOW;
  const sleep = async (ms: number) => {
    slept.push(ms);
    now += ms;
    // The exchange forgets what was used in an earlier minute.
    standIn.exchange.weight = 0;
  };
  const bans = new Bans(bansFile(temporaryFolder()));
  const newRest = () => new RestBars({ url: standIn.url, weightPerMinute, bans, pause: 0, now: () => now, sleep });
  const pass = (ms: number) => {
    now += ms;
  };
  return { rest: newRest(), slept, newRest, pass };
}

describe("bars by REST", () => {
  test("are what the exchange has", async () => {
    using standIn = new BinanceStandIn(NOW);
    const { rest } = clientOf(standIn, 1000);
    const bars = await rest.klines("AUSDT", M5, LISTED + 10 * M5, LISTED + 20 * M5, 5);
    expect(bars).toEqual(
      Array.from({ length: 5 }, (_, i) => standIn.exchange.bar("AUSDT", M5, LISTED + (10 + i) * M5)),
    );
    expect(standIn.asked).toEqual([
      `/fapi/v1/klines?symbol=AUSDT&interval=5m&startTime=${LISTED + 10 * M5}&endTime=${LISTED + 20 * M5}&limit=5`,
    ]);
  });

  test("wait for room when the routine's share of a minute's weight is used", async () => {
    using standIn = new BinanceStandIn(NOW);
    // A page of 499 weighs 2, and 6 of 10 are for those that can wait.
    const { rest, slept } = clientOf(standIn, 10);
    await Promise.all(Array.from({ length: 8 }, () => rest.klines("AUSDT", M5, LISTED, NOW, 499)));
    expect(slept.length).toBe(2);
    for (const ms of slept) expect(ms).toBeWithin(60_000, 62_000);
    expect(standIn.exchange.requests).toBe(8);
  });

  test("come after as long a pause as a 429 asks for", async () => {
    using standIn = new BinanceStandIn(NOW);
    const { rest, slept } = clientOf(standIn, 1000);
    standIn.instead.push(new Response("", { status: 429, headers: { "retry-after": "17" } }));
    expect(await rest.klines("AUSDT", M5, LISTED, NOW, 3)).toHaveLength(3);
    expect(slept).toEqual([17_000]);
  });

  test("do not come while the address is banned, not even by the next program, which does not ask", async () => {
    using standIn = new BinanceStandIn(NOW);
    const { rest, newRest, pass, slept } = clientOf(standIn, 1000);
    standIn.instead.push(new Response("", { status: 418, headers: { "retry-after": "600" } }));
    const until = new Date(NOW + 600_000).toISOString();
    await expect(rest.klines("AUSDT", M5, LISTED, NOW, 3)).rejects.toThrow(`from this address until ${until}`);
    await expect(newRest().klines("AUSDT", M5, LISTED, NOW, 3)).rejects.toThrow(`from this address until ${until}`);
    expect(standIn.asked).toHaveLength(1);
    pass(600_000);
    // One that failed does not hold up the next.
    expect(await rest.klines("AUSDT", M5, LISTED, NOW, 3)).toHaveLength(3);
    expect(slept).toEqual([]);
  });

  test.each([
    ["no JSON", () => new Response("<html>"), "it is no JSON"],
    ["no array", () => Response.json({ a: 1 }), "it is no array of bars"],
    ["a short row", () => Response.json([[1, 2]]), "fewer than six values"],
    ["another refusal", () => Response.json({ code: -1102, msg: "Mandatory" }, { status: 400 }), "HTTP 400"],
  ])("are refused for %s", async (_, answer, message) => {
    using standIn = new BinanceStandIn(NOW);
    const { rest } = clientOf(standIn, 1000);
    standIn.instead.push(answer());
    await expect(rest.klines("AUSDT", M5, LISTED, NOW, 3)).rejects.toThrow(message);
  });

  test("of an unknown symbol are refused by name", async () => {
    using standIn = new BinanceStandIn(NOW);
    const { rest } = clientOf(standIn, 1000);
    await expect(rest.klines("NONEUSDT", M5, LISTED, NOW, 3)).rejects.toThrow("the exchange knows no symbol NONEUSDT");
  });
});

import { expect, test } from "bun:test";
import { SETTINGS } from "../../../src/config/settings.ts";
import { addressesOf } from "../../../src/exchange/binance/addresses.ts";

const NONE = {
  BINANCE_TESTNET: false,
  BINANCE_REST_URL: SETTINGS.BINANCE_REST_URL.default,
  BINANCE_WS_URL: SETTINGS.BINANCE_WS_URL.default,
  BINANCE_WS_API_URL: SETTINGS.BINANCE_WS_API_URL.default,
};

const own = (rest: string, streams: string, api: string) => ({
  BINANCE_TESTNET: false,
  BINANCE_REST_URL: rest,
  BINANCE_WS_URL: streams,
  BINANCE_WS_API_URL: api,
});

test("production is live, the test network is not", () => {
  expect(addressesOf(NONE)).toEqual({
    rest: "https://fapi.binance.com",
    streams: "wss://fstream.binance.com",
    socketApi: "wss://ws-fapi.binance.com/ws-fapi/v1",
    account: "https://api.binance.com",
    live: true,
  });
  expect(addressesOf({ ...NONE, BINANCE_TESTNET: true })).toMatchObject({
    rest: "https://testnet.binancefuture.com",
    live: false,
  });
});

test("this machine may go without encryption and is not live; trailing slashes are dropped", () => {
  expect(addressesOf(own("http://127.0.0.1:1/", "ws://localhost:2/", "ws://[::1]:3/ws-fapi/v1"))).toEqual({
    rest: "http://127.0.0.1:1",
    streams: "ws://localhost:2",
    socketApi: "ws://[::1]:3/ws-fapi/v1",
    account: "http://127.0.0.1:1",
    live: false,
  });
});

test("a host that nobody knows is live, and so is one live address among others", () => {
  const demo = own(
    "https://demo-fapi.binance.com",
    "wss://demo-fstream.binance.com",
    "wss://testnet.binancefuture.com/ws-fapi/v1",
  );
  expect(addressesOf(demo).live).toBe(false);
  expect(addressesOf({ ...demo, BINANCE_REST_URL: "https://fapi.example.org" }).live).toBe(true);
  expect(addressesOf({ ...demo, BINANCE_REST_URL: "https://testnet.binancefuture.com.example.org" }).live).toBe(true);
});

test("what is not all three, not encrypted or not an address is refused", () => {
  const good = own("https://a.example", "wss://a.example", "wss://a.example/ws-fapi/v1");
  const refused: [typeof good, string][] = [
    [{ ...good, BINANCE_WS_URL: NONE.BINANCE_WS_URL }, "all three or none"],
    [{ ...NONE, BINANCE_REST_URL: "http://127.0.0.1:1" }, "all three or none"],
    [{ ...good, BINANCE_WS_URL: "" }, "BINANCE_WS_URL"],
    [{ ...good, BINANCE_REST_URL: "http://a.example" }, "BINANCE_REST_URL: a.example is not on this machine"],
    [{ ...good, BINANCE_REST_URL: "http://127.0.0.1.example" }, "only https:// is allowed"],
    [{ ...good, BINANCE_WS_URL: "https://a.example" }, "BINANCE_WS_URL"],
    [{ ...good, BINANCE_WS_API_URL: "nonsense" }, 'BINANCE_WS_API_URL: "nonsense" is no ws://'],
    [{ ...good, BINANCE_REST_URL: "https://me:hush@a.example" }, "without user"],
    [{ ...good, BINANCE_REST_URL: "https://a.example/?x=1" }, "query"],
  ];
  for (const [settings, message] of refused) {
    expect(() => addressesOf(settings)).toThrow(message);
    expect(() => addressesOf(settings)).not.toThrow("hush");
  }
});

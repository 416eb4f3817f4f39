import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { loadSettings } from "../../src/config/load.ts";
import { Door } from "../../src/exchange/simulated/server/door.ts";
import { listen, type PublicPort } from "../../src/exchange/simulated/server/listen.ts";
import type { Venue } from "../../src/exchange/simulated/server/venue.ts";
import { examine, type Finding } from "../../src/service/doctor.ts";
import { openVenue } from "../../src/service/simulated-venue.ts";
import { penstock, temporaryFolder } from "../end-to-end/penstock.ts";

const folder = temporaryFolder();
let venue: Venue;
let port: PublicPort;

beforeAll(() => {
  venue = openVenue(loadSettings({}, []).settings, {
    market: { kind: "generated", seed: 5, symbols: 2 },
    without: [],
    lockstep: false,
    apiKey: "key",
    secret: "secret",
    balance: 10_000,
  });
  port = listen(new Door(venue), 0);
});

afterAll(async () => {
  await port.stop();
  rmSync(folder, { recursive: true, force: true });
});

function environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const host = `127.0.0.1:${port.port}`;
  return {
    DATA_DIR: folder,
    EXCHANGE: "binance",
    TRADING_ENABLED: "true",
    BINANCE_REST_URL: `http://${host}`,
    BINANCE_WS_URL: `ws://${host}`,
    BINANCE_WS_API_URL: `ws://${host}/ws-fapi/v1`,
    BINANCE_API_KEY: "key",
    BINANCE_API_SECRET: "secret",
    ...more,
  };
}

async function findings(more: Readonly<Record<string, string>> = {}, probe = false): Promise<Map<string, Finding>> {
  const { settings } = loadSettings(environment(more), []);
  const found = await examine(settings, { symbols: undefined, probe });
  return new Map(found.map((finding) => [finding.check, finding]));
}

test("an account that is fit: no failure, and advice where the settings are bold", async () => {
  const found = await findings({ MAX_LEVERAGE: "20", MIN_CONFIDENCE: "0.2" });
  expect([...found.values()].filter(({ verdict }) => verdict === "fail")).toEqual([]);
  for (const check of ["disk", "keys", "clock", "position mode", "wallet", "event stream", "symbols"]) {
    expect(found.get(check)?.verdict, check).toBe("ok");
  }
  expect(found.get("risk settings")).toMatchObject({
    verdict: "warn",
    advice: "set MAX_LEVERAGE to 10 or less; set MIN_CONFIDENCE to 0.45 or more",
  });
  expect(found.get("stop path")?.verdict).toBe("skip");
});

test("the probe of the stop path leaves nothing behind", async () => {
  const found = await findings({}, true);
  // The simulated exchange takes no closing order while nothing is held, as the real one may.
  expect(found.get("stop path")?.verdict).toBe("warn");
  expect([...venue.trading.openAlgos]).toEqual([]);
});

test("an account in another position mode than the setting fails; in hedge mode the probe names its leg", async () => {
  expect(venue.trading.setModes({ position: "hedge", margin: "isolated" })).toBe(true);
  try {
    expect((await findings()).get("position mode")).toMatchObject({
      verdict: "fail",
      found: "the account is in hedge mode, POSITION_MODE is one-way",
      advice: "set POSITION_MODE=hedge, or change the account while nothing is held or open",
    });
    const found = await findings({ POSITION_MODE: "hedge" }, true);
    expect(found.get("position mode")).toMatchObject({ verdict: "ok", found: "hedge" });
    expect(found.get("stop path")?.verdict).toBe("warn");
  } finally {
    venue.trading.setModes({ position: "one-way", margin: "isolated" });
  }
});

test("a key that may withdraw is refused", async () => {
  venue.keysMayWithdraw = true;
  const found = await findings();
  venue.keysMayWithdraw = false;
  expect(found.get("key permissions")).toMatchObject({ verdict: "fail", found: "the reading key may WITHDRAW money" });
});

test("live trading without a key, a folder that cannot be written and a database that is away are failures", async () => {
  const found = await findings({
    BINANCE_API_KEY: "",
    BINANCE_API_SECRET: "",
    DATA_DIR: "/proc/nobody",
    DATABASE_URL: "postgres://nobody:hidden@127.0.0.1:1/none",
    DATABASE_TIMEOUT_SECONDS: "1",
  });
  expect(found.get("keys")).toMatchObject({ verdict: "fail", advice: "set BINANCE_API_KEY and BINANCE_API_SECRET" });
  expect(found.get("disk")?.verdict).toBe("fail");
  expect(found.get("database")?.verdict).toBe("fail");
  expect(JSON.stringify([...found.values()])).not.toContain("hidden");
});

test("without an exchange behind the address the rest is not asked", async () => {
  const dead = { BINANCE_REST_URL: "http://127.0.0.1:1", BINANCE_WS_URL: "ws://127.0.0.1:1" };
  const found = await findings({ ...dead, BINANCE_WS_API_URL: "ws://127.0.0.1:1/ws-fapi/v1" });
  expect(found.get("latency")?.verdict).toBe("fail");
  expect(found.has("clock")).toBe(false);
});

test("the command ends with 1 on a failure, and its JSON names what is to be done", async () => {
  const bad = await penstock(folder, ["doctor", "--json"], environment({ BINANCE_API_SECRET: "wrong" }));
  expect(bad.code).toBe(1);
  const { fit, failures } = JSON.parse(bad.out);
  expect([fit, failures > 0]).toEqual([false, true]);
  expect(bad.out).not.toContain("wrong");
  const good = await penstock(folder, ["doctor"]);
  expect(good.code).toBe(0);
  expect(good.out).toContain("Fit to run.");
});

import { accessSync, constants, mkdirSync, statfsSync } from "node:fs";
import { availableParallelism, freemem, totalmem } from "node:os";
import { mostWorkers } from "../analysis/pool.ts";
import type { Settings } from "../config/settings.ts";
import { type Instrument, USDT } from "../core/instrument.ts";
import { BinanceClient } from "../exchange/binance/client.ts";
import { clientIdText } from "../exchange/binance/client-id.ts";
import { moneyOf, priceText, quantityText, ticksFrom } from "../exchange/binance/decimals.ts";
import type { AlgoReport, Outcome } from "../exchange/binance/gateway.ts";
import { instrumentsOf } from "../exchange/binance/instruments.ts";
import { type BinanceOptions, binanceOptions } from "../exchange/binance/options.ts";
import { InputError } from "../input-error.ts";
import { chooseKernel } from "../native.ts";
import { openStore } from "../store/store.ts";
import { answered } from "./binance-market.ts";
import { storeOptions } from "./recording.ts";

/** `skip`: there is nothing to check, and why. */
export type Verdict = "ok" | "warn" | "fail" | "skip";

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly found: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly advice: string;
}

type Found = Omit<Finding, "check">;

/** Advice for real money: beyond these a bad day costs more than a good week brings. */
const MOST_LEVERAGE = 10;
const LEAST_CONFIDENCE = 0.45;
/** Offset that signed requests stand (the window is 5 s), and from which on somebody should look; ms. */
const CLOCK_WARN = 1000;
/** Round trips of a request from which on stops and exits are late, ms. */
const SLOW = 300;
const LATENCY_SAMPLES = 7;
const GB = 1e9;
const LITTLE_DISK = 2 * GB;
const NO_DISK = 0.2 * GB;
/** How long the account's event stream may take to open, ms. */
const STREAM = 10_000;

const ok = (found: string): Found => ({ verdict: "ok", found, advice: "" });
const warn = (found: string, advice: string): Found => ({ verdict: "warn", found, advice });
const fail = (found: string, advice: string): Found => ({ verdict: "fail", found, advice });
const skip = (found: string): Found => ({ verdict: "skip", found, advice: "" });

/**
 * Looks at everything that a run depends on, and says what to do about what is wrong. Sends nothing that could open a
 * position; with `probe` one stop far from the market is placed and cancelled, as every live run does at its start.
 *
 * @param onFinding told of each finding at once: some take seconds
 */
export async function examine(
  settings: Settings,
  options: { readonly symbols: readonly string[] | undefined; readonly probe: boolean },
  onFinding: (finding: Finding) => void = () => {},
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const check = async (name: string, look: () => Found | Promise<Found>): Promise<void> => {
    let found: Found;
    try {
      found = await look();
    } catch (error) {
      // What cannot be used says itself what is allowed; anything else is a bug of ours.
      if (!(error instanceof InputError)) throw error;
      found = fail(error.message, "see above; nothing that depends on it was looked at");
    }
    const finding = { check: name, ...found };
    findings.push(finding);
    onFinding(finding);
  };
  await check("risk settings", () => riskSettings(settings));
  await check("disk", () => disk(settings));
  await check("memory", () => memory(settings));
  await check("kernel", () => kernel(settings));
  await check("database", () => database(settings));
  if (settings.EXCHANGE !== "binance") {
    await check("exchange", () => skip("EXCHANGE=simulated: no real exchange is asked"));
    return findings;
  }
  let reach: BinanceOptions | undefined;
  await check("keys", () => {
    reach = binanceOptions(settings);
    return keys(settings, reach);
  });
  if (reach !== undefined) await examineExchange(settings, reach, options, check);
  return findings;
}

type Check = (name: string, look: () => Found | Promise<Found>) => Promise<void>;

async function examineExchange(
  settings: Settings,
  reach: BinanceOptions,
  { symbols, probe }: { readonly symbols: readonly string[] | undefined; readonly probe: boolean },
  check: Check,
): Promise<void> {
  const client = new BinanceClient({ ...reach, onNotice: () => {} });
  try {
    let reached = false;
    await check("latency", async () => {
      const times: number[] = [];
      for (let sample = 0; sample < LATENCY_SAMPLES; sample++) {
        const begun = performance.now();
        answered(`${reach.addresses.rest}`, await client.serverTime());
        times.push(performance.now() - begun);
      }
      reached = true;
      const middle = times.toSorted((a, b) => a - b)[LATENCY_SAMPLES >> 1]!;
      const found = `${middle.toFixed(1)} ms to ${reach.addresses.rest} and back (median of ${LATENCY_SAMPLES})`;
      return middle < SLOW ? ok(found) : warn(found, "run nearer to the exchange: stops and exits leave this late");
    });
    if (!reached) return;
    await check("clock", () => {
      const offset = client.clock.now() - Date.now();
      const found = `the exchange's clock is ${Math.abs(offset)} ms ${offset < 0 ? "behind" : "ahead of"} this machine's`;
      return Math.abs(offset) < CLOCK_WARN
        ? ok(found)
        : warn(found, "orders are stamped by the exchange's time, so trading works; set the clock by NTP all the same");
    });
    const keyed = reach.keys.reading !== undefined;
    if (!keyed) {
      await check("account", () => skip("no API key: paper trading on public data"));
    } else {
      await check("key permissions", () => permissions(settings, client));
      await check("position mode", () => positionMode(settings, client));
      await check("wallet", () => wallet(client));
      await check("event stream", () => eventStream(client));
    }
    let instruments: readonly Instrument[] = [];
    await check("symbols", async () => {
      const info = answered("the exchange's contracts", await client.exchangeInfo("routine"));
      const brackets = keyed ? answered("leverage brackets", await client.leverageBrackets("routine")) : [];
      instruments = instrumentsOf(info, brackets, symbols);
      return filters(settings, instruments);
    });
    await check("stop path", () => {
      if (reach.keys.trading === undefined) return skip("no API key: nothing is sent");
      if (!probe) return skip("not tried: --probe places one stop far from the market and cancels it");
      const [instrument] = instruments;
      return instrument === undefined ? skip("no symbol to try it on") : stopPath(settings, client, instrument);
    });
  } finally {
    client.close();
  }
}

function riskSettings(settings: Settings): Found {
  const { MAX_LEVERAGE, MIN_CONFIDENCE, TRADING_ENABLED } = settings;
  const found = `leverage up to ${MAX_LEVERAGE}, confidence from ${MIN_CONFIDENCE}`;
  if (!TRADING_ENABLED) return ok(`${found}; TRADING_ENABLED=false, so no order leaves`);
  const advice = [
    ...(MAX_LEVERAGE > MOST_LEVERAGE ? [`set MAX_LEVERAGE to ${MOST_LEVERAGE} or less`] : []),
    ...(MIN_CONFIDENCE < LEAST_CONFIDENCE ? [`set MIN_CONFIDENCE to ${LEAST_CONFIDENCE} or more`] : []),
  ];
  return advice.length === 0 ? ok(found) : warn(`${found}, with real orders`, advice.join("; "));
}

function disk({ DATA_DIR }: Settings): Found {
  try {
    mkdirSync(DATA_DIR, { recursive: true });
    accessSync(DATA_DIR, constants.W_OK);
  } catch (error) {
    return fail(
      `DATA_DIR ${DATA_DIR} cannot be written (${(error as NodeJS.ErrnoException).code})`,
      "give this user the folder, or set DATA_DIR to another one: without a journal nothing is entered",
    );
  }
  const { bavail, bsize } = statfsSync(DATA_DIR);
  const free = bavail * bsize;
  const found = `${(free / GB).toFixed(1)} GB free in ${DATA_DIR}`;
  if (free < NO_DISK) return fail(found, "make room: a run stops entering when its journal cannot be written");
  return free < LITTLE_DISK ? warn(found, "make room soon, or set STORE_RETENTION_DAYS") : ok(found);
}

function memory({ PROCESS_MEMORY_LIMIT_MB, MAX_WORKERS }: Settings): Found {
  const workers = mostWorkers(MAX_WORKERS, availableParallelism());
  // One share for the thread that trades.
  const wanted = PROCESS_MEMORY_LIMIT_MB * 1e6 * 2;
  const found = `${(freemem() / GB).toFixed(1)} of ${(totalmem() / GB).toFixed(1)} GB free; up to ${workers} workers`;
  if (totalmem() < wanted) {
    return fail(found, `PROCESS_MEMORY_LIMIT_MB=${PROCESS_MEMORY_LIMIT_MB} allows more than there is: lower it`);
  }
  return freemem() < wanted
    ? warn(found, "a run may take more than is free now: end other programs, or lower PROCESS_MEMORY_LIMIT_MB")
    : ok(found);
}

function kernel({ PENSTOCK_KERNEL }: Settings): Found {
  const { name } = chooseKernel(PENSTOCK_KERNEL);
  if (name !== "portable") return ok(`native code for ${name}`);
  return warn(
    "portable: no native code was found, or it was not wanted",
    "bun run build:native, and PENSTOCK_KERNEL=auto",
  );
}

async function database(settings: Settings): Promise<Found> {
  if (!settings.ENABLE_STORE) return skip("ENABLE_STORE=false: nothing is recorded but the journal");
  if (settings.DATABASE_URL === "") return skip("embedded: a run starts it itself");
  const begun = performance.now();
  try {
    const store = await openStore(storeOptions(settings));
    const { edition } = store;
    await store.close();
    return ok(`${edition}, there after ${(performance.now() - begun).toFixed(0)} ms`);
  } catch (error) {
    // Whatever it says: the address may hold a password, the message of the driver does not.
    return fail(
      (error as Error).message,
      "start the database or correct DATABASE_URL: without it a lease cannot be had",
    );
  }
}

function keys(settings: Settings, { keys: { reading, trading }, addresses }: BinanceOptions): Found {
  const place = addresses.live ? "LIVE: real money" : "a test network, or this machine";
  if (reading !== undefined && trading !== undefined) {
    const kinds = reading === trading ? "one key for reading and trading" : "a key for reading and another for trading";
    return ok(`${kinds}; ${place}`);
  }
  return settings.TRADING_ENABLED
    ? fail("TRADING_ENABLED=true and no key", "set BINANCE_API_KEY and BINANCE_API_SECRET")
    : skip("none: paper trading on public data needs none");
}

async function permissions(settings: Settings, client: BinanceClient): Promise<Found> {
  const pairs = ["reading", "trading"] as const;
  const open: string[] = [];
  for (const of of pairs) {
    const outcome = await client.keyPermissions(of);
    if (outcome === undefined) return skip("the test network does not say what a key may do");
    const { withdrawals, futures, transfers, restrictedToAddresses } = answered(
      `permissions of the ${of} key`,
      outcome,
    );
    if (withdrawals) {
      return fail(
        `the ${of} key may WITHDRAW money`,
        "delete this key at the exchange and make one without withdrawals: whoever gets hold of it gets the money",
      );
    }
    if (!futures && settings.TRADING_ENABLED && of === "trading") {
      return fail(`the ${of} key may not trade futures`, "allow futures for it at the exchange");
    }
    if (transfers) open.push(`the ${of} key may transfer money inside of the exchange`);
    if (!restrictedToAddresses) open.push(`the ${of} key works from every address`);
  }
  return open.length === 0
    ? ok("no withdrawals, no transfers, listed addresses only")
    : warn(`no withdrawals; ${open.join(", ")}`, "restrict the keys to this machine's address, and to futures");
}

async function positionMode(settings: Settings, client: BinanceClient): Promise<Found> {
  const mode = answered("position mode", await client.positionMode("routine"));
  return mode === settings.POSITION_MODE
    ? ok(mode)
    : fail(
        `the account is in ${mode} mode, POSITION_MODE is ${settings.POSITION_MODE}`,
        `set POSITION_MODE=${mode}, or change the account while nothing is held or open`,
      );
}

async function wallet(client: BinanceClient): Promise<Found> {
  const balances = answered("balances", await client.balances("routine"));
  const positions = answered("positions", await client.positions("routine"));
  const held = positions.filter(({ amount }) => Number(amount) !== 0).map(({ symbol }) => symbol);
  const usdt = moneyOf(balances.find(({ asset }) => asset === "USDT")?.wallet ?? "0");
  const found = `${(usdt / USDT).toFixed(2)} USDT${held.length === 0 ? "" : `; held now: ${held.join(", ")}`}`;
  return usdt > 0 ? ok(found) : fail(found, "transfer USDT to the futures wallet");
}

async function eventStream(client: BinanceClient): Promise<Found> {
  const begun = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), STREAM);
  });
  try {
    const opened = await Promise.race([client.open().then(() => "up" as const), late]);
    if (opened === "up") return ok(`up after ${(performance.now() - begun).toFixed(0)} ms`);
    return fail(`not up within ${STREAM / 1000} s`, "let WebSockets out of this machine; check BINANCE_WS_URL");
  } finally {
    clearTimeout(timer);
  }
}

/** Whether an order of the usual size is worth enough for the exchange. */
function filters(settings: Settings, instruments: readonly Instrument[]): Found {
  const { DEFAULT_ACCOUNT_BALANCE, BASE_MARGIN_PCT, BASE_LEVERAGE, MIN_LEVERAGE } = settings;
  const usual = DEFAULT_ACCOUNT_BALANCE * BASE_MARGIN_PCT * BASE_LEVERAGE * USDT;
  const dear = instruments.filter(({ minNotional }) => minNotional > usual).map(({ symbol }) => symbol);
  const narrow = instruments.filter(({ maxLeverage }) => maxLeverage < MIN_LEVERAGE).map(({ symbol }) => symbol);
  const found = `${instruments.length} contracts with exact steps`;
  if (dear.length > 0) {
    return warn(
      `${found}; an order of the usual size is too small for ${named(dear)}`,
      "more balance, BASE_MARGIN_PCT or BASE_LEVERAGE, or leave these symbols out: they will be refused",
    );
  }
  return narrow.length > 0
    ? warn(`${found}; MIN_LEVERAGE is more than ${named(narrow)} allow`, "lower MIN_LEVERAGE or leave them out")
    : ok(found);
}

function named(symbols: readonly string[]): string {
  return symbols.length <= 5 ? symbols.join(", ") : `${symbols.slice(0, 5).join(", ")} and ${symbols.length - 5} more`;
}

/** Places a stop at half the price that could only close, and cancels it. */
async function stopPath(settings: Settings, client: BinanceClient, instrument: Instrument): Promise<Found> {
  const { symbol } = instrument;
  const { bids } = answered(`price of ${symbol}`, await client.book(symbol));
  const best = bids[0];
  if (best === undefined) return skip(`nobody bids for ${symbol}`);
  const clientId = clientIdText({ epoch: Date.now(), number: 1, auxiliary: true });
  const hedge = settings.POSITION_MODE === "hedge";
  const common = {
    symbol,
    clientId,
    side: "SELL",
    ...(hedge && { positionSide: "LONG" as const }),
    type: "STOP_MARKET",
    workingType: "MARK_PRICE",
    triggerPrice: priceText(instrument, Math.max(1, Math.floor(ticksFrom(instrument, String(best)) / 2))),
  } as const;
  const begun = performance.now();
  let placed: Outcome<AlgoReport> = await client.placeAlgoOrder({ ...common, closePosition: true }, "routine");
  if (placed.kind === "refused") {
    const quantity = quantityText(instrument, instrument.minLots);
    const reduce = hedge ? {} : { reduceOnly: true };
    placed = await client.placeAlgoOrder({ ...common, quantity, ...reduce }, "routine");
  }
  if (placed.kind === "refused" && placed.consequence === "reduce-only") {
    return warn(
      "the exchange takes no closing order while nothing is held",
      "nothing to do: the first entries go at the smallest size until a stop of a position was acknowledged",
    );
  }
  if (placed.kind === "refused") {
    return fail(
      `refused: ${placed.code} ${placed.message}`,
      "may this key trade futures? nothing is entered without stops",
    );
  }
  const cancelled = await client.cancelAlgoOrder({ symbol, clientId }, "protect");
  if (placed.kind !== "done" || cancelled.kind !== "done") {
    return fail(
      `not known whether ${clientId} of ${symbol} stands`,
      "look for it at the exchange and cancel it; then again",
    );
  }
  return ok(`a stop on ${symbol} was taken and cancelled within ${(performance.now() - begun).toFixed(0)} ms`);
}

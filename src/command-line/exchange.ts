import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { listenControl } from "../exchange/simulated/server/control.ts";
import { Door } from "../exchange/simulated/server/door.ts";
import { listen } from "../exchange/simulated/server/listen.ts";
import { Lockstep } from "../exchange/simulated/server/lockstep.ts";
import { Pace } from "../exchange/simulated/server/pace.ts";
import { relay } from "../exchange/simulated/server/relay.ts";
import { InputError } from "../input-error.ts";
import { MOST_GENERATED } from "../market/generated-market.ts";
import { openVenue, type VenueMarket } from "../service/simulated-venue.ts";
import { addMarketOptions, type MarketOptions, recordedChoice } from "./market-options.ts";
import { print, setOption, settingsFrom, speedOf, whole } from "./options.ts";

interface ExchangeOptions extends Omit<MarketOptions, "from"> {
  readonly port: number;
  readonly controlPort?: number;
  readonly generate?: number;
  readonly generated: number;
  readonly speed: number;
  readonly key: string;
  readonly secret: string;
  readonly balance?: number;
  readonly start?: number;
  readonly lockstep: boolean;
  readonly relay: boolean;
  readonly set: readonly string[];
}

/** What clients sign with where nothing else is said: this exchange knows no real money. */
const KEY = "simulated-key";
const SECRET = "simulated-secret";

/** Where the streams of a fault connect. */
const HALF_OPEN_PATHS: Readonly<Record<string, string>> = { user: "/private/", market: "/market/", public: "/public/" };

/** `penstock exchange`: a Binance-compatible exchange on loopback. Runs until it is told to stop. */
export function exchangeCommand(program: Command): void {
  const command = program
    .command("exchange")
    .description("simulate Binance USD-M futures on loopback: REST, streams and WS API over recorded or generated bars")
    .addOption(
      new Option("--port <number>", "port of REST, streams and WS API; 0 takes a free one")
        .argParser(whole("--port", 0, 65_535))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--control-port <number>", "port of state, steps, speed and faults; none without it").argParser(
        whole("--control-port", 0, 65_535),
      ),
    )
    .option("--data <dir>", "folder of recorded bars, or a file of recorded ticks")
    .addOption(
      new Option("--generate <seed>", "a market generated from a seed (1 where no data is given)").argParser(
        whole("--generate", 0, Number.MAX_SAFE_INTEGER),
      ),
    )
    .addOption(
      new Option("--generated <count>", "symbols of the generated market")
        .argParser(whole("--generated", 1, MOST_GENERATED))
        .default(24),
    );
  addMarketOptions(command, "--start")
    .addOption(new Option("--speed <speed>", "60x, max or real").argParser(speedOf).default(1, "real"))
    .addOption(new Option("--key <key>", "API key that clients send").default(KEY))
    .addOption(
      new Option(
        "--secret <secret>",
        "what they sign with: a shared secret, or a file with a public key (.pem)",
      ).default(SECRET),
    )
    .addOption(new Option("--balance <usdt>", "wallet at the start").argParser(amount))
    .option("--lockstep", "the market waits for the client's acknowledgement after each step", false)
    .option("--relay", "stand a relay in front of the port, which can leave connections half-open", false)
    .addOption(setOption())
    .action(run);
}

async function run(options: ExchangeOptions): Promise<void> {
  const { settings } = settingsFrom(options.set);
  if (options.lockstep && options.controlPort === undefined) {
    throw new InputError("--lockstep needs --control-port: steps are acknowledged there", 2);
  }
  const { secret } = options;
  const venue = openVenue(settings, {
    market: marketOf(options),
    without: options.without,
    lockstep: options.lockstep,
    apiKey: options.key,
    secret: secret.endsWith(".pem") ? readKey(secret) : secret,
    balance: options.balance,
  });
  const open = opener(options);
  const door = new Door(venue);
  const behind = open("--port", () => listen(door, options.relay ? 0 : options.port));
  const front = options.relay ? open("--port", () => relay(behind.port, options.port)) : undefined;
  door.onHalfOpen = (fault) => front?.freeze(HALF_OPEN_PATHS[fault.stream ?? ""] ?? fault.stream);
  const moved = options.lockstep ? { lockstep: new Lockstep(venue) } : { pace: new Pace(venue, options.speed) };
  const { controlPort } = options;
  const control =
    controlPort === undefined
      ? undefined
      : open("--control-port", () => listenControl({ venue, door, ...moved }, controlPort));
  const host = `127.0.0.1:${(front ?? behind).port}`;
  const urls = {
    rest: `http://${host}`,
    ws: `ws://${host}`,
    wsApi: `ws://${host}/ws-fapi/v1`,
    ...(control === undefined ? {} : { control: `http://127.0.0.1:${control.port}` }),
  };
  await print(`${JSON.stringify({ ...urls, start: venue.time, symbols: venue.exchange.instruments.length })}\n`);
  await toldToStop();
  moved.pace?.stop();
  front?.stop();
  await Promise.all([behind.stop(), control?.stop()]);
}

/** A port that is taken is the user's to change. */
function opener(options: ExchangeOptions) {
  return <Port>(name: "--port" | "--control-port", open: () => Port): Port => {
    try {
      return open();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      const number = name === "--port" ? options.port : options.controlPort;
      throw new InputError(`${name} ${number}: another program listens there; 0 takes a free port`);
    }
  };
}

function marketOf(options: ExchangeOptions): VenueMarket {
  const { data, generate } = options;
  if (data !== undefined && generate !== undefined) {
    throw new InputError("--generate and --data exclude each other: the market is generated or recorded", 2);
  }
  if (data !== undefined) return { kind: "recorded", ...recordedChoice(data, options), from: options.start };
  for (const name of ["symbols", "timeframe", "to", "funding", "rules", "brackets"] as const) {
    if (options[name] !== undefined) throw new InputError(`--${name} needs --data: it chooses recorded bars`, 2);
  }
  return { kind: "generated", seed: generate ?? 1, symbols: options.generated, from: options.start };
}

function readKey(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new InputError(`--secret ${file}: cannot be read (${(error as Error).message})`, 2);
  }
}

function amount(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 90_000_000) || text.trim() === "") {
    throw new InputError(`--balance ${text}: USDT from 0 to 90 million`, 2);
  }
  return value;
}

function toldToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

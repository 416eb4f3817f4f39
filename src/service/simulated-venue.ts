import type { Settings } from "../config/settings.ts";
import { USDT } from "../core/instrument.ts";
import { credentialOf } from "../exchange/simulated/server/signature.ts";
import { Venue } from "../exchange/simulated/server/venue.ts";
import { InputError } from "../input-error.ts";
import type { BarSource } from "../market/bar-source.ts";
import { generateMarket } from "../market/generated-market.ts";
import { timeText } from "../market/timeframe.ts";
import { type Cost, exchangeOptions } from "./assembly.ts";
import { type MarketChoice, openMarket } from "./backtest.ts";
import { GENERATED_START } from "./generated.ts";

/** What a simulated exchange plays: recorded bars or ticks, or a market generated from a seed. */
export type VenueMarket =
  | ({ readonly kind: "recorded" } & MarketChoice)
  | {
      readonly kind: "generated";
      readonly seed: number;
      readonly symbols: number;
      readonly from?: number | undefined;
    };

export interface SimulatedVenueOptions {
  readonly market: VenueMarket;
  readonly without: readonly Cost[];
  /** Orders wait for the next open, as in a backtest. */
  readonly lockstep: boolean;
  readonly apiKey: string;
  /** The shared secret, or the public key of an Ed25519 or RSA pair as PEM text. */
  readonly secret: string;
  /** USDT; the setting's when absent. */
  readonly balance?: number | undefined;
}

const DAY = 86_400_000;
const UNLIMITED = { weight: 1_000_000, ordersPer10s: 100_000, ordersPerMinute: 1_000_000 };
/** History before the first trade, enough for every 1h indicator; of short recordings at most half. */
const WARM = 4 * DAY;

/** Opens a market and puts an exchange on it. @throws InputError for whatever is wrong with options or data */
export function openVenue(settings: Settings, options: SimulatedVenueOptions): Venue {
  const { market, balance } = options;
  const source = openSource(settings, market);
  const exchange = exchangeOptions(settings, options.without);
  return new Venue(source, {
    ...exchange,
    ...(balance === undefined ? {} : { balance: Math.round(balance * USDT) }),
    // Limits are by the wall clock, which a market in lockstep has nothing to do with.
    ...(options.lockstep && { rateLimits: UNLIMITED }),
    play: options.lockstep ? "bars" : "ticks",
    from: startOf(source, market),
    credentials: [credentialOf(options.apiKey, options.secret)],
  });
}

function openSource(settings: Settings, market: VenueMarket): BarSource {
  if (market.kind === "recorded") return openMarket(settings, market);
  const start = market.from ?? GENERATED_START;
  return generateMarket({ seed: market.seed, symbols: market.symbols, start, historySteps: WARM / 60_000 });
}

/** Where trading begins: where it is asked for, else behind the history. */
function startOf(source: BarSource, market: VenueMarket): number {
  if (market.kind === "generated") return source.start + WARM + source.timeframe;
  const end = source.start + source.steps * source.timeframe;
  if (market.from !== undefined) {
    if (market.from < end) return market.from;
    throw new InputError(`--start ${timeText(market.from)} is too late: the recording ends at ${timeText(end)}`, 2);
  }
  const half = Math.floor(source.steps / 2) * source.timeframe;
  return source.start + (half < WARM ? half : WARM);
}

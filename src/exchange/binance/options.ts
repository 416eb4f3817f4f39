import { type Addresses, type AddressSettings, addressesOf } from "./addresses.ts";
import type { BreakerOptions } from "./api-breaker.ts";
import { bansFile } from "./bans.ts";
import { type CredentialSettings, type Keys, keysOf } from "./credentials.ts";

/** The settings that the client reads, under the names of the table of settings. */
export interface BinanceSettings extends AddressSettings, CredentialSettings, BreakerSettings {
  readonly RATE_LIMIT_REQUESTS: number;
  readonly DATA_DIR: string;
}

export interface BreakerSettings {
  readonly GRADED_CIRCUIT_BREAKER_ENABLED: boolean;
  readonly CIRCUIT_BREAKER_WARNING_THRESHOLD: number;
  readonly CIRCUIT_BREAKER_THROTTLED_THRESHOLD: number;
  readonly CIRCUIT_BREAKER_BLOCKED_THRESHOLD: number;
  /** s */
  readonly CIRCUIT_BREAKER_THROTTLE_DELAY: number;
}

/** What the settings come to for the client. */
export interface BinanceOptions {
  readonly addresses: Addresses;
  readonly keys: Keys;
  readonly breaker: BreakerOptions;
  readonly weightPerMinute: number;
  /** The file that remembers bans. */
  readonly bans: string;
}

/** @throws InputError for addresses and keys that cannot be used */
export function binanceOptions(settings: BinanceSettings): BinanceOptions {
  return {
    addresses: addressesOf(settings),
    keys: keysOf(settings),
    breaker: breakerOptions(settings),
    weightPerMinute: settings.RATE_LIMIT_REQUESTS,
    bans: bansFile(settings.DATA_DIR),
  };
}

export function breakerOptions(settings: BreakerSettings): BreakerOptions {
  return {
    enabled: settings.GRADED_CIRCUIT_BREAKER_ENABLED,
    warning: settings.CIRCUIT_BREAKER_WARNING_THRESHOLD,
    throttled: settings.CIRCUIT_BREAKER_THROTTLED_THRESHOLD,
    blocked: settings.CIRCUIT_BREAKER_BLOCKED_THRESHOLD,
    delay: settings.CIRCUIT_BREAKER_THROTTLE_DELAY * 1000,
  };
}

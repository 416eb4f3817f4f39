import { InputError } from "../../input-error.ts";
import { Secret } from "./secret.ts";
import { createSigner, type Signer } from "./signing.ts";

/** A key and what signs with it. */
export interface Credentials {
  readonly apiKey: Secret;
  readonly signer: Signer;
}

/** The settings that hold keys, under the names of the table of settings. */
export interface CredentialSettings {
  readonly BINANCE_API_KEY: string;
  readonly BINANCE_API_SECRET: string;
  readonly BINANCE_TRADING_API_KEY: string;
  readonly BINANCE_TRADING_API_SECRET: string;
}

/** Whose keys read the account and whose send orders; both absent on a market that is only watched. */
export interface Keys {
  readonly reading: Credentials | undefined;
  readonly trading: Credentials | undefined;
}

/**
 * The keys of the settings. Each pair that is not given is taken from the other, so one pair serves for everything.
 *
 * @throws InputError for a key without its secret, or a malformed private key
 */
export function keysOf(settings: CredentialSettings): Keys {
  const main = pair(settings, "BINANCE_API_KEY", "BINANCE_API_SECRET");
  const trading = pair(settings, "BINANCE_TRADING_API_KEY", "BINANCE_TRADING_API_SECRET");
  return { reading: main ?? trading, trading: trading ?? main };
}

function pair(
  settings: CredentialSettings,
  key: keyof CredentialSettings,
  secret: keyof CredentialSettings,
): Credentials | undefined {
  if (settings[key] === "" && settings[secret] === "") return undefined;
  for (const [given, missing] of [
    [key, secret],
    [secret, key],
  ] as const) {
    if (settings[missing] === "") throw new InputError(`${given} is set and ${missing} is not: both or none`, 2);
  }
  // A key goes into a header as it is.
  if (!/^[\x21-\x7e]+$/.test(settings[key])) throw new InputError(`${key}: letters and digits only are allowed`, 2);
  return { apiKey: new Secret(settings[key]), signer: createSigner(new Secret(settings[secret]), secret) };
}

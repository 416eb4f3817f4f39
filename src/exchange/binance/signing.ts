import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { InputError } from "../../input-error.ts";
import type { Secret } from "./secret.ts";

export type SignatureAlgorithm = "HMAC-SHA256" | "RSA" | "Ed25519";

/** Signs requests with one key. Synchronous, because an order is signed on the core's thread between tick and socket. */
export interface Signer {
  readonly algorithm: SignatureAlgorithm;
  /** Hexadecimal for HMAC, base64 for the others; not percent-encoded. */
  sign(payload: string): string;
}

/** Values of a request. `undefined` is left out; an absent parameter and an empty one differ for the exchange. */
export type Params = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * A signer for a secret of any of the three kinds that Binance issues: a PEM private key is Ed25519 or RSA, anything
 * else the shared secret of HMAC-SHA256. Line ends of a PEM may be written as `\n` in a setting.
 *
 * @throws InputError naming `setting`, never the secret
 */
export function createSigner(secret: Secret, setting: string): Signer {
  const text = secret.reveal().replaceAll("\\n", "\n").trim();
  if (!text.startsWith("-----BEGIN")) return hmacSigner(text);
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    // The library's message could quote what it was given.
    throw new InputError(`${setting}: begins like a PEM private key and is none (PKCS#8 without a passphrase)`, 2);
  }
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return { algorithm: "Ed25519", sign: (payload) => sign(null, Buffer.from(payload), key).toString("base64") };
    case "rsa":
      return { algorithm: "RSA", sign: (payload) => sign("sha256", Buffer.from(payload), key).toString("base64") };
    default:
      throw new InputError(`${setting}: a key of type ${key.asymmetricKeyType}; Ed25519 and RSA are allowed`, 2);
  }
}

/** `digest` ends a hasher, so one that has taken in the key is kept and copied: a third cheaper than a new one. */
function hmacSigner(secret: string): Signer {
  const keyed = new Bun.CryptoHasher("sha256", secret);
  return { algorithm: "HMAC-SHA256", sign: (payload) => keyed.copy().update(payload).digest("hex") };
}

/** `a=1&b=%E5%B8%81`: what is signed on REST is exactly what is sent, encoded. */
export function queryOf(params: Params): string {
  let query = "";
  for (const name in params) {
    const value = params[name];
    if (value === undefined) continue;
    query += `${query === "" ? "" : "&"}${name}=${typeof value === "string" ? encodeURIComponent(value) : value}`;
  }
  return query;
}

/** Query with its signature at the end. */
export function signedQuery(params: Params, signer: Signer): string {
  const query = queryOf(params);
  return `${query}&signature=${encodeURIComponent(signer.sign(query))}`;
}

/** What is signed on the WebSocket API: parameters in the order of their names, not encoded. */
export function socketPayload(params: Params): string {
  let payload = "";
  for (const name of sortedNames(params)) {
    const value = params[name];
    if (value !== undefined) payload += `${payload === "" ? "" : "&"}${name}=${value}`;
  }
  return payload;
}

/** Names in order, by the names as they come: there are as many as there are shapes of requests. */
const SORTED = new Map<string, readonly string[]>();

function sortedNames(params: Params): readonly string[] {
  const names = Object.keys(params);
  const shape = names.join();
  let sorted = SORTED.get(shape);
  if (sorted === undefined) {
    sorted = names.sort();
    SORTED.set(shape, sorted);
  }
  return sorted;
}

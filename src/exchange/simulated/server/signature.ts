import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import { InputError } from "../../../input-error.ts";
import { WireError } from "./wire.ts";

/** What a user signs with: a shared secret (HMAC-SHA256, hex), or a key pair (Ed25519, or RSA PKCS#1 v1.5; base64). */
export interface Credential {
  readonly apiKey: string;
  readonly scheme: "hmac" | "ed25519" | "rsa";
  readonly secret: string | KeyObject;
}

/** @param secret the shared secret, or a public key as PEM text. @throws InputError for a PEM that is no such key */
export function credentialOf(apiKey: string, secret: string): Credential {
  if (!secret.includes("-----BEGIN")) return { apiKey, scheme: "hmac", secret };
  let key: KeyObject;
  try {
    key = createPublicKey(secret);
  } catch (error) {
    throw new InputError(
      `the secret looks like a PEM but cannot be read as a public key: ${(error as Error).message}`,
      2,
    );
  }
  const type = key.asymmetricKeyType;
  if (type !== "ed25519" && type !== "rsa")
    throw new InputError(`keys of type ${type} are not used by the exchange`, 2);
  return { apiKey, scheme: type, secret: key };
}

export function isSignedBy({ scheme, secret }: Credential, payload: string, signature: string): boolean {
  const bytes = Buffer.from(payload, "utf8");
  if (scheme === "hmac") {
    const expected = createHmac("sha256", secret).update(bytes).digest();
    const given = Buffer.from(signature, "hex");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
  return verify(scheme === "rsa" ? "sha256" : null, bytes, secret as KeyObject, Buffer.from(signature, "base64"));
}

/** The parameters of a REST request that are signed: query and body as they came, without the signature itself. */
export function signedPart(query: string, body: string): { payload: string; signature: string | undefined } {
  let signature: string | undefined;
  const without = (text: string): string =>
    text
      .split("&")
      .filter((part) => {
        if (!part.startsWith("signature=")) return true;
        signature = decodeURIComponent(part.slice("signature=".length));
        return false;
      })
      .join("&");
  const payload = without(query) + without(body);
  return { payload, signature };
}

/** The same of a WS API message: sorted by name, nothing encoded. */
export function signedMessage(parameters: ReadonlyMap<string, string>): string {
  return [...parameters]
    .filter(([name]) => name !== "signature")
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

export const MOST_RECV_WINDOW = 60_000;
const USUAL_RECV_WINDOW = 5000;
/** So far ahead of the exchange's clock a timestamp may be, ms. */
const MOST_AHEAD = 1000;

/** @throws WireError -1102, -1131 or -1021 */
export function checkTimestamp(parameters: ReadonlyMap<string, string>, now: number): void {
  const timestamp = wholeParameter(parameters, "timestamp");
  if (timestamp === undefined) throw mandatory("timestamp");
  const window = wholeParameter(parameters, "recvWindow") ?? USUAL_RECV_WINDOW;
  if (window > MOST_RECV_WINDOW) throw new WireError(-1131, `recvWindow must be less than ${MOST_RECV_WINDOW}`);
  if (timestamp >= now + MOST_AHEAD) {
    throw new WireError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.");
  }
  if (now - timestamp > window) {
    throw new WireError(-1021, "Timestamp for this request is outside of the recvWindow.");
  }
}

export function mandatory(name: string): WireError {
  return new WireError(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);
}

function wholeParameter(parameters: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) throw mandatory(name);
  return Number(text);
}

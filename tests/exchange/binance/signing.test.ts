import { describe, expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import fc from "fast-check";
import { keysOf } from "../../../src/exchange/binance/credentials.ts";
import { Secret } from "../../../src/exchange/binance/secret.ts";
import { createSigner, queryOf, signedQuery, socketPayload } from "../../../src/exchange/binance/signing.ts";
import { InputError } from "../../../src/input-error.ts";

const PEM = {
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
} as const;

test("HMAC: the example of the exchange's documentation", () => {
  const signer = createSigner(
    new Secret("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"),
    "BINANCE_API_SECRET",
  );
  const params = {
    symbol: "BTCUSDT",
    side: "BUY",
    type: "LIMIT",
    quantity: 1,
    price: 9000,
    timeInForce: "GTC",
    recvWindow: 5000,
    timestamp: 1591702613943,
  };
  const signature = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9";
  expect(signer.sign(queryOf(params))).toBe(signature);
  // The keyed hasher is copied, so a second signature is the same.
  expect(signedQuery(params, signer)).toEndWith(`&timestamp=1591702613943&signature=${signature}`);
});

test("HMAC is that of a fresh hasher for any payload", () => {
  const signer = createSigner(new Secret("hush"), "S");
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "=", "é", "币", "😀")).map((parts) => parts.join("")),
      (payload) => {
        expect(signer.sign(payload)).toBe(new Bun.CryptoHasher("sha256", "hush").update(payload).digest("hex"));
      },
    ),
  );
});

test("Ed25519 and RSA keys are known by their PEM, also with escaped line ends, and their signatures verify", () => {
  const pairs = [
    ["Ed25519", generateKeyPairSync("ed25519", PEM), null],
    ["RSA", generateKeyPairSync("rsa", { modulusLength: 2048, ...PEM }), "sha256"],
  ] as const;
  for (const [algorithm, { privateKey, publicKey }, digest] of pairs) {
    for (const text of [privateKey, privateKey.replaceAll("\n", "\\n")]) {
      const signer = createSigner(new Secret(text), "S");
      expect(signer.algorithm).toBe(algorithm);
      const signature = Buffer.from(signer.sign("symbol=币安人生USDT"), "base64");
      expect(verify(digest, Buffer.from("symbol=币安人生USDT"), createPublicKey(publicKey), signature)).toBe(true);
      // Base64 has characters that a query must not hold as they are.
      expect(signedQuery({ a: 1 }, signer)).toMatch(/^a=1&signature=[\w.~%-]+$/);
    }
  }
});

test("what is signed on REST is encoded, on the WebSocket API it is sorted and is not; undefined is left out", () => {
  const params = { symbol: "币安人生USDT", price: undefined, a: true };
  expect(queryOf(params)).toBe("symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&a=true");
  expect(socketPayload(params)).toBe("a=true&symbol=币安人生USDT");
});

describe("secrets", () => {
  const settings = {
    BINANCE_API_KEY: "hush-key",
    BINANCE_API_SECRET: "hush-secret",
    BINANCE_TRADING_API_KEY: "",
    BINANCE_TRADING_API_SECRET: "",
  };

  test("do not appear in anything that prints or serialises", () => {
    const keys = keysOf(settings);
    const error = new Error("x", { cause: keys });
    const seen = [
      JSON.stringify(keys),
      Bun.inspect(keys, { depth: 9 }),
      String(keys.reading!.apiKey),
      Bun.inspect(error),
    ];
    for (const text of seen) expect(text).not.toContain("hush");
    expect(keys.reading!.apiKey.reveal()).toBe("hush-key");
  });

  test("a broken private key is named by its setting and not quoted", () => {
    const broken = "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----";
    for (const text of [broken, generateKeyPairSync("ec", { namedCurve: "P-256", ...PEM }).privateKey]) {
      const message = messageOf(() => createSigner(new Secret(text), "BINANCE_API_SECRET"));
      expect(message).toStartWith("BINANCE_API_SECRET: ");
      expect(message).not.toContain("hush");
    }
  });

  test("one pair serves for everything; half a pair is refused", () => {
    const both = keysOf({ ...settings, BINANCE_TRADING_API_KEY: "t", BINANCE_TRADING_API_SECRET: "u" });
    expect(both.trading!.apiKey.reveal()).toBe("t");
    expect(both.reading!.apiKey.reveal()).toBe("hush-key");
    const one = keysOf(settings);
    expect(one.trading).toBe(one.reading);
    const none = { ...settings, BINANCE_API_KEY: "", BINANCE_API_SECRET: "" };
    expect(keysOf(none)).toEqual({ reading: undefined, trading: undefined });
    const trading = keysOf({ ...none, BINANCE_TRADING_API_KEY: "t", BINANCE_TRADING_API_SECRET: "u" });
    expect(trading.reading).toBe(trading.trading);
    expect(messageOf(() => keysOf({ ...settings, BINANCE_API_SECRET: "" }))).toBe(
      "BINANCE_API_KEY is set and BINANCE_API_SECRET is not: both or none",
    );
    expect(messageOf(() => keysOf({ ...settings, BINANCE_API_KEY: "two\r\nX-Header: lines" }))).not.toContain("lines");
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).message;
  }
  throw new Error("nothing was refused");
}

import { expect, test } from "bun:test";
import fc from "fast-check";
import { loadSettings } from "../../src/config/load.ts";
import { SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { HIDDEN, redactor } from "../../src/log/redact.ts";

const of = (environment: Record<string, string>) => redactor(loadSettings(environment).settings);

test("no secret setting gets through, in whatever way a line writes it", () => {
  const secrets = SETTING_NAMES.filter((name) => SETTINGS[name].type === "secret");
  expect(secrets.length).toBeGreaterThan(5);
  const secret = fc
    .string({ minLength: 6, maxLength: 40, unit: "binary-ascii" })
    .filter((text) => text.trim() === text);
  fc.assert(
    fc.property(fc.constantFrom(...secrets), secret, fc.string(), fc.string(), (name, value, before, after) => {
      fc.pre(!`${before}${HIDDEN}${after}`.includes(value) && value.trim() !== "");
      const redact = of({ [name]: value });
      for (const written of [value, encodeURIComponent(value)]) {
        expect(redact(`${before}${written}${after}`)).not.toContain(written);
      }
      const line = redact(JSON.stringify({ text: `${before}${value}${after}` }));
      expect(line).not.toContain(JSON.stringify(value).slice(1, -1));
    }),
    // A secret that looks like an encoding of another has been found with more of it in the open.
    { numRuns: 200, examples: [["DATABASE_URL", `%00${"\0".repeat(6)}`, "", ""]] },
  );
});

test("an address hides its password and its token also where they stand alone", () => {
  const redact = of({
    DATABASE_URL: "postgres://trader:p%40ssword@db/penstock",
    DISCORD_WEBHOOK: "https://discord.com/api/webhooks/123456/AbC-token_of_it",
  });
  expect(redact("cannot log in with p@ssword or p%40ssword")).toBe(`cannot log in with ${HIDDEN} or ${HIDDEN}`);
  expect(redact("POST /webhooks/123456/AbC-token_of_it failed")).toBe(`POST /webhooks/123456/${HIDDEN} failed`);
});

test("a key hides each of its lines, and not its heading", () => {
  const heading = "-----BEGIN PRIVATE KEY-----";
  const line = "MC4CAQAwBQYDK2VwBCIEIHushHushHushHush";
  const redact = of({ BINANCE_API_SECRET: `${heading}\n${line}\n-----END PRIVATE KEY-----` });
  expect(redact(`cannot read ${line} below ${heading}`)).toBe(`cannot read ${HIDDEN} below ${heading}`);
});

test("without secrets a text stays what it is", () => {
  expect(of({})("anything (secret)")).toBe("anything (secret)");
});

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BINANCE_ERRORS, errorName, failureOf } from "../../../src/exchange/binance/errors.ts";
import { CONSEQUENCES } from "../../../src/exchange/binance/gateway.ts";
import { errorIn } from "../../../src/exchange/binance/reply.ts";
import { testRecorded } from "../../recorded.ts";

const meaning = (status: number, code: number, message = "") => {
  const failure = failureOf({ status, code, message });
  return failure.kind === "refused" ? failure.consequence : failure.kind;
};

describe("what may have happened is unknown, whatever the code says", () => {
  test.each([
    [503, -1007],
    [503, 0],
    [503, -1008],
    [503, -1001],
    [500, -2019],
    [502, 0],
    [408, 0],
    [400, -1000],
    [400, -1006],
    [302, 0],
    [0, 0],
  ])("status %d, code %d", (status, code) => {
    expect(meaning(status, code)).toBe("unknown");
  });
});

test("what certainly did not happen is refused, with what follows from it", () => {
  const table: [number, number, string][] = [
    [400, -1021, "clock"],
    [429, -1003, "rate"],
    [418, -1003, "rate"],
    [403, 0, "rate"],
    [451, 0, "fatal"],
    [401, -2015, "fatal"],
    [400, -1022, "fatal"],
    [503, -1016, "busy"],
    [400, -2011, "not-found"],
    [400, -2013, "not-found"],
    [400, -2019, "margin"],
    [400, -2021, "would-trigger"],
    [400, -2022, "reduce-only"],
    [400, -4118, "reduce-only"],
    [400, -4116, "duplicate"],
    [400, -4130, "stop-exists"],
    [400, -4117, "triggering"],
    [400, -4046, "unchanged"],
    [400, -4131, "price"],
    [400, -5022, "price"],
    [400, -2023, "reduce-only-account"],
    [400, -4141, "symbol-closed"],
    [400, -4061, "mode"],
    [400, -4120, "mode"],
    [400, -4045, "rate"],
    [400, -1111, "invalid"],
    [400, -9999, "invalid"],
  ];
  for (const [status, code, expected] of table) expect(`${code} ${meaning(status, code)}`).toBe(`${code} ${expected}`);
});

test("a refusal without a code is known by its status; names are shown with codes", () => {
  expect(failureOf({ status: 403, code: 0, message: "" })).toMatchObject({ kind: "refused", code: -403 });
  expect(errorName(-2019)).toBe("MARGIN_NOT_SUFFICIENT (-2019)");
  expect(errorName(-1)).toBe("code -1");
  expect(errorIn({ code: "200", msg: "success" })).toEqual({ code: 200, message: "success" });
  for (const odd of [undefined, null, "<html>", { code: "x" }, { msg: 5 }])
    expect(errorIn(odd)).toEqual({ code: 0, message: "" });
});

test("every code has a consequence that exists", () => {
  for (const [code, { name, consequence }] of BINANCE_ERRORS) {
    expect(code).toBeLessThan(0);
    expect(name).toMatch(/^[A-Z][A-Z_]+$/);
    expect(CONSEQUENCES).toContain(consequence);
  }
});

testRecorded(
  "every error body of the collection is either unknown by right or known by name",
  "../payloads-documented/errors/errors.json",
  (file) => {
    const errors: { http: number; body: { code?: number } }[] = JSON.parse(readFileSync(file, "utf8"));
    expect(errors.length).toBeGreaterThan(50);
    for (const { http, body } of errors) {
      const failure = failureOf({ status: http, ...errorIn(body) });
      const isKnown =
        failure.kind === "unknown" || http === 451 || BINANCE_ERRORS.has(body.code ?? 0) || body.code === -1125;
      expect([body, isKnown]).toEqual([body, true]);
    }
  },
);

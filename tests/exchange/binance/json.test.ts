import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseLossless } from "../../../src/exchange/binance/json.ts";

test("ids of nineteen digits stay exact, everything else is as JSON.parse gives it", () => {
  const text =
    '{"orderId":8389766145050669870,"algoId":2000000547321628,"p":"8389766145050669870","f":1.2345678901234567e1}';
  expect(parseLossless(text)).toEqual({
    orderId: "8389766145050669870",
    algoId: 2000000547321628,
    p: "8389766145050669870",
    f: 12.345678901234567,
  });
  expect(parseLossless('["\\"8389766145050669870",-8389766145050669870]')).toEqual([
    '"8389766145050669870',
    "-8389766145050669870",
  ]);
  expect(() => parseLossless('{"a":8389766145050669870')).toThrow(SyntaxError);
});

test("any JSON comes through unchanged, and any whole number exactly", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), (value, integer) => {
      const isSafe = Number.isSafeInteger(Number(integer));
      // JSON has no negative zero in common with JavaScript's printing of it.
      const plain: unknown = JSON.parse(JSON.stringify(value), (_, one) =>
        typeof one === "number" && !Number.isSafeInteger(one) && Number.isInteger(one) ? 0 : one,
      );
      const text = `{"value":${JSON.stringify(plain)},"id":${integer}}`;
      expect(parseLossless(text)).toEqual({ value: plain, id: isSafe ? Number(integer) : String(integer) });
    }),
  );
});

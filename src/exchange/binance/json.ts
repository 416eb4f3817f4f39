/**
 * Parses JSON without losing digits: a whole number beyond 2^53, as order ids are on some symbols, becomes a string of
 * exactly its digits. Everything else is as `JSON.parse` gives it.
 *
 * @throws SyntaxError
 */
export function parseLossless(text: string): unknown {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text);
  return JSON.parse(
    text.replace(STRING_OR_NUMBER, (token) =>
      LONG_INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
    ),
  );
}

/** 2^53 has sixteen digits, so shorter numbers are safe. */
const MANY_DIGITS = /\d{16}/;
/** Strings are matched as a whole, so that digits inside of them are not taken for numbers. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const LONG_INTEGER = /^-?\d{16,}$/;

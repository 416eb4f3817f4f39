import type { TSchema } from "elysia";
import { Failure } from "./schemas.ts";

/** An answer in JSON for the OpenAPI document. */
export function said(schema: TSchema, description = "as described") {
  return { description, content: { "application/json": { schema } } };
}

const REFUSED: Readonly<Record<number, string>> = {
  400: "what was sent cannot be read",
  401: "a token is needed, or the token is wrong",
  403: "this needs the operator's token, or another page has sent it",
  404: "there is no such thing",
  409: "this may not be done; the sentence says why",
  422: "what was sent is not as described",
  429: "too many requests or wrong tokens: wait for Retry-After seconds",
  503: "not now: there is nothing to answer from yet, or too many listen",
  504: "the trading loop did not answer in time; it may still do what was asked",
};

/** The answers of a route: a good one, the refusals that any may give, and its own. */
export function answering(schema: TSchema, ...refusals: readonly number[]) {
  return { 200: said(schema), ...refusing(...refusals) };
}

/** The refusals that any route may give, and its own. */
export function refusing(...refusals: readonly number[]) {
  const all = [400, 401, 403, 422, 429, ...refusals];
  return Object.fromEntries(all.map((status) => [status, said(Failure, REFUSED[status])]));
}

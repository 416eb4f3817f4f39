/** Whatever can stand in a JSON text; identifiers of 64 bits as `WideInteger`, which no number of ours could hold. */
export type Json =
  | string
  | number
  | boolean
  | null
  | WideInteger
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export interface WideInteger {
  readonly rawJSON: string;
}

const raw = (JSON as unknown as { rawJSON(text: string): WideInteger }).rawJSON;

/** A whole number of any length that is written as a JSON number. */
export function wideInteger(digits: string | bigint): WideInteger {
  return raw(String(digits));
}

/** A request as it came over HTTP, before anything of it was believed. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  /** Without the question mark, still encoded: the signature is over these very bytes. */
  readonly query: string;
  readonly body: string;
  readonly apiKey: string | undefined;
  readonly ip: string;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A refusal in the exchange's words. */
export class WireError extends Error {
  readonly code: number;
  readonly status: number;

  constructor(code: number, message: string, status = STATUS[code] ?? 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** HTTP status of the codes that do not come with 400. */
const STATUS: Readonly<Record<number, number>> = {
  [-1001]: 503,
  [-1003]: 429,
  [-1007]: 503,
  [-1008]: 503,
  [-1015]: 429,
  [-1016]: 503,
  [-2014]: 401,
  [-2015]: 401,
};

/** What the exchange says to the refusals of the model, by code. */
const MESSAGES: Readonly<Record<number, string>> = {
  [-1121]: "Invalid symbol.",
  [-2007]: "Invalid callBack rate",
  [-2011]: "Unknown order sent.",
  [-2013]: "Order does not exist.",
  [-2019]: "Margin is insufficient.",
  [-2021]: "Order would immediately trigger.",
  [-2022]: "ReduceOnly Order is rejected.",
  [-2025]: "Reach max open order limit.",
  [-2027]: "Exceeded the maximum allowable position at current leverage.",
  [-4001]: "Price less than 0.",
  [-4002]: "Price greater than max price.",
  [-4003]: "Quantity less than or equal to zero.",
  [-4004]: "Quantity less than min quantity.",
  [-4005]: "Quantity greater than max quantity.",
  [-4006]: "Stop price less than zero.",
  [-4013]: "Price less than min price.",
  [-4016]: "Limit price can't be higher than the mark price allows.",
  [-4024]: "Limit price can't be lower than the mark price allows.",
  [-4028]: "Leverage is not valid",
  [-4045]: "Reach max stop order limit.",
  [-4061]: "Order's position side does not match user's setting.",
  [-4116]: "ClientOrderId is duplicated.",
  [-4130]: "An open stop or take profit order with GTE and closePosition in the direction is existing.",
  [-4136]: "Target strategy invalid for orderType, closePosition",
  [-4137]: "Quantity must be zero with closePosition equals true",
  [-4141]: "Symbol is closed",
  [-5021]: "Due to the order could not be filled immediately, the FOK order has been rejected.",
  [-5022]: "Due to the order could not be executed as maker, the Post Only order will be rejected.",
  [-5025]: "Only limit order is supported.",
  [-5027]: "No need to modify the order.",
};

/** The exchange's words for a code of the model; the model's own where it has none. */
export function messageOf(code: number, reason: string): string {
  if (code === -4164) return "Order's notional must be no smaller than 5 (unless you choose reduce only).";
  return MESSAGES[code] ?? reason;
}

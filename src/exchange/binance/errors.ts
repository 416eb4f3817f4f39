import type { Consequence, Outcome } from "./gateway.ts";

/**
 * Binance's error codes and what each one means for us. The consequence is part of the table, so that it is decided
 * once and not again at every place that sees a code.
 *
 * Sources: the venue's error documentation and ccxt's `exceptions.linear`; a code that may have been executed has no consequence: its
 * outcome is unknown.
 */

interface KnownError {
  readonly name: string;
  readonly consequence: Consequence;
}

const known = (consequence: Consequence, errors: Readonly<Record<number, string>>): [number, KnownError][] =>
  Object.entries(errors).map(([code, name]) => [Number(code), { name, consequence }]);

/** Every code that is handled by name. A code that is absent here is `invalid` when it comes with a 4xx status. */
export const BINANCE_ERRORS: ReadonlyMap<number, KnownError> = new Map([
  ...known("busy", { [-1004]: "SERVER_BUSY_RETRY", [-1016]: "SERVICE_SHUTTING_DOWN" }),
  ...known("rate", { [-1003]: "TOO_MANY_REQUESTS", [-1015]: "TOO_MANY_ORDERS", [-1034]: "TOO_MANY_CONNECTIONS" }),
  ...known("clock", { [-1021]: "INVALID_TIMESTAMP", [-5028]: "ME_RECV_WINDOW" }),
  ...known("duplicate", { [-4116]: "DUPLICATED_CLIENT_ORDER_ID" }),
  ...known("not-found", { [-2011]: "CANCEL_REJECTED", [-2013]: "NO_SUCH_ORDER" }),
  ...known("unchanged", {
    [-4046]: "NO_NEED_TO_CHANGE_MARGIN_TYPE",
    [-4059]: "NO_NEED_TO_CHANGE_POSITION_SIDE",
    [-4171]: "NO_NEED_TO_CHANGE_MULTI_ASSETS_MODE",
    [-5027]: "NO_NEED_TO_MODIFY",
    // Since 2026-05 also said where nothing would have changed.
    [-4067]: "POSITION_SIDE_CHANGE_EXISTS_OPEN_ORDERS",
  }),
  ...known("invalid", {
    [-1100]: "ILLEGAL_CHARS",
    [-1101]: "TOO_MANY_PARAMETERS",
    [-1102]: "MANDATORY_PARAM_EMPTY_OR_MALFORMED",
    [-1103]: "UNKNOWN_PARAM",
    [-1104]: "UNREAD_PARAMETERS",
    [-1105]: "PARAM_EMPTY",
    [-1106]: "PARAM_NOT_REQUIRED",
    [-1111]: "BAD_PRECISION",
    [-1115]: "INVALID_TIF",
    [-1116]: "INVALID_ORDER_TYPE",
    [-1117]: "INVALID_SIDE",
    [-1121]: "BAD_SYMBOL",
    [-1128]: "OPTIONAL_PARAMS_BAD_COMBO",
    [-1130]: "INVALID_PARAMETER",
    [-1131]: "BAD_RECV_WINDOW",
    [-2010]: "NEW_ORDER_REJECTED",
    [-4001]: "PRICE_LESS_THAN_ZERO",
    [-4002]: "PRICE_GREATER_THAN_MAX_PRICE",
    [-4003]: "QTY_LESS_THAN_ZERO",
    [-4004]: "QTY_LESS_THAN_MIN_QTY",
    [-4005]: "QTY_GREATER_THAN_MAX_QTY",
    [-4013]: "PRICE_LESS_THAN_MIN_PRICE",
    [-4014]: "PRICE_NOT_INCREASED_BY_TICK_SIZE",
    [-4015]: "INVALID_CL_ORD_ID_LEN",
    [-4023]: "QTY_NOT_INCREASED_BY_STEP_SIZE",
    [-4028]: "INVALID_LEVERAGE",
    [-4164]: "MIN_NOTIONAL",
    [-5024]: "MODIFY_NOT_ALLOWED",
    [-5025]: "MODIFY_LIMIT_ONLY",
    [-5026]: "MODIFY_TOO_OFTEN",
  }),
  ...known("margin", {
    [-2018]: "BALANCE_NOT_SUFFICIENT",
    [-2019]: "MARGIN_NOT_SUFFICIENT",
    [-2027]: "MAX_LEVERAGE_RATIO",
    [-2028]: "MIN_LEVERAGE_RATIO",
    [-4050]: "CROSS_BALANCE_INSUFFICIENT",
    [-4051]: "ISOLATED_BALANCE_INSUFFICIENT",
  }),
  ...known("price", { [-2020]: "UNABLE_TO_FILL", [-5021]: "FOK_ORDER_REJECT", [-5022]: "GTX_ORDER_REJECT" }),
  ...known("stop-exists", { [-4130]: "CLOSE_POSITION_ORDER_EXISTS" }),
  ...known("triggering", { [-4117]: "STOP_ORDER_TRIGGERING" }),
  ...known("would-trigger", { [-2021]: "ORDER_WOULD_IMMEDIATELY_TRIGGER", [-4142]: "STOP_TRIGGERS_AT_ONCE" }),
  ...known("reduce-only", {
    [-2022]: "REDUCE_ONLY_REJECT",
    [-2024]: "POSITION_NOT_SUFFICIENT",
    [-2026]: "REDUCE_ONLY_ORDER_TYPE_NOT_SUPPORTED",
    [-4118]: "REDUCE_ONLY_MARGIN_CHECK_FAILED",
  }),
  ...known("price", {
    [-4016]: "PRICE_HIGHER_THAN_MULTIPLIER_UP",
    [-4024]: "PRICE_LOWER_THAN_MULTIPLIER_DOWN",
    [-4131]: "MARKET_ORDER_REJECT_PERCENT_PRICE",
    [-4183]: "PRICE_HIGHER_THAN_STOP_MULTIPLIER_UP",
    [-4184]: "PRICE_LOWER_THAN_STOP_MULTIPLIER_DOWN",
    [-4210]: "PRICE_HIGHER_THAN_CAP",
    [-4211]: "PRICE_LOWER_THAN_FLOOR",
    [-5041]: "NO_DEPTH_MSG",
  }),
  ...known("rate", { [-2025]: "MAX_OPEN_ORDER_EXCEEDED", [-4045]: "REACH_MAX_STOP_ORDER_LIMIT" }),
  ...known("reduce-only-account", {
    [-2023]: "USER_IN_LIQUIDATION",
    [-4087]: "REDUCE_ONLY_PERMISSION",
    [-4088]: "NO_PLACE_ORDER_PERMISSION",
    [-4192]: "COOLING_OFF_PERIOD",
    [-4400]: "TRADING_QUANTITATIVE_RULE",
    [-4401]: "LARGE_POSITION_SYMBOL_RULE",
  }),
  ...known("symbol-closed", {
    [-4108]: "SYMBOL_NOT_TRADING",
    [-4140]: "INVALID_SYMBOL_STATUS",
    [-4141]: "SYMBOL_ALREADY_CLOSED",
  }),
  ...known("mode", {
    [-4061]: "POSITION_SIDE_NOT_MATCH",
    [-4068]: "POSITION_SIDE_CHANGE_EXISTS_POSITION",
    [-4120]: "STOP_ORDER_SWITCH_ALGO",
    [-4161]: "ISOLATED_LEVERAGE_REJECT_WITH_POSITION",
    [-4531]: "DUAL_SIDE_REJECT",
  }),
  ...known("fatal", {
    [-1002]: "UNAUTHORIZED",
    [-1022]: "INVALID_SIGNATURE",
    [-2014]: "BAD_API_KEY_FMT",
    [-2015]: "REJECTED_MBX_KEY",
    [-2017]: "API_KEYS_LOCKED",
    [-4056]: "INVALID_API_KEY_TYPE",
  }),
]);

/** Codes that say nothing about whether the request was carried out. */
const MAY_HAVE_HAPPENED: ReadonlyMap<number, string> = new Map([
  [-1000, "UNKNOWN"],
  [-1001, "DISCONNECTED"],
  [-1006, "UNEXPECTED_RESPONSE"],
  [-1007, "TIMEOUT"],
  // Documented as "failed", and yet orders that met it have been found to exist.
  [-1008, "SERVER_BUSY"],
]);

/** The listen key is gone; the user stream gets another one. */
export const LISTEN_KEY_GONE = -1125;

/** An answer of the exchange that is not a success, whichever way it came. */
export interface ErrorAnswer {
  /** HTTP status, or the `status` of a WebSocket API response. */
  readonly status: number;
  /** The code in the body; 0 where the body has none. */
  readonly code: number;
  readonly message: string;
}

/**
 * What an answer means that is not a success. The status comes first where it says more than the code: what a 5xx or a
 * 408 answers may have been carried out, whatever its words; what a 403, 418 or 429 answers was not.
 */
export function failureOf({ status, code, message }: ErrorAnswer): Exclude<Outcome<never>, { kind: "done" }> {
  const refused = (consequence: Consequence) =>
    ({ kind: "refused", code: code === 0 ? -status : code, message, consequence }) as const;
  if (status === 451) return refused("fatal");
  if (status === 403 || status === 418 || status === 429) return refused("rate");
  const entry = BINANCE_ERRORS.get(code);
  // A service that is shutting down says so before it takes the request.
  if (entry?.consequence === "busy") return refused("busy");
  const unsure = status === 408 || status >= 500 || MAY_HAVE_HAPPENED.has(code);
  if (unsure || status < 400) {
    return { kind: "unknown", reason: `status ${status}, ${errorName(code)}${message === "" ? "" : `: ${message}`}` };
  }
  return refused(entry?.consequence ?? "invalid");
}

/** The field's name of a code, for people: "MARGIN_NOT_SUFFICIENT (-2019)". */
export function errorName(code: number): string {
  const name = BINANCE_ERRORS.get(code)?.name ?? MAY_HAVE_HAPPENED.get(code);
  return name === undefined ? `code ${code}` : `${name} (${code})`;
}

/**
 * The seam between what we want of Binance and how it is asked: the order logic speaks through it, the transport
 * (sender, REST, user stream, rate budget, breaker) is behind it, and so is the simulated exchange of the tests.
 *
 * Every call resolves and never rejects: what cannot be known is an `unknown` outcome, and a bug is a crash.
 * Prices, quantities and money are decimal strings as on the wire. Ids of the exchange are strings: they exceed 2^53.
 * Times are the exchange's, ms since the epoch.
 */
export interface Gateway {
  placeOrder(order: NewOrder, urgency: Urgency): Promise<Placement<OrderReport>>;
  /** Limit orders only: `quantity` counts what is filled already. */
  amendOrder(order: OrderAmendment, urgency: Urgency): Promise<Outcome<OrderReport>>;
  cancelOrder(key: OrderKey, urgency: Urgency): Promise<Outcome<OrderReport>>;
  placeAlgoOrder(order: NewAlgoOrder, urgency: Urgency): Promise<Placement<AlgoReport>>;
  /** Done means that the exchange has taken the request; the end of the order is told by its event or a query. */
  cancelAlgoOrder(key: OrderKey, urgency: Urgency): Promise<Outcome<null>>;

  /** By our id, or by the exchange's where the order was born of a conditional one. */
  queryOrder(key: OrderKey | BornOrderKey, urgency: Urgency): Promise<Outcome<OrderReport>>;
  queryAlgoOrder(key: OrderKey, urgency: Urgency): Promise<Outcome<AlgoReport>>;
  /** Of one symbol, or of all (weight 40). */
  openOrders(symbol: string | undefined, urgency: Urgency): Promise<Outcome<readonly OrderReport[]>>;
  openAlgoOrders(symbol: string | undefined, urgency: Urgency): Promise<Outcome<readonly AlgoReport[]>>;
  /** Legs that hold something or have orders; absent ones are flat. */
  positions(urgency: Urgency): Promise<Outcome<readonly PositionReport[]>>;
  balances(urgency: Urgency): Promise<Outcome<readonly BalanceReport[]>>;
  /** Our trades of a symbol, oldest first, all pages: from a trade id (inclusive) or from a time. */
  userTrades(symbol: string, from: TradesFrom, urgency: Urgency): Promise<Outcome<readonly TradeReport[]>>;
  /** What was paid or got since a time, oldest first, all pages. Heavy (weight 30): not to be polled. */
  income(from: number, urgency: Urgency): Promise<Outcome<readonly IncomeReport[]>>;

  /** Done as well when nothing had to be changed. */
  setLeverage(symbol: string, leverage: number, urgency: Urgency): Promise<Outcome<null>>;
  setMarginType(symbol: string, marginType: MarginType, urgency: Urgency): Promise<Outcome<null>>;
  symbolConfig(urgency: Urgency): Promise<Outcome<readonly SymbolConfig[]>>;
  positionMode(urgency: Urgency): Promise<Outcome<PositionMode>>;
  exchangeInfo(urgency: Urgency): Promise<Outcome<ExchangeInfo>>;
  leverageBrackets(urgency: Urgency): Promise<Outcome<readonly SymbolBrackets[]>>;

  /** Events of the account; set once, before `open`. */
  listen(listener: (event: UserEvent) => void): void;
  readonly breakerLevel: "closed" | "warning" | "throttled" | "blocked";
  /** Changes of the breaker's level and of the budget that concern orders. */
  onBreaker(listener: (level: "closed" | "warning" | "throttled" | "blocked") => void): void;
  /** Clock, connections, user stream. Resolves once the user stream is up; rejects only with an InputError. */
  open(): Promise<void>;
  close(): void;
}

/**
 * What became of a request.
 *
 * - `done`: the exchange has carried it out.
 * - `refused`: the exchange has said no, and nothing was carried out.
 * - `unknown`: nobody knows. It may have been carried out: ask, and never send it again under another id.
 * - `withheld`: it has not left this process (budget, breaker, ban); it may be made again from `retryAt` on, ms.
 */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | {
      readonly kind: "refused";
      /** The exchange's error code, or the negated HTTP status where there is none. */
      readonly code: number;
      readonly message: string;
      readonly consequence: Consequence;
    }
  | { readonly kind: "unknown"; readonly reason: string }
  | { readonly kind: "withheld"; readonly reason: string; readonly retryAt: number };

/**
 * What became of a request to place an order. Where that is not known for sure, `takenUntil` says until when, by its own
 * clock, the exchange may still take it (absence.ts).
 */
export type Placement<T> = Outcome<T> & { readonly takenUntil?: number };

/** What a refusal means for us; the table from codes to these is in errors.ts. */
export const CONSEQUENCES = [
  /** The request was wrong as it stands (filters, precision, parameters): the same will be refused again. */
  "invalid",
  /** Out of the allowed price band, no liquidity, "post only" or "fill or kill" not possible: prices may change. */
  "price",
  /** Not enough margin, position or notional limits: this entry is not possible now. */
  "margin",
  /** −2021: the trigger has been reached already. */
  "would-trigger",
  /** −2022, −4118 and the like: there is nothing (left) to reduce, or something blocks it. Look at the position. */
  "reduce-only",
  /** −2011, −2013: not known there (any more, or yet). Absence is no proof: ask before concluding. */
  "not-found",
  /** −4116: our client id is there already, so our own order is: query it. */
  "duplicate",
  /** −4130: an open close-position stop of that direction exists. */
  "stop-exists",
  /** −4117 and the like: it is triggering at this moment and can be neither changed nor cancelled. */
  "triggering",
  /** −5027: an amendment that changes nothing; −4046, −4059, −4067: a setting that is so already. Verify. */
  "unchanged",
  /** Too many requests, orders or conditional orders; refused without execution. */
  "rate",
  /** The clock: measured anew by the transport before this is reported. */
  "clock",
  /** Overloaded or in maintenance, and surely not executed: may be tried again. */
  "busy",
  /** The account may only reduce (liquidation, cooling-off, reduce-only accounts): entries stop, exits go on. */
  "reduce-only-account",
  /** The symbol is not trading (any more). */
  "symbol-closed",
  /** Position mode or margin mode is not what we take it for. */
  "mode",
  /** Key, signature, permissions, region: nothing will ever work until a human acts. */
  "fatal",
] as const;
export type Consequence = (typeof CONSEQUENCES)[number];

/**
 * How much a request matters. `protect` (exits, stops, cancellations and what resolves them) is never blocked by the
 * breaker and may use the reserved share of the budget; `trade` is entries; `routine` waits for anything else.
 */
export type Urgency = "protect" | "trade" | "routine";

export type WireSide = "BUY" | "SELL";
export type PositionSide = "BOTH" | "LONG" | "SHORT";
export type PositionMode = "one-way" | "hedge";
export type MarginType = "ISOLATED" | "CROSSED";
export type WireTimeInForce = "GTC" | "IOC" | "FOK" | "GTX" | "GTD";

/** An order of ours, named by our own id. */
export interface OrderKey {
  readonly symbol: string;
  readonly clientId: string;
}

/** The regular order that a conditional order of ours has become: it need not carry our id. */
export interface BornOrderKey {
  readonly symbol: string;
  readonly orderId: string;
}

export interface NewOrder extends OrderKey {
  readonly side: WireSide;
  /** Sent in hedge mode only; absent in one-way mode. */
  readonly positionSide?: PositionSide;
  readonly type: "LIMIT" | "MARKET";
  readonly quantity: string;
  /** Limit orders only. */
  readonly price?: string;
  readonly timeInForce?: WireTimeInForce;
  /** Absent in hedge mode, where the exchange refuses it. */
  readonly reduceOnly?: boolean;
}

export interface OrderAmendment extends OrderKey {
  readonly side: WireSide;
  readonly quantity: string;
  readonly price: string;
}

export type AlgoType = "STOP_MARKET" | "TAKE_PROFIT_MARKET" | "STOP" | "TAKE_PROFIT" | "TRAILING_STOP_MARKET";
export type WireWorkingType = "CONTRACT_PRICE" | "MARK_PRICE";

/** A conditional order (`algoType` CONDITIONAL). `clientId` is sent as clientAlgoId. */
export interface NewAlgoOrder extends OrderKey {
  readonly side: WireSide;
  readonly positionSide?: PositionSide;
  readonly type: AlgoType;
  /** Absent with closePosition. */
  readonly quantity?: string;
  /** Limit price of STOP and TAKE_PROFIT. */
  readonly price?: string;
  readonly triggerPrice?: string;
  readonly workingType: WireWorkingType;
  readonly timeInForce?: WireTimeInForce;
  readonly closePosition?: boolean;
  /** Never together with closePosition, and absent in hedge mode. */
  readonly reduceOnly?: boolean;
  /** Of a trailing stop: percent ("0.1" to "20") and the price that activates it. */
  readonly callbackRate?: string;
  readonly activatePrice?: string;
}

export type OrderStatus =
  | "NEW"
  | "PARTIALLY_FILLED"
  | "FILLED"
  | "CANCELED"
  | "EXPIRED"
  | "EXPIRED_IN_MATCH"
  | "REJECTED"
  | "NEW_INSURANCE"
  | "NEW_ADL";

export type AlgoStatus = "NEW" | "TRIGGERING" | "TRIGGERED" | "FINISHED" | "CANCELED" | "REJECTED" | "EXPIRED";

/** A regular order as a response shows it. What was paid is not in it: fills come from events and trades only. */
export interface OrderReport extends OrderKey {
  readonly orderId: string;
  readonly status: OrderStatus;
  readonly side: WireSide;
  readonly positionSide: PositionSide;
  /** As it is called now, and as it was called when it was placed (STOP_MARKET for a triggered stop). */
  readonly type: string;
  readonly originalType: string;
  readonly quantity: string;
  readonly executed: string;
  readonly price: string;
  readonly reduceOnly: boolean;
  readonly closePosition: boolean;
  readonly updateTime: number;
}

export interface AlgoReport extends OrderKey {
  readonly algoId: string;
  readonly status: AlgoStatus;
  readonly side: WireSide;
  readonly positionSide: PositionSide;
  readonly type: string;
  readonly quantity: string;
  readonly triggerPrice: string;
  readonly reduceOnly: boolean;
  readonly closePosition: boolean;
  /** The regular order that it became; empty before. */
  readonly actualOrderId: string;
  /** Why it was refused, where the exchange says so. */
  readonly reason: string;
  readonly updateTime: number;
}

/** One leg; the amount is signed (negative is short), as on the wire. */
export interface PositionReport {
  readonly symbol: string;
  readonly positionSide: PositionSide;
  readonly amount: string;
  readonly entryPrice: string;
  readonly markPrice: string;
  readonly isolated: boolean;
  readonly updateTime: number;
}

export interface BalanceReport {
  readonly asset: string;
  readonly wallet: string;
  readonly available: string;
}

export type TradesFrom = { readonly id: string } | { readonly time: number };

export interface TradeReport {
  readonly symbol: string;
  readonly tradeId: string;
  readonly orderId: string;
  readonly side: WireSide;
  readonly positionSide: PositionSide;
  readonly price: string;
  readonly quantity: string;
  readonly commission: string;
  readonly commissionAsset: string;
  readonly realised: string;
  readonly maker: boolean;
  readonly time: number;
}

export interface IncomeReport {
  readonly symbol: string;
  /** FUNDING_FEE, COMMISSION, REALIZED_PNL, TRANSFER, INSURANCE_CLEAR … */
  readonly type: string;
  readonly amount: string;
  readonly asset: string;
  readonly time: number;
  readonly transactionId: string;
}

export interface SymbolConfig {
  readonly symbol: string;
  readonly marginType: MarginType;
  readonly leverage: number;
}

/** What an API key may do. */
export interface KeyPermissions {
  readonly futures: boolean;
  readonly withdrawals: boolean;
  /** Moves money to other wallets of the account, or to other accounts at the exchange. */
  readonly transfers: boolean;
  /** Whether only listed addresses may use it. */
  readonly restrictedToAddresses: boolean;
}

export interface ExchangeInfo {
  readonly symbols: readonly SymbolInfo[];
  readonly serverTime: number;
}

/** A contract with the filters that orders must pass; decimal strings. */
export interface SymbolInfo {
  readonly symbol: string;
  /** TRADING, PENDING_TRADING, SETTLING, CLOSE … */
  readonly status: string;
  readonly contractType: string;
  readonly quoteAsset: string;
  readonly marginAsset: string;
  readonly onboardDate: number;
  readonly deliveryDate: number;
  readonly tickSize: string;
  readonly minPrice: string;
  readonly maxPrice: string;
  readonly stepSize: string;
  readonly minQuantity: string;
  readonly maxQuantity: string;
  readonly marketStepSize: string;
  readonly marketMinQuantity: string;
  readonly marketMaxQuantity: string;
  readonly minNotional: string;
}

export interface SymbolBrackets {
  readonly symbol: string;
  /** By rising cap. */
  readonly brackets: readonly {
    readonly maxLeverage: number;
    readonly notionalCap: number;
    readonly maintenance: number;
  }[];
}

/** What happened to the account, as the user stream tells it. Unordered across kinds; anything may come twice. */
export type UserEvent = OrderTradeUpdate | AlgoUpdate | AccountUpdate | LeverageUpdate | ListenKeyExpired | StreamState;

/** ORDER_TRADE_UPDATE. Also of orders that are not ours: liquidation, deleveraging, settlement, other programs. */
export interface OrderTradeUpdate {
  readonly kind: "order";
  /** E and T. */
  readonly time: number;
  readonly transactionTime: number;
  readonly symbol: string;
  /** c; `autoclose-…` liquidation, `adl_autoclose` deleveraging, `settlement_autoclose-…` delisting. */
  readonly clientId: string;
  readonly orderId: string;
  readonly side: WireSide;
  readonly positionSide: PositionSide;
  /** o and ot. */
  readonly type: string;
  readonly originalType: string;
  /** x: NEW, TRADE, CANCELED, EXPIRED, CALCULATED, AMENDMENT, REJECTED … */
  readonly execution: string;
  /** X */
  readonly status: OrderStatus;
  /** q, p, z, l, L */
  readonly quantity: string;
  readonly price: string;
  readonly executed: string;
  readonly lastQuantity: string;
  readonly lastPrice: string;
  /** n and N; "0" and "" where there is none. */
  readonly commission: string;
  readonly commissionAsset: string;
  /** t; "0" where nothing was traded. */
  readonly tradeId: string;
  readonly maker: boolean;
  readonly reduceOnly: boolean;
  readonly closePosition: boolean;
  /** rp */
  readonly realised: string;
  /** er: why it expired; 0 where it has not. */
  readonly expiryReason: number;
  /** si: id of the conditional order it was born of; "0" for others. */
  readonly strategyId: string;
}

/** ALGO_UPDATE. */
export interface AlgoUpdate {
  readonly kind: "algo";
  readonly time: number;
  readonly transactionTime: number;
  readonly symbol: string;
  readonly clientId: string;
  readonly algoId: string;
  readonly side: WireSide;
  readonly positionSide: PositionSide;
  readonly type: string;
  readonly status: AlgoStatus;
  readonly quantity: string;
  readonly triggerPrice: string;
  readonly reduceOnly: boolean;
  readonly closePosition: boolean;
  readonly actualOrderId: string;
  /** rm */
  readonly reason: string;
}

/** ACCOUNT_UPDATE. */
export interface AccountUpdate {
  readonly kind: "account";
  readonly time: number;
  readonly transactionTime: number;
  /** m: ORDER, FUNDING_FEE, DEPOSIT, WITHDRAW, ADJUSTMENT, INSURANCE_CLEAR, ADMIN_DEPOSIT … */
  readonly cause: string;
  readonly balances: readonly {
    readonly asset: string;
    readonly wallet: string;
    /** bc: change that is neither profit nor commission. */
    readonly change: string;
  }[];
  readonly positions: readonly {
    readonly symbol: string;
    readonly positionSide: PositionSide;
    readonly amount: string;
    readonly entryPrice: string;
    readonly isolated: boolean;
  }[];
}

/** ACCOUNT_CONFIG_UPDATE with `ac`: the leverage of a symbol was set, by whomever. */
export interface LeverageUpdate {
  readonly kind: "leverage";
  readonly time: number;
  readonly symbol: string;
  readonly leverage: number;
}

/** The transport gets a new key and connects by itself; it is told because a reconciliation must follow. */
export interface ListenKeyExpired {
  readonly kind: "listen-key-expired";
  readonly time: number;
}

/** The user stream came up or went down. While it was down anything may have happened. */
export interface StreamState {
  readonly kind: "stream";
  readonly time: number;
  readonly up: boolean;
}

/** What the market streams say, decoded. Times are the exchange's, ms; `symbol` is an index as everywhere. */
export type MarketMessage = QuoteMessage | TradeMessage | MarkMessage | KlineMessage | DepthMessage;

interface Common {
  readonly symbol: number;
  /** When the exchange sent it (E). */
  readonly eventTime: number;
}

/** Best bid and ask. */
export interface QuoteMessage extends Common {
  readonly kind: "quote";
  /** When the book became so (T). */
  readonly time: number;
  /** Number of the book's change; rises. */
  readonly update: number;
  readonly bid: number;
  readonly bidQuantity: number;
  readonly ask: number;
  readonly askQuantity: number;
}

/** Trades of one taker at one price. Prints of the insurance fund and of deleveraging are no trades. */
export interface TradeMessage extends Common {
  readonly kind: "trade";
  readonly time: number;
  /** Rises by one from trade to trade of a symbol. */
  readonly id: number;
  readonly price: number;
  readonly quantity: number;
  /** The side that took liquidity. */
  readonly taker: 1 | -1;
}

export interface MarkMessage extends Common {
  readonly kind: "mark";
  readonly mark: number;
  readonly index: number;
  /** Of the funding at `nextFunding`, as it is estimated now; NaN where a contract has none. */
  readonly fundingRate: number;
  readonly nextFunding: number;
}

export interface KlineMessage extends Common {
  readonly kind: "kline";
  /** ms */
  readonly timeframe: number;
  readonly closed: boolean;
  readonly kline: Kline;
}

/** A candlestick as the exchange has it. */
export interface Kline {
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Base units, and in the quote asset. */
  readonly volume: number;
  readonly quoteVolume: number;
  readonly trades: number;
  readonly takerBuyBase: number;
  readonly takerBuyQuote: number;
}

/** Changed levels of a book. Complete where `previous` is the `last` of the message before. */
export interface DepthMessage extends Common {
  readonly kind: "depth";
  readonly time: number;
  /** U, u and pu. */
  readonly first: number;
  readonly last: number;
  readonly previous: number;
  /** Price, quantity, price, quantity …; quantity 0: the level is gone. */
  readonly bids: readonly number[];
  readonly asks: readonly number[];
}

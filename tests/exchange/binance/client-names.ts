/**
 * Recordings of 2022 went through a client that gives fields long names and turns texts into numbers. These are the
 * names on the wire.
 */
type Json = Record<string, unknown>;
type Names = Readonly<Record<string, string>>;

const ORDER: Names = {
  symbol: "s",
  clientOrderId: "c",
  orderSide: "S",
  orderType: "o",
  orderTimeInForce: "f",
  originalQuantity: "q",
  originalPrice: "p",
  averagePrice: "ap",
  stopPrice: "sp",
  executionType: "x",
  orderStatus: "X",
  orderId: "i",
  lastFilledQuantity: "l",
  orderFilledAccumulatedQuantity: "z",
  lastFilledPrice: "L",
  commissionAmount: "n",
  commissionAsset: "N",
  orderTradeTime: "T",
  tradeId: "t",
  bidsNotional: "b",
  asksNotional: "a",
  isMakerTrade: "m",
  isReduceOnly: "R",
  stopPriceWorkingType: "wt",
  originalOrderType: "ot",
  positionSide: "ps",
  isCloseAll: "cp",
  trailingStopActivationPrice: "AP",
  trailingStopCallbackRate: "cr",
  realisedProfit: "rp",
};

const BALANCE: Names = { asset: "a", walletBalance: "wb", crossWalletBalance: "cw", balanceChange: "bc" };

const POSITION: Names = {
  symbol: "s",
  positionAmount: "pa",
  entryPrice: "ep",
  accumulatedRealisedPreFee: "cr",
  unrealisedPnl: "up",
  marginType: "mt",
  isolatedWalletAmount: "iw",
  positionSide: "ps",
};

const KLINE: Names = {
  startTime: "t",
  closeTime: "T",
  symbol: "s",
  interval: "i",
  firstTradeId: "f",
  lastTradeId: "L",
  open: "o",
  close: "c",
  high: "h",
  low: "l",
  volume: "v",
  trades: "n",
  final: "x",
  quoteVolume: "q",
  volumeActive: "V",
  quoteVolumeActive: "Q",
  ignored: "B",
};

/** @throws Error for a field without a name on the wire */
function named(value: Json, names: Names): Json {
  return Object.fromEntries(
    Object.entries(value).map(([long, one]) => {
      const short = names[long];
      if (short === undefined) throw new Error(`nobody knows what ${long} is called on the wire`);
      return [short, one];
    }),
  );
}

/** A user event as it was on the wire; undefined for kinds other than those of orders and account. */
export function wireEventOf(value: Json): Json | undefined {
  if (value.eventType === "ORDER_TRADE_UPDATE") {
    const o = named(value.order as Json, ORDER);
    return { e: "ORDER_TRADE_UPDATE", E: value.eventTime, T: value.transactionTime, o };
  }
  if (value.eventType === "ACCOUNT_UPDATE") {
    const data = value.updateData as { updateEventType: string; updatedBalances: Json[]; updatedPositions: Json[] };
    const B = data.updatedBalances.map((one) => named(one, BALANCE));
    const P = data.updatedPositions.map((one) => named(one, POSITION));
    return { e: "ACCOUNT_UPDATE", E: value.eventTime, T: value.transactionId, a: { m: data.updateEventType, B, P } };
  }
  return undefined;
}

/** A kline event as it was on the wire. */
export function wireKlineOf({ eventType, eventTime, ...kline }: Json): Json {
  return { e: eventType, E: eventTime, s: kline.symbol, k: named(kline, KLINE) };
}

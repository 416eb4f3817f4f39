import { FieldReader } from "./fields.ts";
import type { AccountUpdate, AlgoUpdate, LeverageUpdate, OrderTradeUpdate, UserEvent } from "./gateway.ts";
import { ALGO_STATUSES, ORDER_STATUSES, POSITION_SIDES, SIDES } from "./reports.ts";

/**
 * An event of the user stream, raw or in the envelope of combined streams; undefined for kinds that tell us nothing
 * that these do not (TRADE_LITE, MARGIN_CALL, the multi-assets mode in ACCOUNT_CONFIG_UPDATE …).
 *
 * @throws ShapeError for an event of a kind that we need and cannot read
 */
export function userEvent(value: unknown): UserEvent | undefined {
  const outer = new FieldReader(value, "user event");
  const event = outer.has("data") ? outer.object("data") : outer;
  switch (event.textOr("e", "")) {
    case "ORDER_TRADE_UPDATE":
      return orderTradeUpdate(event);
    case "ALGO_UPDATE":
      return algoUpdate(event);
    case "ACCOUNT_UPDATE":
      return accountUpdate(event);
    case "ACCOUNT_CONFIG_UPDATE":
      return event.has("ac") ? leverageUpdate(event) : undefined;
    case "listenKeyExpired":
      return { kind: "listen-key-expired", time: event.number("E") };
    default:
      return undefined;
  }
}

function orderTradeUpdate(event: FieldReader): OrderTradeUpdate {
  const order = event.object("o");
  return {
    kind: "order",
    time: event.number("E"),
    transactionTime: event.number("T"),
    symbol: order.text("s"),
    clientId: order.text("c"),
    orderId: order.text("i"),
    side: order.oneOf("S", SIDES),
    positionSide: order.oneOf("ps", POSITION_SIDES),
    type: order.text("o"),
    originalType: order.text("ot"),
    execution: order.text("x"),
    status: order.oneOf("X", ORDER_STATUSES),
    quantity: order.text("q"),
    price: order.text("p"),
    executed: order.text("z"),
    lastQuantity: order.text("l"),
    lastPrice: order.text("L"),
    commission: order.textOr("n", "0"),
    commissionAsset: order.textOr("N", ""),
    tradeId: order.textOr("t", "0"),
    maker: order.flag("m"),
    reduceOnly: order.flag("R"),
    closePosition: order.flagOr("cp", false),
    realised: order.textOr("rp", "0"),
    expiryReason: order.numberOr("er", 0),
    strategyId: order.textOr("si", "0"),
  };
}

function algoUpdate(event: FieldReader): AlgoUpdate {
  const algo = event.object("o");
  return {
    kind: "algo",
    time: event.number("E"),
    transactionTime: event.number("T"),
    symbol: algo.text("s"),
    clientId: algo.text("caid"),
    algoId: algo.text("aid"),
    side: algo.oneOf("S", SIDES),
    positionSide: algo.oneOf("ps", POSITION_SIDES),
    type: algo.text("o"),
    status: algo.oneOf("X", ALGO_STATUSES),
    quantity: algo.textOr("q", "0"),
    triggerPrice: algo.textOr("tp", "0"),
    reduceOnly: algo.flag("R"),
    closePosition: algo.flag("cp"),
    actualOrderId: algo.textOr("ai", ""),
    reason: algo.textOr("rm", ""),
  };
}

function leverageUpdate(event: FieldReader): LeverageUpdate {
  const config = event.object("ac");
  return { kind: "leverage", time: event.number("E"), symbol: config.text("s"), leverage: config.number("l") };
}

function accountUpdate(event: FieldReader): AccountUpdate {
  const account = event.object("a");
  const list = (key: string) => (account.has(key) ? account.list(key) : []);
  return {
    kind: "account",
    time: event.number("E"),
    transactionTime: event.number("T"),
    cause: account.text("m"),
    balances: list("B").map((balance) => ({
      asset: balance.text("a"),
      wallet: balance.text("wb"),
      change: balance.textOr("bc", "0"),
    })),
    positions: list("P").map((position) => ({
      symbol: position.text("s"),
      positionSide: position.oneOf("ps", POSITION_SIDES),
      amount: position.text("pa"),
      entryPrice: position.text("ep"),
      isolated: position.text("mt") === "isolated",
    })),
  };
}

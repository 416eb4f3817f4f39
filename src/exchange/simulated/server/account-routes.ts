import type { Leg } from "../../../core/events.ts";
import { bracketOf, largestNotional, maintenanceMargin } from "../../../market/contract.ts";
import { exactNotional, magnitude } from "../account.ts";
import { ceilDivide } from "../costs.ts";
import { averageText, decimalText, moneyText, priceText, quantityText, shortDecimal } from "./decimals.ts";
import { markText } from "./market-feed.ts";
import { symbolNamed, symbolOf } from "./market-routes.ts";
import type { Call, Route } from "./routes.ts";
import { fillJson, unrealised } from "./trading.ts";
import type { Venue } from "./venue.ts";
import { type Json, WireError } from "./wire.ts";

/** Fees of a venue, as the exchange writes them. */
function rateText(rate: number): string {
  return decimalText(Math.round(rate * 1e8), 8).replace(/0{1,4}$/, "");
}

interface Held {
  readonly symbol: number;
  readonly leg: Leg;
  readonly slot: number;
  readonly lots: number;
  readonly notional: bigint;
  readonly unrealised: bigint;
  readonly initial: bigint;
  readonly maintenance: bigint;
}

/** What the account holds in a slot, at the latest marks. */
function heldIn(venue: Venue, slot: number): Held {
  const { account, instruments } = venue.exchange;
  const symbol = account.symbolOf(slot);
  const instrument = instruments[symbol]!;
  const { lots, cost } = account.positions[slot]!;
  const mark = venue.feed.mark(symbol);
  const value = exactNotional(instrument, magnitude(lots), mark);
  return {
    symbol,
    leg: account.legOf(slot),
    slot,
    lots,
    notional: lots < 0 ? -value : value,
    unrealised: unrealised(instrument, lots, cost, mark),
    initial: ceilDivide(value, BigInt(venue.leverage[symbol]!)),
    maintenance: lots === 0 ? 0n : maintenanceMargin(venue.contracts[symbol]!, value),
  };
}

/** Slots that hold something or for which an order is open: others the exchange does not tell. */
function involved(venue: Venue, symbol: number | undefined): Held[] {
  const { account } = venue.exchange;
  const ordered = new Set<number>();
  for (const order of venue.trading.openOrders) ordered.add(account.slotOf(order.symbol, order.leg));
  const slots: Held[] = [];
  for (let slot = 0; slot < account.slots; slot++) {
    if (symbol !== undefined && account.symbolOf(slot) !== symbol) continue;
    if (account.positions[slot]!.lots !== 0 || ordered.has(slot)) slots.push(heldIn(venue, slot));
  }
  return slots;
}

function updateTimeOf(venue: Venue, slot: number): number {
  return venue.trading.account.positions[slot]!.updateTime;
}

/** Isolated margin as it stands: what was bound and the result so far. */
function isolatedOf(venue: Venue, held: Held): bigint {
  const { account } = venue.exchange;
  return account.cross || held.lots === 0 ? 0n : account.positions[held.slot]!.margin + held.unrealised;
}

function wallets(venue: Venue) {
  const { exchange, trading } = venue;
  const all = involved(venue, undefined);
  const sum = (pick: (held: Held) => bigint): bigint => all.reduce((total, held) => total + pick(held), 0n);
  const result = sum((held) => held.unrealised);
  const { wallet, available, account } = exchange;
  return {
    wallet,
    unrealised: result,
    maintenance: sum((held) => held.maintenance),
    position: sum((held) => held.initial),
    orders: account.reserved,
    crossWallet: trading.crossWallet(),
    crossUnrealised: account.cross ? result : 0n,
    available: available > 0n ? available : 0n,
  };
}

function assetJson(venue: Venue): { readonly [key: string]: Json } {
  const books = wallets(venue);
  return {
    asset: "USDT",
    walletBalance: moneyText(books.wallet),
    unrealizedProfit: moneyText(books.unrealised),
    marginBalance: moneyText(books.wallet + books.unrealised),
    maintMargin: moneyText(books.maintenance),
    initialMargin: moneyText(books.position + books.orders),
    positionInitialMargin: moneyText(books.position),
    openOrderInitialMargin: moneyText(books.orders),
    crossWalletBalance: moneyText(books.crossWallet),
    crossUnPnl: moneyText(books.crossUnrealised),
    availableBalance: moneyText(books.available),
    maxWithdrawAmount: moneyText(books.available),
    updateTime: venue.time,
  };
}

function totals(venue: Venue): { readonly [key: string]: Json } {
  const books = wallets(venue);
  return {
    totalInitialMargin: moneyText(books.position + books.orders),
    totalMaintMargin: moneyText(books.maintenance),
    totalWalletBalance: moneyText(books.wallet),
    totalUnrealizedProfit: moneyText(books.unrealised),
    totalMarginBalance: moneyText(books.wallet + books.unrealised),
    totalPositionInitialMargin: moneyText(books.position),
    totalOpenOrderInitialMargin: moneyText(books.orders),
    totalCrossWalletBalance: moneyText(books.crossWallet),
    totalCrossUnPnl: moneyText(books.crossUnrealised),
    availableBalance: moneyText(books.available),
    maxWithdrawAmount: moneyText(books.available),
  };
}

function accountV3({ venue }: Call): Json {
  return {
    ...totals(venue),
    assets: [assetJson(venue)],
    positions: involved(venue, undefined).map((held) => {
      const instrument = venue.exchange.instruments[held.symbol]!;
      return {
        symbol: instrument.symbol,
        positionSide: held.leg.toUpperCase(),
        positionAmt: quantityText(instrument, held.lots),
        unrealizedProfit: moneyText(held.unrealised),
        isolatedMargin: moneyText(isolatedOf(venue, held)),
        notional: shortDecimal(held.notional, 8),
        isolatedWallet: isolatedWallet(venue, held),
        initialMargin: shortDecimal(held.initial, 8),
        maintMargin: shortDecimal(held.maintenance, 8),
        updateTime: updateTimeOf(venue, held.slot),
      };
    }),
  };
}

function isolatedWallet(venue: Venue, { slot, lots }: Held): string {
  const { account } = venue.exchange;
  return account.cross || lots === 0 ? "0" : shortDecimal(account.positions[slot]!.margin, 8);
}

/** The older account: it tells of every symbol, and settings with it. */
function accountV2({ venue }: Call): Json {
  const { account, instruments } = venue.exchange;
  const positions = Array.from({ length: account.slots }, (_, slot) => {
    const held = heldIn(venue, slot);
    const instrument = instruments[held.symbol]!;
    const leverage = venue.leverage[held.symbol]!;
    return {
      symbol: instrument.symbol,
      initialMargin: shortDecimal(held.initial, 8),
      maintMargin: shortDecimal(held.maintenance, 8),
      unrealizedProfit: moneyText(held.unrealised),
      positionInitialMargin: shortDecimal(held.initial, 8),
      openOrderInitialMargin: "0",
      leverage: String(leverage),
      isolated: !account.cross,
      entryPrice: entryPrice(venue, held),
      breakEvenPrice: entryPrice(venue, held),
      maxNotional: largestText(venue, held.symbol, leverage),
      bidNotional: "0",
      askNotional: "0",
      positionSide: held.leg.toUpperCase(),
      positionAmt: quantityText(instrument, held.lots),
      updateTime: updateTimeOf(venue, held.slot),
    };
  });
  return {
    feeTier: 0,
    feeBurn: false,
    canTrade: true,
    canDeposit: true,
    canWithdraw: false,
    updateTime: 0,
    multiAssetsMargin: false,
    tradeGroupId: -1,
    ...totals(venue),
    assets: [{ ...assetJson(venue), marginAvailable: true }],
    positions,
  };
}

function entryPrice(venue: Venue, { slot, symbol, lots }: Held): string {
  const { account, instruments } = venue.exchange;
  return lots === 0 ? "0.0" : averageText(instruments[symbol]!, account.positions[slot]!.cost, magnitude(lots), 8);
}

/** Largest value of a position; the exchange writes whole USDT. */
function largestText(venue: Venue, symbol: number, leverage: number): string {
  return String(largestValue(largestNotional(venue.contracts[symbol]!, leverage)));
}

/** Where a bracket has no end, a number that JSON can hold stands for it. */
function largestValue(cap: bigint): number {
  const whole = cap / 100_000_000n;
  return whole > 1_000_000_000n ? 1_000_000_000 : Number(whole);
}

function balances({ venue }: Call): Json {
  const books = wallets(venue);
  return [
    {
      accountAlias: "SgsR",
      asset: "USDT",
      balance: moneyText(books.wallet),
      crossWalletBalance: moneyText(books.crossWallet),
      crossUnPnl: moneyText(books.crossUnrealised),
      availableBalance: moneyText(books.available),
      maxWithdrawAmount: moneyText(books.available),
      marginAvailable: true,
      updateTime: venue.time,
    },
  ];
}

/** Liquidation price; of a cross position the one at which it alone moves. */
function liquidationPrice(venue: Venue, { slot, symbol, lots }: Held): string {
  const { account, instruments } = venue.exchange;
  if (lots === 0) return "0";
  const instrument = instruments[symbol]!;
  const mark = venue.feed.mark(symbol);
  const level = account.cross
    ? account.liquidationLevel(slot, mark, lots > 0 ? 0 : mark * 100)
    : account.positions[slot]!.liquidation;
  return level === undefined || level === 0 ? "0" : priceText(instrument, level);
}

function wantedSymbol(call: Call): number | undefined {
  return call.parameters.text("symbol") === undefined ? undefined : symbolOf(call);
}

function positionsV3(call: Call): Json {
  const { venue } = call;
  return involved(venue, wantedSymbol(call)).map((held) => {
    const instrument = venue.exchange.instruments[held.symbol]!;
    return {
      symbol: instrument.symbol,
      positionSide: held.leg.toUpperCase(),
      positionAmt: quantityText(instrument, held.lots),
      entryPrice: entryPrice(venue, held),
      breakEvenPrice: entryPrice(venue, held),
      markPrice: markText(instrument, venue.feed.mark(held.symbol)),
      unRealizedProfit: moneyText(held.unrealised),
      liquidationPrice: liquidationPrice(venue, held),
      isolatedMargin: shortDecimal(isolatedOf(venue, held), 8),
      notional: shortDecimal(held.notional, 8),
      marginAsset: "USDT",
      isolatedWallet: isolatedWallet(venue, held),
      initialMargin: shortDecimal(held.initial, 8),
      maintMargin: shortDecimal(held.maintenance, 8),
      positionInitialMargin: shortDecimal(held.initial, 8),
      openOrderInitialMargin: "0",
      adl: held.lots === 0 ? 0 : 2,
      bidNotional: "0",
      askNotional: "0",
      updateTime: updateTimeOf(venue, held.slot),
    };
  });
}

function positionsV2(call: Call): Json {
  const { venue } = call;
  const wanted = wantedSymbol(call);
  const { account } = venue.exchange;
  const slots = Array.from({ length: account.slots }, (_, slot) => heldIn(venue, slot));
  return slots
    .filter(({ symbol }) => wanted === undefined || symbol === wanted)
    .map((held) => {
      const instrument = venue.exchange.instruments[held.symbol]!;
      const leverage = venue.leverage[held.symbol]!;
      return {
        symbol: instrument.symbol,
        positionAmt: quantityText(instrument, held.lots),
        entryPrice: entryPrice(venue, held),
        breakEvenPrice: entryPrice(venue, held),
        markPrice: markText(instrument, venue.feed.mark(held.symbol)),
        unRealizedProfit: moneyText(held.unrealised),
        liquidationPrice: liquidationPrice(venue, held),
        leverage: String(leverage),
        maxNotionalValue: largestText(venue, held.symbol, leverage),
        marginType: account.cross ? "cross" : "isolated",
        isolatedMargin: moneyText(isolatedOf(venue, held)),
        isAutoAddMargin: "false",
        positionSide: held.leg.toUpperCase(),
        notional: shortDecimal(held.notional, 8),
        isolatedWallet: isolatedWallet(venue, held),
        updateTime: updateTimeOf(venue, held.slot),
      };
    });
}

function accountConfig({ venue }: Call): Json {
  return {
    feeTier: 0,
    canTrade: true,
    canDeposit: true,
    canWithdraw: false,
    dualSidePosition: venue.exchange.account.hedge,
    updateTime: 0,
    multiAssetsMargin: false,
    tradeGroupId: -1,
  };
}

function symbolConfig(call: Call): Json {
  const { venue } = call;
  const wanted = wantedSymbol(call);
  return venue.exchange.instruments.flatMap(({ symbol }, index) =>
    wanted !== undefined && wanted !== index
      ? []
      : [
          {
            symbol,
            marginType: venue.exchange.account.cross ? "CROSSED" : "ISOLATED",
            isAutoAddMargin: false,
            leverage: venue.leverage[index]!,
            maxNotionalValue: largestText(venue, index, venue.leverage[index]!),
          },
        ],
  );
}

function leverageBracket(call: Call): Json {
  const { venue } = call;
  const json = (symbol: number): Json => {
    let floor = 0n;
    return {
      symbol: venue.exchange.instruments[symbol]!.symbol,
      notionalCoef: 1,
      brackets: venue.contracts[symbol]!.brackets.map(({ maxLeverage, cap, maintenanceRate, amount }, index) => {
        const notionalFloor = largestValue(floor);
        floor = cap;
        return {
          bracket: index + 1,
          initialLeverage: maxLeverage,
          notionalCap: largestValue(cap),
          notionalFloor,
          maintMarginRatio: Number(maintenanceRate) / 1e8,
          cum: Number(amount) / 1e8,
        };
      }),
    };
  };
  const wanted = wantedSymbol(call);
  return wanted === undefined ? venue.exchange.instruments.map((_, symbol) => json(symbol)) : [json(wanted)];
}

function commissionRate(call: Call): Json {
  const { makerFee, takerFee } = call.venue.options;
  return {
    symbol: call.venue.exchange.instruments[symbolOf(call)]!.symbol,
    makerCommissionRate: rateText(makerFee),
    takerCommissionRate: rateText(takerFee),
    rpiCommissionRate: rateText(0),
  };
}

const DONE = { code: 200, msg: "success" };

function hasOpenOrders(venue: Venue): boolean {
  return !venue.trading.openOrders.next().done || !venue.trading.openAlgos.next().done;
}

function setPositionMode({ venue, parameters }: Call): Json {
  const dual = parameters.required("dualSidePosition").toLowerCase() === "true";
  const { account } = venue.exchange;
  if (dual === account.hedge) throw new WireError(-4059, "No need to change position side.");
  if (hasOpenOrders(venue)) {
    throw new WireError(-4067, "Position side cannot be changed if there exists open orders.");
  }
  const margin = account.cross ? "cross" : "isolated";
  if (!venue.trading.setModes({ position: dual ? "hedge" : "one-way", margin })) {
    throw new WireError(-4068, "Position side cannot be changed if there exists position.");
  }
  return DONE;
}

/** The model has one margin mode for all symbols, so changing it for one changes it for each. */
function setMarginType(call: Call): Json {
  const { venue, parameters } = call;
  symbolOf(call);
  const wanted = parameters.choice("marginType", ["CROSSED", "ISOLATED"], -4053);
  const { account } = venue.exchange;
  if ((wanted === "CROSSED") === account.cross) throw new WireError(-4046, "No need to change margin type.");
  if (hasOpenOrders(venue)) throw new WireError(-4047, "Margin type cannot be changed if there exists open orders.");
  const position = account.hedge ? "hedge" : "one-way";
  if (!venue.trading.setModes({ position, margin: wanted === "CROSSED" ? "cross" : "isolated" })) {
    throw new WireError(-4048, "Margin type cannot be changed if there exists position.");
  }
  return DONE;
}

function setLeverage(call: Call): Json {
  const { venue, parameters } = call;
  const symbol = symbolOf(call);
  parameters.required("leverage");
  const leverage = parameters.whole("leverage")!;
  const { account, instruments } = venue.exchange;
  const contract = venue.contracts[symbol]!;
  if (leverage < 1 || leverage > contract.brackets[0]!.maxLeverage) {
    throw new WireError(-4028, `Leverage ${leverage} is not valid`);
  }
  for (let slot = account.slotOf(symbol, "long"); slot <= account.slotOf(symbol, "short"); slot++) {
    const { lots } = account.positions[slot]!;
    if (lots === 0) continue;
    if (!account.cross && leverage < venue.leverage[symbol]!) {
      throw new WireError(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.");
    }
    const value = exactNotional(instruments[symbol]!, magnitude(lots), venue.feed.mark(symbol));
    if (bracketOf(contract, value).maxLeverage < leverage) {
      throw new WireError(-2027, "Exceeded the maximum allowable position at current leverage.");
    }
  }
  const changed = venue.leverage[symbol] !== leverage;
  venue.leverage[symbol] = leverage;
  const { symbol: name } = instruments[symbol]!;
  if (changed) venue.tell({ e: "ACCOUNT_CONFIG_UPDATE", E: venue.time, T: venue.time, ac: { s: name, l: leverage } });
  return { leverage, maxNotionalValue: largestText(venue, symbol, leverage), symbol: name };
}

function userTrades(call: Call): Json {
  const { venue, parameters } = call;
  const symbol = symbolNamed(call, parameters.required("symbol"));
  const orderId = parameters.text("orderId");
  const from = parameters.whole("startTime") ?? 0;
  const to = parameters.whole("endTime") ?? Number.POSITIVE_INFINITY;
  const fromId = parameters.whole("fromId") ?? 0;
  const rows = venue.trading.fills.filter(
    ({ order, time, id }) =>
      order.symbol === symbol &&
      (orderId === undefined || order.orderId === orderId) &&
      time >= from &&
      time <= to &&
      id >= fromId,
  );
  const limit = Math.min(parameters.whole("limit") ?? 500, 1000);
  const oldestFirst = parameters.text("fromId") !== undefined || parameters.text("startTime") !== undefined;
  return (oldestFirst ? rows.slice(0, limit) : rows.slice(-limit)).map(fillJson);
}

function income(call: Call): Json {
  const { venue, parameters } = call;
  const symbol = parameters.text("symbol");
  const type = parameters.text("incomeType");
  const from = parameters.whole("startTime") ?? 0;
  const to = parameters.whole("endTime") ?? Number.POSITIVE_INFINITY;
  const limit = Math.min(parameters.whole("limit") ?? 100, 1000);
  return venue.trading.incomes
    .filter((row) => (symbol ?? row.symbol) === row.symbol && (type ?? row.type) === row.type)
    .filter(({ time }) => time >= from && time <= to)
    .slice(-limit)
    .map(({ symbol: name, type: incomeType, amount, time, tranId, trade }) => ({
      symbol: name,
      incomeType,
      income: moneyText(amount),
      asset: "USDT",
      info: incomeType,
      time,
      tranId,
      tradeId: trade,
    }));
}

function rateLimitOrder({ venue }: Call): Json {
  const { ordersPer10s, ordersPerMinute } = venue.limits.options;
  return [
    { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: ordersPer10s },
    { rateLimitType: "ORDERS", interval: "MINUTE", intervalNum: 1, limit: ordersPerMinute },
  ];
}

export const ACCOUNT_ROUTES: Readonly<Record<string, Route>> = {
  "GET /fapi/v2/account": { weight: 5, security: "signed", handle: accountV2 },
  "GET /fapi/v3/account": { weight: 5, security: "signed", handle: accountV3 },
  "GET /fapi/v2/balance": { weight: 5, security: "signed", handle: balances },
  "GET /fapi/v3/balance": { weight: 5, security: "signed", handle: balances },
  "GET /fapi/v2/positionRisk": { weight: 5, security: "signed", handle: positionsV2 },
  "GET /fapi/v3/positionRisk": { weight: 5, security: "signed", handle: positionsV3 },
  "GET /fapi/v1/accountConfig": { weight: 5, security: "signed", handle: accountConfig },
  "GET /fapi/v1/symbolConfig": { weight: 5, security: "signed", handle: symbolConfig },
  "GET /fapi/v1/leverageBracket": { weight: 1, security: "signed", handle: leverageBracket },
  "GET /fapi/v1/commissionRate": { weight: 20, security: "signed", handle: commissionRate },
  "GET /fapi/v1/positionSide/dual": {
    weight: 30,
    security: "signed",
    handle: ({ venue }) => ({ dualSidePosition: venue.exchange.account.hedge }),
  },
  "POST /fapi/v1/positionSide/dual": { weight: 1, security: "signed", handle: setPositionMode },
  "GET /fapi/v1/multiAssetsMargin": { weight: 30, security: "signed", handle: () => ({ multiAssetsMargin: false }) },
  "POST /fapi/v1/multiAssetsMargin": {
    weight: 1,
    security: "signed",
    handle: ({ parameters }) => {
      if (!parameters.flag("multiAssetsMargin")) throw new WireError(-4171, "No need to change multi assets margin.");
      throw new WireError(-4168, "Unable to adjust to Multi-Assets mode: this exchange knows one asset.");
    },
  },
  "GET /fapi/v1/feeBurn": { weight: 30, security: "signed", handle: () => ({ feeBurn: false }) },
  "POST /fapi/v1/leverage": { weight: 1, security: "signed", handle: setLeverage },
  "POST /fapi/v1/marginType": { weight: 1, security: "signed", handle: setMarginType },
  "GET /fapi/v1/userTrades": { weight: 5, security: "signed", handle: userTrades },
  "GET /fapi/v1/income": { weight: 30, security: "signed", handle: income },
  "GET /fapi/v1/rateLimit/order": { weight: 1, security: "signed", handle: rateLimitOrder },
  "GET /fapi/v1/apiTradingStatus": {
    weight: 1,
    security: "signed",
    handle: ({ venue }) => ({ indicators: {}, updateTime: venue.time }),
  },
  "GET /fapi/v1/adlQuantile": {
    weight: 5,
    security: "signed",
    handle: (call) =>
      involved(call.venue, wantedSymbol(call)).map(({ symbol }) => ({
        symbol: call.venue.exchange.instruments[symbol]!.symbol,
        adlQuantile: { LONG: 1, SHORT: 1, BOTH: 1 },
      })),
  },
  "POST /fapi/v1/listenKey": {
    weight: 1,
    security: "key",
    handle: ({ venue, now }) => ({ listenKey: venue.listenKeys.start(now) }),
  },
  "PUT /fapi/v1/listenKey": {
    weight: 1,
    security: "key",
    handle: ({ venue, now }) => ({ listenKey: venue.listenKeys.keepAlive(now) }),
  },
  "DELETE /fapi/v1/listenKey": {
    weight: 1,
    security: "key",
    handle: ({ venue }) => {
      const key = venue.listenKeys.end();
      if (key !== undefined) venue.hub.silence(key);
      return {};
    },
  },
};

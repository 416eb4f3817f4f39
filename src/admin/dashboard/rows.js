import { chance } from "./chance.js";
import { showWhy } from "./dialogs.js";
import { h, table } from "./dom.js";
import { money, number, percent, price, signed, time, tone } from "./format.js";
import { say, word } from "./text.js";

/** @param {string} direction */
const side = (direction) => h(`b.${direction === "long" ? "gain" : "loss"}`, null, word(direction));

/** @param {readonly any[]} rows @param {(hash: string) => void} go */
export function positionTable(rows, go) {
  return table(
    [
      { title: say("symbol"), of: (row) => h("b", null, row.symbol) },
      { title: say("side"), of: (row) => [side(row.direction), h("span.quiet", null, ` ${row.leverage}×`)] },
      { title: say("entry"), of: (row) => price(row.entry), number: true },
      { title: say("mark"), of: (row) => price(row.mark), number: true },
      { title: say("stop"), of: (row) => price(row.stop), number: true },
      { title: say("target"), of: (row) => price(row.target), number: true },
      {
        title: say("unrealised"),
        of: (row) => h(`b.${tone(row.unrealised) ?? "quiet"}`, null, signed(row.unrealised)),
        number: true,
      },
      { title: say("chance"), of: (row) => chance(row.chance), number: true },
      {
        title: say("protection"),
        of: (row) =>
          row.phase === "opening"
            ? h("span.pill", null, say("waiting"))
            : row.protected
              ? h("span.pill.good", null, say("protected"))
              : h("span.pill.bad", null, say("unprotected")),
      },
    ],
    rows,
    { empty: say("noPositions"), caption: say("positions"), onRow: (row) => go(`#/chart/${row.symbol}`) },
  );
}

/** @param {readonly any[]} rows */
export function signalTable(rows) {
  return table(
    [
      { title: say("time"), of: (row) => time(row.time) },
      { title: say("symbol"), of: (row) => h("b", null, row.symbol) },
      { title: say("side"), of: (row) => side(row.direction) },
      { title: say("setup"), of: (row) => word(row.setup) },
      { title: say("confidence"), of: (row) => number(row.confidence), number: true },
      { title: say("outcome"), of: (row) => outcome(row.outcome), wide: true },
    ],
    rows,
    { empty: say("noSignals"), caption: say("signals"), onRow: (row) => showWhy(row.symbol, row.time) },
  );
}

/** @param {string} text */
function outcome(text) {
  if (text === "") return h("span.quiet", null, say("waiting"));
  if (text === "opened") return h("span.pill.good", null, say("entryFilled"));
  const [guard, ...reason] = text.split(": ");
  return [h("span.tag", null, guard), " ", h("span.quiet", null, reason.join(": "))];
}

/** @param {readonly any[]} rows @param {(hash: string) => void} go */
export function tradeTable(rows, go) {
  return table(
    [
      { title: say("time"), of: (row) => time(row.exitTime) },
      { title: say("symbol"), of: (row) => h("b", null, row.symbol) },
      { title: say("side"), of: (row) => side(row.direction) },
      { title: say("setup"), of: (row) => word(row.setup) },
      { title: say("entry"), of: (row) => price(Number(row.entry.toPrecision(8))), number: true },
      { title: say("exit"), of: (row) => price(Number(row.exit.toPrecision(8))), number: true },
      { title: say("reason"), of: (row) => h("span.tag", null, word(row.reason)) },
      { title: say("fees"), of: (row) => money(row.fees), number: true },
      { title: say("result"), of: (row) => h(`b.${tone(row.pnl) ?? "quiet"}`, null, signed(row.pnl)), number: true },
    ],
    rows,
    { empty: say("noTrades"), caption: say("trades"), onRow: (row) => go(`#/chart/${row.symbol}`) },
  );
}

/** @param {readonly any[]} rows */
export function orderTable(rows) {
  return table(
    [
      { title: say("symbol"), of: (row) => h("b", null, row.symbol) },
      { title: say("purpose"), of: (row) => h("span.tag", null, word(row.purpose)) },
      { title: say("side"), of: (row) => word(row.side) },
      { title: say("quantity"), of: (row) => (row.closePosition ? say("all") : price(row.quantity)), number: true },
      { title: say("trigger"), of: (row) => (row.trigger === 0 ? "" : price(row.trigger)), number: true },
      { title: say("state"), of: (row) => word(row.state) },
    ],
    rows,
    { empty: say("noOrders"), caption: say("orders") },
  );
}

/** @param {readonly any[]} rows */
export function noticeTable(rows) {
  const tones = /** @type {Record<string, string>} */ ({ alarm: "bad", warning: "mind", info: "good" });
  return table(
    [
      { title: say("time"), of: (row) => time(row.time) },
      { title: say("level"), of: (row) => h(`span.pill.${tones[row.level]}`, null, word(row.level)) },
      { title: say("said"), of: (row) => row.text, wide: true },
    ],
    rows,
    { empty: say("noIncidents"), caption: say("incidents") },
  );
}

/**
 * @param {readonly any[]} rows kinds of incidents, each with how often and when
 * @param {boolean} [short] for a narrow place
 */
export function incidentTable(rows, short = false) {
  const first = { title: say("first"), of: (/** @type {any} */ row) => h("span.quiet", null, time(row.first)) };
  return table(
    [
      { title: say("last"), of: (row) => time(row.last) },
      {
        title: say("level"),
        of: (row) => h(`span.pill.${row.level === "alarm" ? "bad" : "mind"}`, null, word(row.level)),
      },
      { title: say("count"), of: (row) => h("b", null, row.count), number: true },
      ...(short ? [] : [first]),
      { title: say("said"), of: (row) => row.text, wide: true },
    ],
    rows,
    { empty: say("noIncidents"), caption: say("incidents") },
  );
}

/** @param {readonly any[]} rows days, oldest first */
export function dayTable(rows) {
  return table(
    [
      { title: say("day"), of: (row) => h("b", null, new Date(row.day).toISOString().slice(0, 10)) },
      { title: say("trades"), of: (row) => row.trades, number: true },
      { title: say("winRate"), of: (row) => percent(row.wins / row.trades, 0), number: true },
      { title: say("averageR"), of: (row) => (row.averageR === null ? "–" : signed(row.averageR)), number: true },
      { title: say("slippage50"), of: (row) => signed(row.slippageP50, 1), number: true },
      { title: say("slippage90"), of: (row) => signed(row.slippageP90, 1), number: true },
      {
        title: say("unplanned"),
        of: (row) => h(row.unplannedStops > 0 ? "b.loss" : "span.quiet", null, row.unplannedStops),
        number: true,
      },
      { title: say("result"), of: (row) => h(`b.${tone(row.pnl) ?? "quiet"}`, null, signed(row.pnl)), number: true },
    ],
    rows.toReversed(),
    { empty: say("noTrades"), caption: say("daily") },
  );
}

/** @param {string} name @param {Record<string, any>} groups */
export function groupTable(name, groups) {
  const rows = Object.entries(groups).sort(([, a], [, b]) => b.trades - a.trades);
  return table(
    [
      { title: name, of: ([key]) => h("b", null, word(key)) },
      { title: say("trades"), of: ([, group]) => group.trades, number: true },
      { title: say("winRate"), of: ([, group]) => percent(group.wins / group.trades, 0), number: true },
      {
        title: say("averageR"),
        of: ([, group]) => (group.averageR === null ? "–" : signed(group.averageR)),
        number: true,
      },
      {
        title: say("result"),
        of: ([, group]) => h(`b.${tone(group.pnl) ?? "quiet"}`, null, signed(group.pnl)),
        number: true,
      },
    ],
    rows,
    { empty: say("noTrades"), caption: name },
  );
}

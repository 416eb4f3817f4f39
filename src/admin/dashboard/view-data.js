import { ask } from "./api.js";
import { fill, h, table } from "./dom.js";
import { duration, number, time } from "./format.js";
import { say } from "./text.js";
import { card } from "./view-overview.js";

const AGAIN_MS = 15_000;

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function dataView({ go }) {
  const tiles = h("dl.tiles");
  const symbols = h("div");
  const load = async () => {
    const { newest, timeframes, symbols: rows, store } = await ask("/api/data");
    const tile = (/** @type {string} */ name, /** @type {any} */ value) =>
      h(".tile", null, h("dt", null, name), h("dd", null, value));
    const sum = (/** @type {string} */ field) =>
      rows.reduce((/** @type {number} */ total, /** @type {any} */ one) => total + one[field], 0);
    fill(
      tiles,
      tile(say("feedAge"), newest === null ? "–" : time(newest)),
      timeframes.map((/** @type {any} */ one) => tile(`${say("bars")} ${one.name}`, number(one.bars, 0))),
      tile(say("gaps"), number(sum("gaps"), 0)),
      tile(say("missing"), number(sum("missing"), 0)),
      tile(say("flat"), number(sum("flat"), 0)),
      tile(say("storeLag"), duration(store.lagSeconds * 1000)),
      tile(say("pending"), number(store.pending, 0)),
    );
    fill(symbols, symbolTable(rows, go));
  };
  await load();
  const again = setInterval(load, AGAIN_MS);
  return {
    element: h(
      ".stack",
      null,
      card(say("data"), h("p.quiet", null, say("dataHint")), tiles),
      card(say("symbol"), symbols),
    ),
    onLeave: () => clearInterval(again),
  };
}

/** @param {readonly any[]} rows @param {(hash: string) => void} go */
function symbolTable(rows, go) {
  // What lacks most is shown first.
  const sorted = rows.toSorted((a, b) => b.missing - a.missing || b.flat - a.flat);
  const count = (/** @type {number} */ value) => h(value > 0 ? "b" : "span.quiet", null, number(value, 0));
  const when = (/** @type {number | null} */ at) => (at === null ? "–" : time(at));
  return table(
    [
      { title: say("symbol"), of: (row) => h("b", null, row.symbol) },
      { title: say("bars"), of: (row) => number(row.bars, 0), number: true },
      { title: say("gaps"), of: (row) => count(row.gaps), number: true },
      { title: say("missing"), of: (row) => count(row.missing), number: true },
      { title: say("flat"), of: (row) => count(row.flat), number: true },
      { title: say("first"), of: (row) => when(row.first) },
      { title: say("last"), of: (row) => when(row.last) },
    ],
    sorted,
    { empty: say("noData"), caption: say("data"), onRow: (row) => go(`#/chart/${row.symbol}`) },
  );
}

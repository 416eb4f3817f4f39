import { ask } from "./api.js";
import { chance } from "./chance.js";
import { fill, h, table } from "./dom.js";
import { number, price, signed, time, tone } from "./format.js";
import { orderTable, positionTable } from "./rows.js";
import { say, word } from "./text.js";
import { card } from "./view-overview.js";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function positionsView({ snapshot, go }) {
  const positions = h("div");
  const orders = h("div");
  const virtual = h("div");
  const show = (/** @type {any} */ now) => {
    if (!now) return;
    fill(positions, positionTable(now.positions, go));
    fill(orders, orderTable(now.orders));
  };
  const showVirtual = async () => fill(virtual, virtualTable(await ask("/api/virtual?limit=60")));
  show(snapshot);
  await showVirtual();
  const again = setInterval(showVirtual, 5000);
  return {
    element: h(
      ".stack",
      null,
      card(say("positions"), positions),
      card(say("orders"), orders),
      card(say("virtual"), h("p.quiet", null, say("virtualHint")), virtual),
    ),
    onLeave: () => clearInterval(again),
    onEvent(event) {
      if (event.kind === "snapshot") show(event.snapshot);
    },
  };
}

/** @param {any} answer */
function virtualTable({ statistics, closed, chances }) {
  const share = statistics && statistics.targets + statistics.stops + statistics.expired > 0;
  return [
    statistics &&
      h(
        "p",
        null,
        `${say("open")} ${statistics.live} · ${say("target")} ${statistics.targets} · ${say("stop")} ${statistics.stops}`,
        share ? ` · ${signed(statistics.result, 1)} R` : "",
      ),
    chances.length === 0
      ? null
      : [
          h("p.quiet", null, say("chanceHint")),
          table(
            [
              { title: say("symbol"), of: (/** @type {any} */ row) => h("b", null, row.symbol) },
              { title: say("side"), of: (row) => word(row.direction) },
              { title: say("chance"), of: (row) => chance({ entered: null, now: row }), number: true },
              { title: say("time"), of: (row) => time(row.at) },
            ],
            chances,
            { empty: "", caption: say("chanceOpen") },
          ),
        ],
    table(
      [
        { title: say("time"), of: (/** @type {any} */ row) => time(row.exitTime) },
        { title: say("symbol"), of: (row) => h("b", null, row.symbol) },
        { title: say("side"), of: (row) => word(row.direction) },
        { title: say("setup"), of: (row) => word(row.setup) },
        { title: say("confidence"), of: (row) => number(row.confidence), number: true },
        { title: say("entry"), of: (row) => price(row.entry), number: true },
        { title: say("exit"), of: (row) => price(row.exit), number: true },
        { title: say("outcome"), of: (row) => h("span.tag", null, word(row.outcome)) },
        { title: "R", of: (row) => h(`b.${tone(row.result) ?? "quiet"}`, null, signed(row.result)), number: true },
      ],
      closed,
      { empty: say("noTrades"), caption: say("virtual") },
    ),
  ];
}

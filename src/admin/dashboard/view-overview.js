import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { duration, fullTime, money, number, percent, signed, tone } from "./format.js";
import { AreaSeries } from "./lightweight-charts.js";
import { colours, newPlot, seconds, whenSized } from "./plot.js";
import { incidentTable, positionTable, signalTable } from "./rows.js";
import { say, word } from "./text.js";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function overviewView({ snapshot, go }) {
  const [equity, signals, incidents, statistics] = await Promise.all([
    ask("/api/equity"),
    ask("/api/signals?limit=8"),
    ask("/api/incidents?limit=6"),
    ask("/api/statistics"),
  ]);
  let figures = statistics;
  const tiles = h("dl.tiles");
  const states = h("dl.states");
  const positions = h("div");
  const signalList = h("div");
  const incidentList = h("div");
  const place = h(".plot");
  const element = h(
    "div",
    { style: null },
    tiles,
    h(".two-one", null, card(say("equity"), place), card(say("tradingState"), states)),
    card(say("positions"), positions),
    h(".two-one", null, card(say("latestSignals"), signalList), card(say("latestIncidents"), incidentList)),
  );
  element.className = "stack";

  const plot = newPlot(place);
  whenSized(plot, () => plot.timeScale().fitContent());
  const { accent } = colours();
  const series = plot.addSeries(AreaSeries, {
    lineColor: accent,
    topColor: `${accent}44`,
    bottomColor: `${accent}05`,
    lineWidth: 2,
    priceFormat: { type: "price", precision: 2, minMove: 0.01 },
  });
  let last = 0;
  const point = (/** @type {number} */ time, /** @type {number} */ value) => {
    if (seconds(time) < last) return;
    last = seconds(time);
    series.update(/** @type {any} */ ({ time: last, value }));
  };
  for (const row of equity) point(row.time, row.equity);
  const show = (/** @type {any} */ now) => {
    if (!now) return;
    showTiles(tiles, now, figures);
    showStates(states, now);
    fill(positions, positionTable(now.positions, go));
    if (now.time > 0) point(now.time, now.equity);
  };
  show(snapshot);
  fill(signalList, signalTable(signals));
  fill(incidentList, incidentTable(incidents, true));
  return {
    element,
    onLeave: () => plot.remove(),
    async onEvent(event) {
      if (event.kind === "snapshot") show(event.snapshot);
      else if (event.kind === "trade") figures = await ask("/api/statistics");
      else if (event.kind === "signal" || event.kind === "refusal")
        fill(signalList, signalTable(await ask("/api/signals?limit=8")));
      else if (event.kind === "notice") fill(incidentList, incidentTable(await ask("/api/incidents?limit=6"), true));
    },
  };
}

/** @param {string} title @param {...any} content */
export function card(title, ...content) {
  return h("section.card", { "aria-label": title }, h(".heading", null, h("h2", null, title)), content);
}

/** @param {Element} place @param {any} now @param {any} figures */
function showTiles(place, now, figures) {
  const day = now.equity - now.dayStartEquity;
  const tile = (
    /** @type {string} */ title,
    /** @type {any} */ value,
    /** @type {any} */ more,
    /** @type {string | null} */ colour = null,
  ) => h(".tile", null, h("dt", null, title), h("dd", { class: colour }, value), h("dd.more", null, more));
  const winRate = figures.trades > 0 ? percent(figures.wins / figures.trades, 0) : "–";
  fill(
    place,
    tile(say("equity"), money(now.equity), [h("span", { class: tone(day) }, signed(day)), ` ${say("today")}`]),
    tile(say("unrealised"), signed(now.unrealised), `${say("open")}: ${now.positions.length}`, tone(now.unrealised)),
    tile(
      say("drawdown"),
      percent(now.drawdown),
      `${say("exposure")} ${number(now.equity > 0 ? now.exposure / now.equity : 0, 2)}×`,
    ),
    tile(say("trades"), figures.trades, [
      h("span", { class: tone(figures.pnl) }, signed(figures.pnl)),
      ` ${say("closed")}`,
    ]),
    tile(
      say("winRate"),
      winRate,
      `${say("profitFactor")} ${figures.profitFactor === null ? "–" : number(figures.profitFactor)}`,
    ),
    tile(say("virtual"), now.virtual.live, `${now.virtual.opened} · ${signed(now.virtual.result, 1)} R`),
  );
}

/** @param {Element} place @param {any} now */
function showStates(place, now) {
  const row = (/** @type {string} */ name, /** @type {any} */ value) =>
    h("div", null, h("dt", null, name), h("dd", null, value));
  const naked = now.positions.filter((/** @type {any} */ row) => row.phase === "open" && !row.protected).length;
  const state =
    now.trading === "normal" ? "good" : now.trading === "cautious" || now.trading === "defensive" ? "mind" : "bad";
  fill(
    place,
    row(say("tradingState"), h(`span.pill.${state}`, null, word(now.trading))),
    row(
      say("protection"),
      now.positions.length === 0
        ? h("span.quiet", null, say("nothingHeld"))
        : h(
            `span.pill.${naked === 0 ? "good" : "bad"}`,
            null,
            naked === 0 ? say("allProtected") : `${naked} ${say("unprotected")}`,
          ),
    ),
    row(say("connection"), h(`span.pill.${now.connected ? "good" : "bad"}`, null, say(now.connected ? "up" : "down"))),
    row(say("apiBreaker"), h(`span.pill.${now.breaker === "closed" ? "good" : "bad"}`, null, now.breaker)),
    row(say("feedAge"), now.lastBar === 0 ? "–" : `${duration(now.time - now.lastBar)} ${say("ago")}`),
    row(say("behind"), duration(now.behind)),
    row(say("model"), now.model || say("rules")),
    // What keeps entries back is shown only while something does.
    now.holds.map((/** @type {string} */ hold) => row(say("entriesHeld"), h("span.pill.bad", null, word(hold)))),
    now.barred.map((/** @type {any} */ one) =>
      row(one.symbol ?? say("all"), h("span.pill.mind", { title: one.reason }, `${say("barred")}: ${one.reason}`)),
    ),
    row(say("marketTime"), now.time === 0 ? "–" : fullTime(now.time)),
  );
}

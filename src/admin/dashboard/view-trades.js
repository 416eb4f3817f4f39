import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { HistogramSeries } from "./lightweight-charts.js";
import { colours, newPlot, seconds, whenSized } from "./plot.js";
import { groupTable, tradeTable } from "./rows.js";
import { say } from "./text.js";
import { card } from "./view-overview.js";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function tradesView({ go }) {
  const list = h("div");
  const exits = h("div");
  const setups = h("div");
  const place = h(".plot");
  const element = h(
    ".stack",
    null,
    card(say("hourly"), place),
    h(".columns", null, card(say("byExit"), exits), card(say("bySetup"), setups)),
    card(say("trades"), list),
  );
  const plot = newPlot(place);
  whenSized(plot, () => plot.timeScale().fitContent());
  const { gain, loss } = colours();
  const series = plot.addSeries(HistogramSeries, { priceFormat: { type: "price", precision: 2, minMove: 0.01 } });
  const load = async () => {
    const [trades, statistics] = await Promise.all([ask("/api/trades?limit=200"), ask("/api/statistics")]);
    fill(list, tradeTable(trades, go));
    fill(exits, groupTable(say("exit"), statistics.byReason));
    fill(setups, groupTable(say("setup"), statistics.bySetup));
    const bars = statistics.byHour.map((/** @type {any} */ hour) => ({
      time: seconds(hour.hour),
      value: hour.pnl,
      color: hour.pnl >= 0 ? gain : loss,
    }));
    series.setData(bars);
    plot.timeScale().fitContent();
  };
  await load();
  return {
    element,
    onLeave: () => plot.remove(),
    onEvent(event) {
      if (event.kind === "trade") load();
    },
  };
}

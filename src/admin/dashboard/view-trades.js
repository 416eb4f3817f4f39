import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { HistogramSeries, LineSeries, PriceScaleMode } from "./lightweight-charts.js";
import { colours, newPlot, seconds, whenSized } from "./plot.js";
import { dayTable, groupTable, tradeTable } from "./rows.js";
import { say } from "./text.js";
import { card } from "./view-overview.js";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function tradesView({ go }) {
  const list = h("div");
  const days = h("div");
  const exits = h("div");
  const setups = h("div");
  const place = h(".plot");
  const latencyPlace = h(".plot");
  const noHours = h("p.empty", null, say("noTrades"));
  const noLatency = h("p.empty", null, say("noLatency"));
  const element = h(
    ".stack",
    null,
    card(say("hourly"), h("p.quiet", null, say("hourlyHint")), noHours, place),
    card(say("daily"), days),
    h(".columns", null, card(say("byExit"), exits), card(say("bySetup"), setups)),
    card(say("trades"), list),
    card(say("latency"), h("p.quiet", null, say("latencyHint")), noLatency, latencyPlace),
  );
  const { gain, loss, accent, warn } = colours();
  const plot = newPlot(place);
  const hours = plot.addSeries(HistogramSeries, { priceFormat: { type: "price", precision: 0, minMove: 1 } });
  const latency = newPlot(latencyPlace);
  const micro = /** @type {const} */ ({ type: "price", precision: 1, minMove: 0.1 });
  // From microseconds to milliseconds.
  latency.priceScale("right").applyOptions({ mode: PriceScaleMode.Logarithmic });
  const p50 = latency.addSeries(LineSeries, { color: accent, lineWidth: 2, title: "p50", priceFormat: micro });
  const p99 = latency.addSeries(LineSeries, { color: warn, lineWidth: 2, title: "p99", priceFormat: micro });
  const fit = () => {
    plot.timeScale().fitContent();
    latency.timeScale().fitContent();
  };
  whenSized(plot, fit);
  let gone = false;
  const load = async () => {
    const [trades, statistics] = await Promise.all([ask("/api/trades?limit=200"), ask("/api/statistics")]);
    // Whoever has gone on to another view has taken the charts away meanwhile.
    if (gone) return;
    fill(list, tradeTable(trades, go));
    fill(days, dayTable(statistics.byDay));
    fill(exits, groupTable(say("exit"), statistics.byReason));
    fill(setups, groupTable(say("setup"), statistics.bySetup));
    hours.setData(
      everyHour(statistics.byHour).map((hour) => ({
        time: seconds(hour.hour),
        value: hour.trades,
        color: hour.pnl >= 0 ? gain : loss,
      })),
    );
    const points = (/** @type {string} */ name) =>
      statistics.latency
        .filter((/** @type {any} */ point) => point[name] !== null)
        .map((/** @type {any} */ point) => ({ time: seconds(point.at), value: point[name] * 1e6 }));
    p50.setData(points("stepP50"));
    p99.setData(points("stepP99"));
    noHours.hidden = statistics.byHour.length > 0;
    place.hidden = statistics.byHour.length === 0;
    noLatency.hidden = statistics.latency.length > 0;
    latencyPlace.hidden = statistics.latency.length === 0;
    fit();
  };
  await load();
  return {
    element,
    onLeave: () => {
      gone = true;
      plot.remove();
      latency.remove();
    },
    onEvent(event) {
      if (event.kind === "trade") load();
    },
  };
}

const HOUR = 3_600_000;
const WEEK = 168 * HOUR;

/** The hours of the last week up to the newest trade, those without any too. @param {readonly any[]} hours */
function everyHour(hours) {
  const last = hours.at(-1)?.hour;
  if (last === undefined) return [];
  const known = new Map(hours.map((hour) => [hour.hour, hour]));
  const first = Math.max(hours[0].hour, last - WEEK);
  return Array.from({ length: (last - first) / HOUR + 1 }, (_, i) => {
    const hour = first + i * HOUR;
    return known.get(hour) ?? { hour, trades: 0, pnl: 0 };
  });
}

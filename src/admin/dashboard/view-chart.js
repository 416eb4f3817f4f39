import { ask } from "./api.js";
import { showWhy } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { CandlestickSeries, createSeriesMarkers, LineSeries } from "./lightweight-charts.js";
import { colours, newPlot, seconds, whenSized } from "./plot.js";
import { signalTable } from "./rows.js";
import { StructureBands } from "./structure-bands.js";
import { say, word } from "./text.js";
import { card } from "./view-overview.js";

const TIMEFRAMES = ["5m", "15m", "1h"];

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function chartView({ argument, snapshot, go }) {
  const symbols = /** @type {{ symbol: string }[]} */ (await ask("/api/symbols"));
  const held = snapshot?.positions[0]?.symbol;
  const symbol = argument || held || symbols[0]?.symbol || "";
  let timeframe = localStorage.getItem("timeframe") ?? "5m";
  const place = h(".plot.tall");
  const message = h("p.empty");
  const list = h("div");
  const choice = h(
    "select",
    { "aria-label": say("symbol"), onchange: (/** @type {any} */ event) => go(`#/chart/${event.target.value}`) },
    symbols.map((one) => h("option", { value: one.symbol, selected: one.symbol === symbol }, one.symbol)),
  );
  const frames = h(".segmented", { role: "group", "aria-label": say("timeframe") });
  const layers = { "order-block": true, gap: true, break: true, sweep: true };
  const legend = h(
    ".legend",
    null,
    Object.keys(layers).map((kind) =>
      h(
        "label",
        null,
        h("input", {
          type: "checkbox",
          checked: true,
          onchange: (/** @type {any} */ event) => {
            layers[/** @type {keyof typeof layers} */ (kind)] = event.target.checked;
            load();
          },
        }),
        word(kind),
      ),
    ),
  );

  const plot = newPlot(place);
  const { gain, loss, accent, warn, muted } = colours();
  const candles = plot.addSeries(CandlestickSeries, {
    upColor: gain,
    downColor: loss,
    borderVisible: false,
    wickUpColor: gain,
    wickDownColor: loss,
  });
  const bands = new StructureBands({ gain, loss, muted });
  candles.attachPrimitive(bands);
  const markers = createSeriesMarkers(candles, []);
  const stopLine = plot.addSeries(LineSeries, {
    color: loss,
    lineWidth: 2,
    lineType: 1,
    lastValueVisible: false,
    priceLineVisible: false,
    crosshairMarkerVisible: false,
  });
  /** @type {any[]} */
  let lines = [];
  let shown = 0;

  const showFrames = () =>
    fill(
      frames,
      TIMEFRAMES.map((name) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(name === timeframe),
            onclick: () => {
              timeframe = name;
              localStorage.setItem("timeframe", name);
              showFrames();
              load().then(fit);
            },
          },
          name,
        ),
      ),
    );

  /** The last bars, with some room for what comes. */
  const fit = () => plot.timeScale().setVisibleLogicalRange({ from: shown - 150, to: shown + 8 });

  let gone = false;
  const load = async () => {
    const query = `symbol=${encodeURIComponent(symbol)}`;
    const [chart, signals, trades, moves, positions] = await Promise.all([
      ask(`/api/chart?${query}&timeframe=${timeframe}&limit=400`),
      ask(`/api/signals?${query}&limit=100`),
      ask(`/api/trades?${query}&limit=100`),
      ask(`/api/stop-moves?${query}&limit=200`),
      ask("/api/positions"),
    ]);
    // Whoever has gone on to another view has taken the chart away meanwhile.
    if (gone) return;
    fill(message, chart.bars.length === 0 ? `${symbol}: –` : "");
    const precision = decimals(chart.bars);
    candles.applyOptions({ priceFormat: { type: "price", precision, minMove: 1 / 10 ** precision } });
    candles.setData(
      chart.bars.map((/** @type {any} */ [time, open, high, low, close]) => ({
        time: seconds(time),
        open,
        high,
        low,
        close,
      })),
    );
    const first = chart.bars[0]?.[0] ?? 0;
    const lastBar = chart.bars.at(-1)?.[0] ?? 0;
    bands.show(newest(chart.structure, layers), first, lastBar);
    markers.setMarkers(markersOf(signals, trades, chart, { gain, loss, accent, warn, muted }));
    for (const line of lines) candles.removePriceLine(line);
    const position = positions.find((/** @type {any} */ row) => row.symbol === symbol);
    lines = position === undefined ? [] : positionLines(candles, position, { gain, loss, accent, warn });
    stopLine.setData(position === undefined ? [] : stopPath(position, moves, chart));
    shown = chart.bars.length;
    fill(list, signalTable(signals.slice(0, 12)));
  };
  plot.subscribeClick((/** @type {any} */ event) => {
    if (event.time !== undefined) showWhy(symbol, Number(event.time) * 1000 + msOf(timeframe));
  });

  whenSized(plot, fit);
  showFrames();
  await load();
  let last = 0;
  const section = card(symbol, place, message, legend);
  fill(/** @type {Element} */ (section.firstElementChild), choice, frames);
  return {
    element: h(".stack", null, section, card(say("signals"), list)),
    onLeave: () => {
      gone = true;
      plot.remove();
    },
    onEvent(event) {
      if (event.kind !== "snapshot" || event.snapshot.lastBar === last) return;
      last = event.snapshot.lastBar;
      load();
    },
  };
}

/** The decimals that prices of this contract have. @param {any[]} bars */
function decimals(bars) {
  const digits = bars
    .slice(-60)
    .flatMap((bar) => bar.slice(1, 5).map((/** @type {number} */ value) => String(value).split(".")[1]?.length ?? 0));
  return Math.min(8, Math.max(0, ...digits));
}

/** The newest objects of each kind: a chart with all of them shows nothing. @param {any[]} structure @param {Record<string, boolean>} layers */
function newest(structure, layers) {
  const most = /** @type {Record<string, number>} */ ({ "order-block": 10, gap: 8, break: 8, sweep: 5 });
  return Object.keys(most).flatMap((kind) =>
    layers[kind] ? structure.filter((line) => line.kind === kind).slice(-most[kind]) : [],
  );
}

/** @param {string} timeframe */
function msOf(timeframe) {
  return { "5m": 300_000, "15m": 900_000, "1h": 3_600_000 }[timeframe] ?? 300_000;
}

/** @param {any[]} signals @param {any[]} trades @param {any} chart @param {Record<string, string>} colour */
function markersOf(signals, trades, chart, colour) {
  const barOf = (/** @type {number} */ time) => seconds(time - (time % chart.ms));
  const first = chart.bars[0]?.[0] ?? 0;
  const marks = [];
  for (const signal of signals) {
    // A signal comes with the close of its bar, which is the open of the next.
    const time = signal.time - 1;
    if (time < first) continue;
    const long = signal.direction === "long";
    const taken = signal.outcome === "opened";
    marks.push({
      time: barOf(time),
      position: long ? "belowBar" : "aboveBar",
      shape: long ? "arrowUp" : "arrowDown",
      color: taken ? colour.accent : colour.muted,
      text: taken ? signal.setup : "",
    });
  }
  for (const trade of trades) {
    if (trade.exitTime < first) continue;
    marks.push({
      time: barOf(trade.exitTime),
      position: "inBar",
      shape: "circle",
      color: trade.pnl >= 0 ? colour.gain : colour.loss,
      text: `${trade.pnl >= 0 ? "+" : "−"}${Math.abs(trade.pnl).toFixed(1)}`,
    });
  }
  return /** @type {any} */ (marks.sort((a, b) => a.time - b.time));
}

/** @param {any} candles @param {any} position @param {Record<string, string>} colour */
function positionLines(candles, position, colour) {
  const line = (
    /** @type {number} */ price,
    /** @type {string | undefined} */ color,
    /** @type {string} */ title,
    style = 2,
  ) => candles.createPriceLine({ price, color, title, lineWidth: 1, lineStyle: style, axisLabelVisible: true });
  return [
    line(position.entry, colour.accent, say("entry"), 0),
    line(position.stop, colour.loss, say("stop")),
    line(position.target, colour.gain, say("target")),
    line(position.disasterStop, colour.warn, "!", 1),
  ];
}

/** Where the stop lay since the entry. @param {any} position @param {any[]} moves newest first @param {any} chart */
function stopPath(position, moves, chart) {
  const begun = position.openedAt;
  const mine = moves.filter(({ time }) => time >= begun).toReversed();
  const from = mine[0]?.from ?? position.stop;
  const steps = [{ time: begun, value: from }, ...mine.map(({ time, to }) => ({ time, value: to }))];
  const end = chart.bars.at(-1)?.[0] ?? begun;
  const points = new Map();
  for (const { time, value } of [...steps, { time: Math.max(end, begun), value: position.stop }]) {
    const bar = seconds(time - (time % chart.ms));
    if (bar * 1000 >= (chart.bars[0]?.[0] ?? 0)) points.set(bar, value);
  }
  return /** @type {any} */ ([...points].sort(([a], [b]) => a - b).map(([time, value]) => ({ time, value })));
}

import { createChart } from "./lightweight-charts.js";

/** The colours of the theme that is shown. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  return {
    card: of("card"),
    ink: of("ink"),
    muted: of("muted"),
    grid: of("grid"),
    line: of("line"),
    accent: of("accent"),
    gain: of("gain"),
    loss: of("loss"),
    warn: of("warn"),
  };
}

/** A chart in the colours of the theme, as wide as its place. Times are UTC. @param {HTMLElement} place */
export function newPlot(place) {
  const { muted, grid, line } = colours();
  return createChart(place, {
    autoSize: true,
    layout: {
      background: { color: "transparent" },
      textColor: muted,
      fontSize: 11.5,
      fontFamily: getComputedStyle(document.body).fontFamily,
      attributionLogo: false,
    },
    grid: { vertLines: { visible: false }, horzLines: { color: grid } },
    rightPriceScale: { borderColor: line },
    timeScale: { borderColor: line, timeVisible: true, secondsVisible: false, maxBarSpacing: 36 },
    crosshair: { mode: 0 },
  });
}

/**
 * Does something as soon as a chart knows how wide it is, which is only when it is on the page.
 * @param {import("./lightweight-charts.js").IChartApi} plot @param {() => void} fit
 */
export function whenSized(plot, fit) {
  const scale = plot.timeScale();
  const once = () => {
    scale.unsubscribeSizeChange(once);
    fit();
  };
  scale.subscribeSizeChange(once);
}

/** @param {number} ms @returns {any} the library's time: whole seconds */
export const seconds = (ms) => Math.floor(ms / 1000);

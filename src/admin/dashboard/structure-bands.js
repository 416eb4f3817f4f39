import { seconds } from "./plot.js";

/**
 * Draws confirmed market structure behind the candles: order blocks and gaps as bands from the bar they sit on to the
 * right edge, breaks and sweeps as short lines at their price.
 */
export class StructureBands {
  /** @param {{ gain: string, loss: string, muted: string }} colours */
  constructor(colours) {
    this.colours = colours;
    /** @type {any[]} */
    this.lines = [];
    this.first = 0;
    this.last = 0;
    /** @type {any} */
    this.attachedTo = undefined;
  }

  /** @param {any[]} lines @param {number} first @param {number} last open times of the shown bars, ms */
  show(lines, first, last) {
    this.lines = lines;
    this.first = first;
    this.last = last;
    this.attachedTo?.requestUpdate();
  }

  /** @param {any} parameters */
  attached(parameters) {
    this.attachedTo = parameters;
  }

  detached() {
    this.attachedTo = undefined;
  }

  /** @returns {any} */
  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (/** @type {any} */ target) => this.#draw(target) }) }];
  }

  /** @param {any} target */
  #draw(target) {
    if (this.attachedTo === undefined) return;
    const { chart, series } = this.attachedTo;
    target.useMediaCoordinateSpace((/** @type {any} */ { context, mediaSize }) => {
      for (const line of this.lines) {
        const at = Math.max(line.kind === "break" ? (line.swingAt ?? line.formedAt) : line.formedAt, this.first);
        const x = chart.timeScale().timeToCoordinate(seconds(at));
        if (x === null) continue;
        const colour = line.direction === "bullish" || line.direction === "low" ? this.colours.gain : this.colours.loss;
        if (line.top !== undefined) {
          const top = series.priceToCoordinate(line.top);
          const bottom = series.priceToCoordinate(line.bottom);
          if (top === null || bottom === null) continue;
          const isGap = line.kind === "gap";
          context.globalAlpha = isGap ? 0.08 : 0.15;
          context.fillStyle = colour;
          context.fillRect(x, top, mediaSize.width - x, Math.max(1, bottom - top));
          context.globalAlpha = 0.5;
          context.fillRect(x, top, isGap ? 2 : 3, Math.max(1, bottom - top));
        } else if (line.price !== undefined) {
          const y = series.priceToCoordinate(line.price);
          const end = chart.timeScale().timeToCoordinate(seconds(line.confirmedAt ?? this.last));
          if (y === null || end === null) continue;
          context.globalAlpha = 0.75;
          context.strokeStyle = colour;
          context.lineWidth = 1;
          context.setLineDash(line.kind === "sweep" ? [2, 3] : []);
          context.beginPath();
          context.moveTo(x, y);
          context.lineTo(Math.max(end, x + 4), y);
          context.stroke();
          context.setLineDash([]);
          context.fillStyle = this.colours.muted;
          context.font = "10px system-ui, sans-serif";
          const name = line.kind === "break" ? (line.character === "choch" ? "CHOCH" : "BOS") : "sweep";
          context.fillText(name, end + 3, y + 3);
        }
      }
      context.globalAlpha = 1;
    });
  }
}

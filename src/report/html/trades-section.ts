import type { BacktestReport, ReportedTrade } from "../backtest-report.ts";
import type { Scene } from "../scenes.ts";
import {
  duration,
  excursionsInR,
  minuteText,
  NONE,
  number,
  percent,
  result,
  resultInR,
  signed,
  timeframeText,
} from "./figures.ts";
import { html, type Markup } from "./markup.ts";

const CHOICES = { best: "Best", worst: "Worst", sample: "Sample" } as const;

/** More trades than this are not listed on the page: browsers grow slow, and the JSON has them all. */
const MOST_LISTED = 2000;

const SETUPS: Readonly<Record<string, string>> = {
  "order-block": "order block",
  gap: "fair value gap",
  breaker: "breaker block",
};

function setupText(setup: string): string {
  return SETUPS[setup] ?? setup;
}

export function tradesSection(report: BacktestReport, scenes: readonly Scene[]): Markup {
  const { trades } = report;
  if (trades.length === 0) return html``;
  // The page begins with the best trade that is drawn in the bars it was decided on.
  const shortest = scenes.reduce((least, { timeframe }) => Math.min(least, timeframe), Number.POSITIVE_INFINITY);
  const pnlOf = (scene: number) => trades[scenes[scene]!.trade]!.pnl;
  const finest = scenes.flatMap(({ timeframe }, i) => (timeframe === shortest ? [i] : []));
  const start = finest.reduce((best, i) => (pnlOf(i) > pnlOf(best) ? i : best), finest[0] ?? 0);
  return html`<section id="trades" aria-labelledby="trades-title"><h2 id="trades-title">Trades</h2>
${scenes.length > 0 && theatre(trades, scenes, start)}
${allTrades(trades, scenes)}
</section>`;
}

/** One trade at a time on its candles. Radio buttons choose: arrow keys move among them without a script. */
function theatre(trades: readonly ReportedTrade[], scenes: readonly Scene[], start: number): Markup {
  return html`<div class="theatre" data-start="${start}">
<fieldset class="picker"><legend>Shown trades <small>best, worst and an even sample</small></legend><div class="picks">
${(["best", "worst", "sample"] as const).map((choice) => {
  const rows = scenes.map((scene, i) => ({ scene, i })).filter(({ scene }) => scene.choice === choice);
  if (choice !== "sample") {
    const sign = choice === "best" ? -1 : 1;
    rows.sort((a, b) => sign * (trades[a.scene.trade]!.pnl - trades[b.scene.trade]!.pnl));
  }
  return rows.length === 0
    ? ""
    : html`<div class="group" role="group" aria-label="${CHOICES[choice]}"><p class="group-name" aria-hidden="true">${CHOICES[choice]}</p>${rows.map(
        ({ scene, i }) => option(trades[scene.trade]!, i, i === start),
      )}</div>`;
})}</div>
</fieldset>
<div class="stage">
<figure class="scene" tabindex="0" aria-label="Candles around the chosen trade. Arrow keys move along the bars."><div class="canvas"><noscript><p class="note">The candles are drawn by the page's own script, which is switched off.</p></noscript></div>
<figcaption class="readout" aria-live="polite"></figcaption></figure>
<p class="legend"><span><i class="candle up"></i>rose (hollow)</span><span><i class="candle down"></i>fell (filled)</span><span><i class="swatch cause"></i>zone that caused it</span><span><i class="swatch zone"></i>other zones known then</span><span><i class="swatch broken"></i>structure broken</span><span><i class="swatch reward"></i>to target</span><span><i class="swatch risk"></i>to stop</span></p>
${scenes.map((scene, i) => detail(trades[scene.trade]!, scene, i, i === start))}
</div></div>`;
}

function option(trade: ReportedTrade, index: number, checked: boolean): Markup {
  const mark = trade.side === "long" ? "▲" : "▼";
  return html`<label><input type="radio" name="scene" value="${index}"${checked ? html` checked` : ""}><span class="pick"><span>${mark} ${trade.symbol}<small>${minuteText(trade.entryTime).slice(5)} ${trade.side}, ${trade.reason}</small></span>${result(trade.pnl)}</span></label>`;
}

function detail(trade: ReportedTrade, scene: Scene, index: number, shown: boolean): Markup {
  const inR = excursionsInR(trade);
  const facts: readonly [string, Markup | string][] = [
    ["Entry", html`${price(trade.entryPrice)} <small>planned ${price(trade.plannedEntry)}</small>`],
    ["Exit", html`${price(trade.exitPrice)} <small>${trade.reason}</small>`],
    ["Stop", price(trade.stop)],
    ["Target", price(trade.target)],
    [
      "Size",
      html`${trade.quantity} <small>${number(trade.quantity * trade.entryPrice, 0)} USDT at ${trade.leverage}×</small>`,
    ],
    [
      "Held",
      html`${duration(trade.exitTime - trade.entryTime)} <small>to ${minuteText(trade.exitTime).slice(5)}</small>`,
    ],
    ["Fees, funding", html`${number(trade.fees)} <small>${signed(trade.funding)}</small>`],
    ["Against, in favour", inR === null ? NONE : `${inR.mae.toFixed(2)} R, ${inR.mfe.toFixed(2)} R`],
  ];
  const multiple = resultInR(trade);
  const unnamed = scene.zones.some((zone) => zone.cause)
    ? ""
    : "The reasons name no zone that was known then by its bounds; those nearest to the entry are drawn.";
  return html`<div class="detail" data-scene="${index}"${shown ? "" : html` hidden`}>
<h3>${trade.symbol} ${trade.side} <small>${setupText(trade.setup)}, ${trade.strategy}, confidence ${trade.confidence.toFixed(2)}, ${minuteText(trade.entryTime)} UTC</small></h3>
<p class="outcome">${result(trade.pnl, (value) => `${signed(value)} USDT`)}${multiple === null ? "" : html` · ${result(multiple, (value) => `${signed(value)} R`)}`}</p>
<dl class="facts grid">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
<h4>Why</h4><ul class="plain">${trade.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>
${unnamed !== "" && html`<p class="note">${unnamed}</p>`}</div>`;
}

/** As many digits as the price has; they were rounded where the report was made. */
function price(value: number): string {
  return String(value);
}

function allTrades(trades: readonly ReportedTrade[], scenes: readonly Scene[]): Markup {
  const sceneOf = new Map(scenes.map((scene, i) => [scene.trade, i]));
  const listed =
    trades.length <= MOST_LISTED
      ? trades.map((_, index) => index)
      : trades
          .map((_, index) => index)
          .sort((a, b) => Math.abs(trades[b]!.pnl) - Math.abs(trades[a]!.pnl) || a - b)
          .slice(0, MOST_LISTED)
          .sort((a, b) => a - b);
  const columns = [
    "Symbol",
    "Side",
    "Entered",
    "Held",
    "Entry",
    "Exit",
    "By",
    "Setup",
    "Conf.",
    "MAE",
    "MFE",
    "R",
    "Result",
  ];
  return html`<details class="all"><summary>${listed.length < trades.length ? `The ${number(listed.length, 0)} largest of ${number(trades.length, 0)} trades` : `All ${number(trades.length, 0)} trades`} <small>sortable by any column</small></summary>
<div class="scroll tall"><table data-sortable><caption class="unseen">Trades by time of exit</caption>
<thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${listed.map((index) => row(trades[index]!, sceneOf.get(index)))}</tbody></table></div></details>`;
}

function row(trade: ReportedTrade, scene: number | undefined): Markup {
  const inR = excursionsInR(trade);
  const multiple = resultInR(trade);
  const held = trade.exitTime - trade.entryTime;
  const name = scene === undefined ? trade.symbol : html`<a href="#trades" data-show="${scene}">${trade.symbol}</a>`;
  return html`<tr><th scope="row">${name}</th><td class="text">${trade.side}</td><td>${minuteText(trade.entryTime)}</td><td data-v="${held}">${duration(held)}</td><td>${price(trade.entryPrice)}</td><td>${price(trade.exitPrice)}</td><td class="text">${trade.reason}</td><td class="text">${setupText(trade.setup)}</td><td>${percent(trade.confidence, 0)}</td><td>${inR === null ? NONE : inR.mae.toFixed(2)}</td><td>${inR === null ? NONE : inR.mfe.toFixed(2)}</td><td>${result(multiple)}</td><td>${result(trade.pnl)}</td></tr>`;
}

/**
 * A scene as the page's script reads it. Candles are `[open - close before, high above body, low beneath body,
 * close - open, volume]` in ticks and percent of the largest volume: small integers take few bytes.
 */
export function sceneData(trade: ReportedTrade, scene: Scene) {
  let [before, mostVolume] = [0, 0];
  for (const bar of scene.bars) if (bar !== null && bar.volume > mostVolume) mostVolume = bar.volume;
  const bars = scene.bars.map((bar) => {
    if (bar === null) return 0;
    const { open, high, low, close, volume } = bar;
    const row = [
      open - before,
      high - Math.max(open, close),
      Math.min(open, close) - low,
      close - open,
      mostVolume > 0 ? Math.round((volume / mostVolume) * 100) : 0,
    ];
    before = close;
    return row;
  });
  return {
    symbol: trade.symbol,
    long: trade.side === "long",
    name: timeframeText(scene.timeframe),
    timeframe: scene.timeframe,
    from: scene.from,
    tick: scene.tick,
    decimals: scene.decimals,
    bars,
    signalAt: scene.signalAt,
    entryTime: trade.entryTime,
    exitTime: trade.exitTime,
    entry: trade.entryPrice,
    exit: trade.exitPrice,
    planned: trade.plannedEntry,
    stop: trade.stop,
    target: trade.target,
    won: trade.pnl > 0,
    zones: scene.zones.map(({ kind, timeframe, formedAt, top, bottom, cause }) => ({
      name: `${timeframe} ${setupText(kind)}`,
      formedAt,
      top,
      bottom,
      cause,
    })),
    breaks: scene.breaks.map(({ timeframe, character, swingAt, at, price: broken }) => ({
      name: `${timeframe} ${character === "bos" ? "break of structure" : "change of character"}`,
      swingAt,
      at,
      price: broken,
    })),
  };
}

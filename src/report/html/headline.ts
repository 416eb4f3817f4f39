import type { BacktestReport } from "../backtest-report.ts";
import { DAY } from "../equity.ts";
import {
  count,
  dayText,
  duration,
  minuteText,
  NONE,
  number,
  percent,
  ratio,
  result,
  resultInR,
  signed,
  signedPercent,
  sum,
  timeframeText,
} from "./figures.ts";
import { type Content, html, type Markup } from "./markup.ts";

/** What was run, how real it was, and how it ended. */
export function headline(report: BacktestReport): Markup {
  const { summary, from, to, symbols, timeframe, timing } = report;
  const change = summary.endEquity - summary.startEquity;
  const strategies = [...new Set(report.trades.map((trade) => trade.strategy))].join(", ");
  return html`<header class="top" id="top">
<div class="title">
<p class="eyebrow">Penstock${strategies === "" ? "" : ` · ${strategies}`}</p>
<h1>${dayText(from)} to ${dayText(to)}</h1>
<p class="muted">${count(symbols.length, "symbol")} · ${timeframeText(timeframe)} bars · ${number(timing.bars, 0)} of them · ${days(to - from)} · UTC</p>
</div>
${stamp(report.mode)}
<div class="verdict">
<p class="hero">${result(change, (value) => `${signed(value)} USDT`)} <span class="hero-share">${result(summary.growth, (value) => signedPercent(value, 2))}</span></p>
<p>${verdict(report)}</p>
</div>
</header>`;
}

function stamp(mode: BacktestReport["mode"]): Markup {
  const meaning = mode === "live" ? "real money" : "no real money was traded";
  return html`<p class="stamp"><strong>${mode.toUpperCase()}</strong><span>${meaning}</span></p>`;
}

function verdict({ summary, buyAndHold, openPositions, trades, from, to }: BacktestReport): Content {
  const start = `${number(summary.startEquity, 0)} USDT`;
  const share = percent(Math.abs(summary.growth));
  const happened =
    summary.growth === 0
      ? `The trader kept its ${start}`
      : `The trader ${summary.growth > 0 ? "gained" : "lost"} ${share} of ${start}`;
  const held =
    buyAndHold.growth < 0
      ? `lost ${percent(-buyAndHold.growth)}`
      : buyAndHold.growth > 0
        ? `gained ${percent(buyAndHold.growth)}`
        : "changed nothing";
  const open = sum(openPositions.map((position) => position.unrealised));
  return [
    `${happened} in ${days(to - from)}. Holding an equal share of every symbol would have ${held}; not trading would have kept it. `,
    trades.length === 0
      ? "No trade was closed."
      : `${count(trades.length, "closed trade")} made ${signed(summary.netPnl)} USDT.`,
    openPositions.length > 0 &&
      ` ${count(openPositions.length, "position")} ${openPositions.length === 1 ? "was" : "were"} still open at the end, at ${signed(open)} USDT.`,
  ];
}

function days(length: number): string {
  return length < 2 * DAY ? duration(length) : `${Number((length / DAY).toFixed(1))} days`;
}

/** The figures that most people look for first. */
export function figures(report: BacktestReport): Markup {
  const { summary, trades } = report;
  const multiples = trades.map(resultInR).filter((value) => value !== null);
  const expectancy = multiples.length > 0 ? sum(multiples) / multiples.length : null;
  const tiles: readonly [string, Content, Content][] = [
    ["Trades", number(summary.trades, 0), `${summary.wins} won, ${summary.losses} lost`],
    ["Win rate", percent(summary.winRate), `profit factor ${ratio(summary.profitFactor)}`],
    [
      "Per trade",
      result(expectancy, (value) => `${signed(value)} R`),
      html`${result(summary.averageTrade)} USDT after costs`,
    ],
    ["Max drawdown", percent(summary.maxDrawdown), `${number(summary.maxDrawdownUsdt)} USDT at most`],
    ["Sharpe", ratio(summary.sharpe), `Sortino ${ratio(summary.sortino)}, Calmar ${ratio(summary.calmar)}`],
    ["Average win", result(summary.averageWin), html`average loss ${result(summary.averageLoss)}`],
    ["In the market", percent(summary.exposure), `${percent(summary.averageExposure)} exposed on average`],
    [
      "Turnover",
      `${number(summary.turnover, 0)} ×`,
      `held for ${summary.averageHolding === null ? NONE : duration(summary.averageHolding)} on average`,
    ],
  ];
  return html`<section aria-label="Key figures"><dl class="tiles">${tiles.map(
    ([name, value, note]) => html`<div><dt>${name}</dt><dd><b>${value}</b><small>${note}</small></dd></div>`,
  )}</dl></section>`;
}

/** The trader beside doing the simplest thing, and doing nothing. */
export function comparison(report: BacktestReport): Markup {
  const { summary, buyAndHold } = report;
  const start = summary.startEquity;
  const rows = [
    {
      name: html`<i class="key key-equity"></i>This trader`,
      end: summary.endEquity,
      growth: summary.growth,
      drawdown: summary.maxDrawdown,
      sharpe: summary.sharpe,
    },
    {
      name: html`<i class="key key-hold"></i>Buy and hold`,
      end: start * (1 + buyAndHold.growth),
      growth: buyAndHold.growth,
      drawdown: buyAndHold.maxDrawdown,
      sharpe: buyAndHold.sharpe,
    },
    { name: html`<i class="key key-none"></i>No trade`, end: start, growth: 0, drawdown: 0, sharpe: null },
  ];
  return html`<div class="scroll"><table class="compare">
<caption class="unseen">Comparison on the same bars</caption>
<thead><tr><th scope="col">On the same bars</th><th scope="col">Equity at the end</th><th scope="col">Return</th><th scope="col">Max drawdown</th><th scope="col">Sharpe</th></tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr><th scope="row">${row.name}</th><td>${number(row.end)}</td><td>${result(row.growth, signedPercent)}</td><td>${percent(row.drawdown)}</td><td>${ratio(row.sharpe)}</td></tr>`,
  )}</tbody></table></div>
<p class="note">Buy and hold puts an equal share into each symbol at the open of its first bar and keeps it, without leverage, fees, spread or funding; what is delisted turns into cash. Started ${minuteText(report.from)}, ended ${minuteText(report.to)} UTC.</p>`;
}

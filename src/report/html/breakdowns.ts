import type { BacktestReport, ReportedTrade } from "../backtest-report.ts";
import { RESULT_EDGES } from "../collector.ts";
import {
  count,
  duration,
  excursionsInR,
  median,
  minuteText,
  NONE,
  number,
  percent,
  result,
  resultInR,
  sum,
} from "./figures.ts";
import { type Content, html, type Markup } from "./markup.ts";
import { at, BOX, frame, scaleOf } from "./plot.ts";

interface Group {
  readonly name: string;
  readonly trades: readonly ReportedTrade[];
}

function groupsOf(trades: readonly ReportedTrade[], nameOf: (trade: ReportedTrade) => string): Group[] {
  const groups = new Map<string, ReportedTrade[]>();
  for (const trade of trades) {
    const name = nameOf(trade);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [trade]);
    else group.push(trade);
  }
  return [...groups].map(([name, of]) => ({ name, trades: of }));
}

const pnlOf = (trades: readonly ReportedTrade[]) => sum(trades.map((trade) => trade.pnl));

/** A bar to the left for what was lost and to the right for what was gained, as a share of the largest. */
function bar(value: number, largest: number): Markup {
  const width = largest > 0 ? Math.round((Math.abs(value) / largest) * 500) / 10 : 0;
  return html`<span class="bar ${value < 0 ? "loss" : "gain"}" style="--width:${width}%" aria-hidden="true"></span>`;
}

function groupTable(caption: string, first: string, groups: readonly Group[], sortable: boolean): Markup {
  const largest = Math.max(0, ...groups.map((group) => Math.abs(pnlOf(group.trades))));
  const columns = [first, "Trades", "Won", "Average R", "Held", "Fees", "Funding", "Result", ""];
  return html`<div class="scroll"><table${sortable ? html` data-sortable` : ""}>
<caption class="unseen">${caption}</caption>
<thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${groups.map(({ name, trades }) => {
    const pnl = pnlOf(trades);
    const won = trades.filter((trade) => trade.pnl > 0).length / trades.length;
    const multiples = trades.map(resultInR).filter((value) => value !== null);
    const multiple = multiples.length > 0 ? sum(multiples) / multiples.length : null;
    const held = sum(trades.map((trade) => trade.exitTime - trade.entryTime)) / trades.length;
    return html`<tr><th scope="row">${name}</th><td>${number(trades.length, 0)}</td><td data-v="${won}">${percent(won, 0)}</td><td data-v="${multiple ?? ""}">${result(multiple)}</td><td data-v="${held}">${duration(held)}</td><td>${number(sum(trades.map((trade) => trade.fees)))}</td><td>${result(sum(trades.map((trade) => trade.funding)))}</td><td>${result(pnl)}</td><td class="bars" data-v="${pnl}">${bar(pnl, largest)}</td></tr>`;
  })}</tbody></table></div>`;
}

export function exits(report: BacktestReport): Markup {
  const { trades } = report;
  if (trades.length === 0) return html``;
  const byPnl = (groups: Group[]) => groups.sort((a, b) => pnlOf(b.trades) - pnlOf(a.trades));
  return html`<section id="exits" aria-labelledby="exits-title"><h2 id="exits-title">How trades ended</h2>
${groupTable("By exit", "Exit", byPnl(groupsOf(trades, (trade) => trade.reason)), false)}
<h3>By setup and side</h3>
${groupTable("By setup and side", "Setup", byPnl(groupsOf(trades, (trade) => `${trade.setup}, ${trade.side}`)), false)}
</section>`;
}

export function bySymbol(report: BacktestReport): Markup {
  const { trades, symbols } = report;
  const groups = groupsOf(trades, (trade) => trade.symbol);
  groups.sort((a, b) => pnlOf(b.trades) - pnlOf(a.trades) || (a.name < b.name ? -1 : 1));
  const idle = symbols.filter((symbol) => !groups.some((group) => group.name === symbol));
  return html`<section id="symbols" aria-labelledby="symbols-title"><h2 id="symbols-title">By symbol</h2>
${groups.length > 0 && groupTable("By symbol", "Symbol", groups, true)}
${idle.length > 0 && html`<p class="note">No trade in ${idle.join(", ")}.</p>`}
${openPositions(report)}
</section>`;
}

function openPositions({ openPositions: positions }: BacktestReport): Markup {
  if (positions.length === 0) return html``;
  return html`<h3>Open at the end, not among the trades</h3>
<div class="scroll"><table><caption class="unseen">Open positions</caption>
<thead><tr><th scope="col">Symbol</th><th scope="col">Side</th><th scope="col">Since</th><th scope="col">Entry</th><th scope="col">Mark</th><th scope="col">Unrealised</th></tr></thead>
<tbody>${positions.map(
    (position) =>
      html`<tr><th scope="row">${position.symbol}</th><td class="text">${position.side}</td><td>${minuteText(position.entryTime)}</td><td>${position.entryPrice}</td><td>${position.mark}</td><td>${result(position.unrealised)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** From signals to trades, and who stopped the others. */
export function refusals(report: BacktestReport): Markup {
  const sorted = Object.entries(report.refusals).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const refused = sum(sorted.map(([, times]) => times));
  const opened = report.trades.length + report.openPositions.length;
  const most = Math.max(1, ...sorted.map(([, times]) => times));
  return html`<section id="refusals" aria-labelledby="refusals-title"><h2 id="refusals-title">Refusals by guard</h2>
<p class="flow"><span><b>${number(report.signals, 0)}</b> signals</span><span><b>${number(refused, 0)}</b> refused</span><span><b>${number(opened, 0)}</b> positions</span></p>
${
  sorted.length > 0 &&
  html`<div class="scroll"><table class="refusals"><caption class="unseen">Refusals by guard</caption>
<thead><tr><th scope="col">Guard</th><th scope="col">Said no</th><th scope="col"></th><th scope="col" class="text">The first time</th></tr></thead>
<tbody>${sorted.map(([guard, times]) => {
    const example = report.refusalExamples[guard];
    return html`<tr><th scope="row">${guard}</th><td>${number(times, 0)}</td><td class="bars one-way"><span class="bar accent" style="--width:${((times / most) * 100).toFixed(1)}%" aria-hidden="true"></span></td><td class="text wrap">${
      example !== undefined && html`${example.reason} <small>${example.symbol}, ${minuteText(example.time)}</small>`
    }</td></tr>`;
  })}</tbody></table></div>`
}
${stateChanges(report)}</section>`;
}

function stateChanges({ stateChanges: changes }: BacktestReport): Markup {
  if (changes.length === 0) return html``;
  const shown = changes.slice(0, 50);
  return html`<h3>Trading state</h3><ul class="plain">${shown.map(
    ({ time, from, to, reason }) => html`<li><small>${minuteText(time)}</small> ${from} → <b>${to}</b>: ${reason}</li>`,
  )}</ul>${changes.length > shown.length && html`<p class="note">${count(changes.length - shown.length, "more change")}.</p>`}`;
}

/** What trading would have brought, and what was taken from it on the way. */
export function costs(report: BacktestReport): Markup {
  const { costs: paid, summary } = report;
  const net = summary.endEquity - summary.startEquity;
  const gross = net + paid.fees + paid.spreadAndSlippage + paid.funding;
  const steps: readonly { name: string; value: number; from: number; note: string; total: boolean }[] = [
    { name: "Before costs", value: gross, from: 0, note: "the price alone", total: true },
    { name: "Fees", value: -paid.fees, from: gross, note: "commissions", total: false },
    {
      name: "Spread and slippage",
      value: -paid.spreadAndSlippage,
      from: gross - paid.fees,
      note: "estimated from taker fills",
      total: false,
    },
    {
      name: "Funding",
      value: -paid.funding,
      from: gross - paid.fees - paid.spreadAndSlippage,
      note: paid.funding > 0 ? "paid" : "received",
      total: false,
    },
    { name: "After costs", value: net, from: 0, note: "change of the equity", total: true },
  ];
  const ends = steps.flatMap(({ value, from }) => [from, from + value]);
  const low = Math.min(0, ...ends);
  const span = Math.max(0, ...ends) - low || 1;
  const share = (value: number) => `${(((value - low) / span) * 100).toFixed(2)}%`;
  const taken = paid.fees + paid.spreadAndSlippage + paid.funding;
  return html`<section id="costs" aria-labelledby="costs-title"><h2 id="costs-title">Costs</h2>
<div class="scroll"><table class="waterfall"><caption class="unseen">From the result before costs to the result after</caption>
<tbody>${steps.map(({ name, value, from, note, total }) => {
    const left = Math.min(from, from + value);
    const width = ((Math.abs(value) / span) * 100).toFixed(2);
    return html`<tr class="${total ? "total" : ""}"><th scope="row">${name}<small>${note}</small></th><td>${result(value)}</td><td class="steps"><i style="left:${share(0)}"></i><span class="${value < 0 ? "loss" : "gain"}" style="left:${share(left)};width:${width}%"></span></td></tr>`;
  })}</tbody></table></div>
<p class="note">USDT, over all fills, open positions included. Costs took ${number(taken)} USDT, ${percent(taken / summary.startEquity)} of the starting equity${summary.trades > 0 ? `, about ${number(taken / (summary.trades + report.openPositions.length))} a trade` : ""}.</p>
${execution(report)}
</section>`;
}

/** How entries were filled, and the slippage of every order. */
function execution({ execution: { decisions, whole, partial, missed, makerShare, slippage } }: BacktestReport): Markup {
  if (decisions === 0) return html``;
  return html`<h3>Orders against the price at their decision</h3>
<div class="scroll"><table class="slippage"><caption class="unseen">Slippage by what an order was for</caption>
<thead><tr><th scope="col">Order</th><th scope="col">Filled</th><th scope="col">Median, bp</th><th scope="col">p90, bp</th><th scope="col">Mean, bp</th></tr></thead>
<tbody>${Object.entries(slippage).map(
    ([purpose, { orders, median: middle, p90, mean }]) =>
      html`<tr><th scope="row">${purpose}</th><td>${number(orders, 0)}</td><td>${number(middle, 1)}</td><td>${number(p90, 1)}</td><td>${number(mean, 1)}</td></tr>`,
  )}</tbody></table></div>
<p class="note">Average price of each order against the last price at its decision, of stops and targets against their trigger; below 0 is better than that. ${count(decisions, "decision")} to enter: ${number(whole, 0)} filled whole, ${number(partial, 0)} in part, ${number(missed, 0)} missed; ${percent(makerShare)} waited for the market.</p>`;
}

const EDGES = RESULT_EDGES.map((edge) => number(edge, Number.isInteger(edge) ? 0 : 1));
const RANGES = [
  `to ${EDGES[0]!}`,
  ...EDGES.slice(1).map((edge, i) => `${EDGES[i]!} to ${edge}`),
  `over ${EDGES.at(-1)!}`,
];

/** What every signal would have come to, whether or not it became a trade. */
export function virtualResults({ virtual }: BacktestReport): Markup {
  const { trades, outcomes, winRate, averageResult, averageBest, averageWorst, setups } = virtual;
  if (trades === 0) return html``;
  const multiple = (value: number) => html`${result(value)} R`;
  return html`<section id="virtual" aria-labelledby="virtual-title"><h2 id="virtual-title">Every signal, virtually</h2>
<p class="flow parts"><span><b>${number(trades, 0)}</b> closed</span><span><b>${number(outcomes["target-hit"], 0)}</b> at the target</span><span><b>${number(outcomes["stop-hit"], 0)}</b> at the stop</span><span><b>${number(outcomes.expired, 0)}</b> expired</span></p>
<div class="scroll"><table class="spread"><caption class="unseen">Virtual positions by setup, and how many ended in each range of results in R</caption>
<thead><tr><th scope="col">Setup</th><th scope="col">Closed</th><th scope="col">Won</th><th scope="col">Average R</th>${RANGES.map((range) => html`<th scope="col">${range}</th>`)}</tr></thead>
<tbody>${setups.map((setup) => {
    const shares = setup.distribution.map((ended) => Math.round((ended / setup.trades) * 100));
    return html`<tr><th scope="row">${setup.setup}</th><td>${number(setup.trades, 0)}</td><td>${percent(setup.winRate, 0)}</td><td>${result(setup.averageResult)}</td>${setup.distribution.map(
      (ended, i) =>
        html`<td class="${i <= LOST ? "loss" : "gain"}" style="--share:${shares[i]!}%">${number(ended, 0)}</td>`,
    )}</tr>`;
  })}</tbody></table></div>
<p class="note">One position per signal, those that a guard refused included, without costs: ${percent(winRate)} won, ${multiple(averageResult)} on average, on the way ${multiple(averageBest)} at best and ${multiple(averageWorst)} at worst. Columns on the right count positions by their result in R; a stop without a gap is −1.</p>
</section>`;
}

/** The last range without a gain. */
const LOST = RESULT_EDGES.indexOf(0);

/** Largest excursion that the plot shows, in R; what goes beyond lies on the edge. */
const MOST_R = 4;

/** How far trades went against and in favour of the position before they ended. */
export function excursions(report: BacktestReport, sceneOf: ReadonlyMap<number, number>): Markup {
  const known = report.trades.flatMap((trade, index) => {
    const inR = excursionsInR(trade);
    return inR === null ? [] : [{ trade, index, ...inR }];
  });
  if (known.length === 0) return html``;
  const limit = (values: readonly number[]) => {
    const largest = Math.max(1, ...values);
    return scaleOf(0, largest < MOST_R ? largest : MOST_R, 5);
  };
  const x = limit(known.map((entry) => entry.mae));
  const y = limit(known.map((entry) => entry.mfe));
  const inside = (value: number, high: number) => (value < high ? value : high);
  const dot = ({ mae, mfe }: (typeof known)[number]) =>
    `M${at(inside(mae, x.high), 0, x.high)} ${(BOX - at(inside(mfe, y.high), 0, y.high)).toFixed(1)}h0`;
  const wins = known.filter(({ trade }) => trade.pnl > 0);
  const losses = known.filter(({ trade }) => trade.pnl <= 0);
  const edge = known.filter(({ mae, mfe }) => mae > x.high || mfe > y.high).length;
  const text = (value: number) => `${value} R`;
  const median_ = (values: readonly number[]): Content => {
    const value = median(values);
    return value === null ? NONE : `${value.toFixed(2)} R`;
  };
  const turned = losses.filter(({ mfe }) => mfe >= 1).length;
  const frightening = wins.filter(({ mae }) => mae >= 0.8).length;
  const one = BOX - at(inside(1, y.high), 0, y.high);
  return html`<section id="excursions" aria-labelledby="excursions-title"><h2 id="excursions-title">Excursions</h2>
<div class="beside"><figure class="scatter" aria-label="Excursions against and in favour of each position, in R"><figcaption class="axis-y">In favour (MFE)</figcaption>
${frame({
  className: "plot-scatter",
  drawing: html`<path class="none" d="M${at(inside(1, x.high), 0, x.high)} 0V${BOX}M0 ${one}H${BOX}"/><path class="dots loss" d="${losses.map(dot).join("")}"/><path class="dots gain" d="${wins.map(dot).join("")}"/>`,
  yTicks: y.ticks.map((value) => ({ value, text: text(value) })),
  xTicks: x.ticks.map((value) => ({ value, text: text(value) })),
  x: (value) => value / x.high,
  y: (value) => value / y.high,
})}
<p class="axis-x">Against (MAE)</p></figure>
<div>
<p class="legend"><span><i class="dot gain"></i>won (round)</span><span><i class="dot loss"></i>lost (square)</span></p>
<dl class="facts">
<div><dt>Winners were down by, median</dt><dd>${median_(wins.map(({ mae }) => mae))}</dd></div>
<div><dt>Losers had been up by, median</dt><dd>${median_(losses.map(({ mfe }) => mfe))}</dd></div>
<div><dt>Losers that had been up 1 R or more</dt><dd>${turned} of ${losses.length}</dd></div>
<div><dt>Winners that came within 0.2 R of the stop</dt><dd>${frightening} of ${wins.length}</dd></div>
</dl>
<p class="note">1 R is the distance from the planned entry to the planned stop. Read from bars: the bar of the exit counts against a winner, because inside of it the price is taken to go first to the side that hurts.${edge > 0 && ` ${count(edge, "trade")} beyond the edge ${edge === 1 ? "is" : "are"} drawn on it.`} ${sceneOf.size > 0 && "The largest of each kind can be looked at above."}</p>
</div></div></section>`;
}

/** What the result rests on, and what it can be reproduced with. */
export function provenance(report: BacktestReport): Markup {
  const hashes = [
    ["Trades", report.tradesHash],
    ["Data", report.dataHash],
    ["Settings", report.settingsHash],
    ...(report.modelHash === null ? [] : [["Model", report.modelHash] as const]),
  ] as const;
  return html`<section id="assumptions" aria-labelledby="assumptions-title"><h2 id="assumptions-title">Assumptions and hashes</h2>
<ul class="assumptions">${report.assumptions.map((text) => html`<li${text.startsWith("WITHOUT") ? html` class="alarm"` : ""}>${text}</li>`)}</ul>
<dl class="hashes">${hashes.map(([name, hash]) => html`<div><dt>${name}</dt><dd><code>${hash}</code></dd></div>`)}</dl>
<p class="note">The same data and settings give the same trades hash on any machine. Every figure of this page comes from the report that <code>--json</code> writes.</p>
</section>`;
}

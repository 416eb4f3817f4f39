import { createHash } from "node:crypto";
import type { BacktestReport } from "../backtest-report.ts";
import type { Scene } from "../scenes.ts";
import { bySymbol, costs, excursions, exits, provenance, refusals, virtualResults } from "./breakdowns.ts";
import script from "./client.js" with { type: "text" };
import { calendar, curveOf, equitySection } from "./equity-section.ts";
import { dayText, signedPercent } from "./figures.ts";
import { figures, headline } from "./headline.ts";
import { html, json, Markup } from "./markup.ts";
import style from "./style.css" with { type: "text" };
import { sceneData, tradesSection } from "./trades-section.ts";

/**
 * A report as one HTML page for a person: no other file, no network (the page forbids itself any by its policy), and
 * nothing in it that differs between two runs of the same data and settings. Everything but the candles is there
 * without a script.
 */
export function reportPage(report: BacktestReport, scenes: readonly Scene[]): string {
  const curve = curveOf(report);
  const sceneOf = new Map(scenes.map((scene, i) => [scene.trade, i]));
  const data = { curve, scenes: scenes.map((scene) => sceneData(report.trades[scene.trade]!, scene)) };
  const title = `${signedPercent(report.summary.growth)} · ${dayText(report.from)} to ${dayText(report.to)} · Penstock, ${report.mode}`;
  // Only the script below may run, and nothing may be fetched.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${sha256(script)}'; base-uri 'none'; form-action 'none'`;
  const sections = [
    ["equity", "Equity"],
    ["calendar", "Months and days"],
    ...(report.trades.length > 0 ? [["trades", "Trades"] as const, ["exits", "Exits"] as const] : []),
    ["symbols", "Symbols"],
    ...(report.trades.some((trade) => trade.mae !== null) ? [["excursions", "Excursions"] as const] : []),
    ["refusals", "Refusals"],
    ...(report.virtual.trades > 0 ? [["virtual", "Signals"] as const] : []),
    ["costs", "Costs"],
    ["assumptions", "Assumptions"],
  ] as const;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<a class="skip" href="#equity">Skip to the results</a>
<nav aria-label="Sections"><div><a class="brand" href="#top">Penstock <span>${report.mode}</span></a><ul>${sections.map(
    ([id, name]) => html`<li><a href="#${id}">${name}</a></li>`,
  )}</ul><button type="button" class="theme" hidden aria-pressed="false">Dark</button></div></nav>
<main>
${headline(report)}
${figures(report)}
${equitySection(report, curve)}
${calendar(report)}
${tradesSection(report, scenes)}
${exits(report)}
${bySymbol(report)}
${excursions(report, sceneOf)}
${refusals(report)}
${virtualResults(report)}
${costs(report)}
${provenance(report)}
</main>
<footer><p><strong>${report.mode.toUpperCase()}</strong> A result on past bars is no promise. Trades hash <code>${report.tradesHash.slice(0, 16)}</code></p></footer>
<script type="application/json" id="data">${json(data)}</script>
<script>${new Markup(script)}</script>
</body>
</html>
`;
  return page.text;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

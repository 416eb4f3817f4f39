import type { ModelManifest } from "../../learning/manifest.ts";
import type { TrainingDetails } from "../../learning/training.ts";
import { dayText, minuteText, number, percent, result, signed } from "./figures.ts";
import { type Content, html, Markup } from "./markup.ts";
import { at, BOX, frame, type Point, path, scaleOf, timeTicks } from "./plot.ts";
import style from "./style.css" with { type: "text" };

/** A training as one HTML page for a person: what was found, who judged it and how, and the curves behind it. */
export function trainingPage(manifest: ModelManifest, details: TrainingDetails): string {
  const { passed, strategy, id } = manifest;
  const title = `Model ${id} · ${passed ? "passed the gate" : "refused"} · Penstock`;
  const sections = [
    ["gate", "Gate"],
    ["walk-forward", "Walk-forward"],
    ["paths", "Cross-validation"],
    ["reliability", "Reliability"],
    ["learning", "Learning curve"],
    ["importance", "Importance"],
    ["leakage", "Leakage"],
    ["provenance", "Provenance"],
  ] as const;
  // The page runs nothing and fetches nothing.
  const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
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
<a class="skip" href="#gate">Skip to the results</a>
<nav aria-label="Sections"><div><a class="brand" href="#top">Penstock <span>training</span></a><ul>${sections.map(
    ([anchor, name]) => html`<li><a href="#${anchor}">${name}</a></li>`,
  )}</ul></div></nav>
<main class="training">
<header class="top" id="top">
<div class="title">
<p class="eyebrow">Penstock · training</p>
<h1>Model ${id} for ${strategy}</h1>
<p class="muted">${number(manifest.samples, 0)} samples · ${dayText(manifest.trainedFrom)} to ${dayText(manifest.trainedTo)} · ${manifest.kind}, ${manifest.variant} · seed ${manifest.seed}</p>
</div>
<p class="stamp"><strong>${passed ? "PASSED" : "REFUSED"}</strong><span>${passed ? "it may predict as a shadow, and then decide" : "it decides nothing; the rules do"}</span></p>
</header>
${tiles(manifest, details)}
${gateSection(manifest)}
${walkForwardSection(details)}
${pathsSection(details)}
${reliabilitySection(manifest, details)}
${curveSection(details)}
${importanceSection(details)}
${leakageSection(manifest)}
${provenanceSection(manifest)}
</main>
<footer><p><strong>RESEARCH</strong> A result on past bars is no promise. Model hash <code>${manifest.modelHash.slice(0, 16)}</code></p></footer>
</body>
</html>
`;
  return page.text;
}

function tiles({ metrics, threshold }: ModelManifest, details: TrainingDetails): Markup {
  const { sharpes } = details;
  const shown: readonly [string, Content, Content][] = [
    ["Sharpe a year", result(metrics.walkForwardSharpe), `ict ${signed(sharpes.ict)}, no trade 0.00`],
    ["Deflated Sharpe", number(metrics.deflatedSharpe, 3), `against ${metrics.trials} trials of the ledger`],
    ["Overfitting", percent(metrics.pbo), "probability, by 252 splits"],
    ["AUC", number(metrics.auc, 3), "out of sample; 0.5 knows nothing"],
    ["Log loss", number(metrics.logloss, 4), `Brier ${number(metrics.brier, 4)}`],
    ["Calibration error", number(metrics.ece, 3), `trades above a chance of ${number(threshold, 3)}`],
    ["Coverage", percent(details.coverage), "of outcomes within their sets, 90 % wanted"],
    ["Trades", number(details.trades, 0), "out of sample"],
  ];
  return html`<section aria-label="Key figures"><dl class="tiles">${shown.map(
    ([name, value, note]) => html`<div><dt>${name}</dt><dd><b>${value}</b><small>${note}</small></dd></div>`,
  )}</dl></section>`;
}

function checks(rows: ModelManifest["gate"], caption: string): Markup {
  return html`<div class="scroll"><table><caption class="unseen">${caption}</caption>
<thead><tr><th scope="col">Rule</th><th scope="col">Kept</th><th class="words" scope="col">What was found</th></tr></thead>
<tbody>${rows.map(
    ({ name, passed, detail }) =>
      html`<tr><th scope="row">${name}</th><td class="${passed ? "gain" : "loss"}">${passed ? "yes" : "no"}</td><td class="words">${detail}</td></tr>`,
  )}</tbody></table></div>`;
}

function gateSection({ gate }: ModelManifest): Markup {
  return html`<section id="gate" aria-labelledby="gate-title"><h2 id="gate-title">The gate</h2>
${checks(gate, "Rules of the gate")}
<p class="note">A model decides only when every rule is kept. Sharpe ratios here are per period of four hours, as the tests need them.</p></section>`;
}

function leakageSection({ leakage }: ModelManifest): Markup {
  return html`<section id="leakage" aria-labelledby="leakage-title"><h2 id="leakage-title">Checks for knowledge of the future</h2>
${checks(leakage, "Checks for leakage")}</section>`;
}

const CLASSES: Readonly<Record<string, string>> = { model: "equity", ict: "hold", champion: "none" };

function walkForwardSection({ equity, from, to, variants, sharpes }: TrainingDetails): Markup {
  const all = equity.flatMap(({ values }) => values);
  const scale = scaleOf(Math.min(0, ...all) * 100, Math.max(0, ...all) * 100);
  const lines = equity.map(({ name, values }) => {
    const points = values.map(
      (value, i): Point => ({ time: from + ((to - from) * (i + 1)) / values.length, value: value * 100 }),
    );
    return `<path class="${CLASSES[name] ?? "none"}" d="${path(points, from, to, scale)}"/>`;
  });
  const zero = BOX - at(0, scale.low, scale.high);
  const { ticks } = timeTicks(from, to);
  return html`<section id="walk-forward" aria-labelledby="walk-title"><h2 id="walk-title">Walking forward, out of sample</h2>
<figure>${frame({
    className: "plot-equity",
    drawing: new Markup(`<path class="grid" d="M0 ${zero}H${BOX}"/>${lines.join("")}`),
    yTicks: scale.ticks.map((value) => ({ value, text: `${number(value, 1)} %` })),
    xTicks: ticks.map((value) => ({ value, text: dayText(value).slice(5) })),
    x: (time) => (time - from) / (to - from),
    y: (value) => (value - scale.low) / (scale.high - scale.low),
  })}</figure>
<p class="note">Sum of the results of all trades, as a share of what each was worth at its entry, after fees, spread, slippage and funding. Solid: the model, with its bets. Dashed: ict on the same bars, every trade whole. Dotted: the champion, where there is one. Each stretch was predicted by a model that had seen nothing of it.</p>
<div class="scroll"><table><caption class="unseen">What was tried</caption><thead><tr><th scope="col">Tried</th><th scope="col">AUC</th><th scope="col">Sharpe a year</th></tr></thead>
<tbody>${variants.map(({ name, auc, sharpe }) => html`<tr><th scope="row">${name}</th><td>${number(auc, 3)}</td><td>${result(sharpe)}</td></tr>`)}
<tr><th scope="row">ict</th><td>–</td><td>${result(sharpes.ict)}</td></tr>
${sharpes.champion === undefined ? "" : html`<tr><th scope="row">champion</th><td>–</td><td>${result(sharpes.champion)}</td></tr>`}
<tr><th scope="row">no trade</th><td>–</td><td>0.00</td></tr></tbody></table></div></section>`;
}

function pathsSection({ paths }: TrainingDetails): Markup {
  const sorted = [...paths].sort((a, b) => a - b);
  const scale = scaleOf(Math.min(0, ...sorted), Math.max(0, ...sorted));
  const y = (value: number) => BOX - at(value, scale.low, scale.high);
  const bars = sorted.map((sharpe, i) => {
    const [left, right] = [(i + 0.2) / sorted.length, (i + 0.8) / sorted.length].map((share) =>
      Math.round(share * BOX),
    );
    return `<path class="bar ${sharpe < 0 ? "loss" : "gain"}" d="M${left} ${y(0)}V${y(sharpe)}H${right}V${y(0)}Z"/>`;
  });
  return html`<section id="paths" aria-labelledby="paths-title"><h2 id="paths-title">Combinatorial cross-validation</h2>
<figure>${frame({
    className: "plot-drawdown",
    drawing: new Markup(bars.join("")),
    yTicks: scale.ticks.map((value) => ({ value, text: number(value, 0) })),
    xTicks: sorted.map((sharpe, i) => ({ value: (i + 0.5) / sorted.length, text: signed(sharpe) })),
    x: (share) => share,
    y: (value) => (value - scale.low) / (scale.high - scale.low),
  })}</figure>
<p class="note">Sharpe ratios a year of the five paths through six groups of time, two of them tested at once, training purged and embargoed. Where the worst of them loses, bets are halved.</p></section>`;
}

function reliabilitySection({ calibration }: ModelManifest, { reliability }: TrainingDetails): Markup {
  const largest = Math.max(...reliability.map(({ count }) => count));
  const dots = reliability.map(({ predicted, observed, count }) => {
    const size = 8 + 22 * Math.sqrt(count / largest);
    return `<ellipse class="dot" cx="${at(predicted, 0, 1)}" cy="${BOX - at(observed, 0, 1)}" rx="${(size / 2.6).toFixed(1)}" ry="${size.toFixed(1)}"/>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((value) => ({ value, text: percent(value, 0) }));
  return html`<section id="reliability" aria-labelledby="reliability-title"><h2 id="reliability-title">Reliability</h2>
<figure>${frame({
    className: "plot-equity",
    drawing: new Markup(`<path class="hold" d="M0 ${BOX}L${BOX} 0"/>${dots.join("")}`),
    yTicks: ticks,
    xTicks: ticks,
    x: (value) => value,
    y: (value) => value,
  })}</figure>
<p class="note">Across: the chance that was given. Up: how often it came true. The larger, the more samples. On the dashed line the model means what it says. Out of sample, calibration ${calibration.kind}.</p></section>`;
}

function curveSection({ curve }: TrainingDetails): Markup {
  const all = curve.flatMap(({ train, validation }) => [train, validation]).filter(Number.isFinite);
  if (curve.length < 2 || all.length === 0) return html``;
  const scale = scaleOf(Math.min(...all), Math.max(...all));
  const line = (pick: (round: { train: number; validation: number }) => number) =>
    path(
      curve.map((round, i): Point => ({ time: i + 1, value: pick(round) })),
      1,
      curve.length,
      scale,
    );
  const best = curve.reduce((least, { validation }, i) => (validation < curve[least]!.validation ? i : least), 0) + 1;
  return html`<section id="learning" aria-labelledby="learning-title"><h2 id="learning-title">Learning curve</h2>
<figure>${frame({
    className: "plot-equity",
    drawing: new Markup(
      `<path class="hold" d="${line(({ train }) => train)}"/><path class="equity" d="${line(({ validation }) => validation)}"/>`,
    ),
    yTicks: scale.ticks.map((value) => ({ value, text: number(value, 3) })),
    xTicks: [1, best, curve.length]
      .filter((value, i, all) => all.indexOf(value) === i)
      .map((value) => ({ value, text: String(value) })),
    x: (round) => (round - 1) / (curve.length - 1),
    y: (value) => (value - scale.low) / (scale.high - scale.low),
  })}</figure>
<p class="note">Log loss by number of trees. Solid: samples that the fit had not seen, dashed: those it had. ${best} trees were kept, where the solid line is lowest.</p></section>`;
}

const MOST_SHOWN = 15;

function importanceSection({ importance }: TrainingDetails): Markup {
  const shown = importance.slice(0, MOST_SHOWN);
  const largest = Math.max(1e-9, ...shown.map(({ loss }) => Math.abs(loss)));
  return html`<section id="importance" aria-labelledby="importance-title"><h2 id="importance-title">Permutation importance</h2>
<div class="scroll"><table><caption class="unseen">Increase of the log loss</caption><thead><tr><th scope="col">Column</th><th scope="col">Log loss</th><th scope="col">Share of the largest</th></tr></thead>
<tbody>${shown.map(
    ({ column, loss }) =>
      html`<tr><th scope="row">${column}</th><td>${result(loss, (value) => signed(value, 5))}</td><td><meter min="0" max="1" value="${Math.max(0, loss / largest).toFixed(3)}">${percent(loss / largest, 0)}</meter></td></tr>`,
  )}</tbody></table></div>
<p class="note">How much worse the newest stretch is predicted when a column is shuffled. What is below zero helped nobody.</p></section>`;
}

function provenanceSection(manifest: ModelManifest): Markup {
  const rows: readonly [string, string][] = [
    ["Trained", `${minuteText(manifest.createdAt)} UTC`],
    ["Model hash", manifest.modelHash],
    ["Data hash", manifest.dataHash],
    ["Dataset hash", manifest.datasetHash],
    ["Ledger hash", manifest.ledgerHash],
    ["Parameters", JSON.stringify(manifest.parameters)],
    ["Champion then", manifest.parent ?? "none"],
  ];
  return html`<section id="provenance" aria-labelledby="provenance-title"><h2 id="provenance-title">Provenance</h2>
<div class="scroll"><table><tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td class="words"><code>${value}</code></td></tr>`)}</tbody></table></div></section>`;
}

import { ask, Refused, send } from "./api.js";
import { confirm } from "./dialogs.js";
import { fill, h, table } from "./dom.js";
import { duration, fullTime, number, percent, time } from "./format.js";
import { say, word } from "./text.js";
import { card } from "./view-overview.js";

const AGAIN_MS = 5000;
/** Of what a model looks at, so much is shown. */
const COLUMNS = 10;
const SVG = "http://www.w3.org/2000/svg";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function modelsView({ role, argument, go }) {
  const charge = h("div");
  const list = h("div");
  const one = h("div");
  const load = async () => {
    const { learning, models } = await ask("/api/models");
    fill(charge, inCharge(learning, role, load));
    fill(list, modelTable(models, go));
  };
  await load();
  if (argument !== "") fill(one, await modelCard(argument, role, load));
  const again = setInterval(load, AGAIN_MS);
  return {
    element: h(
      ".stack",
      null,
      card(say("inCharge"), charge),
      one,
      card(say("models"), h("p.quiet", null, say("modelHint")), list),
    ),
    onLeave: () => clearInterval(again),
  };
}

/** Who decides now, how it does, and what may be done about it. @param {any} learning @param {string} role @param {() => Promise<void>} reload */
function inCharge(learning, role, reload) {
  if (learning === null) return h("p.empty", null, say("noModels"));
  const { model, server, away, shadow, shadowHours, shadowOutcomes, modelAge } = learning;
  const { training, trainings, trainingFailures, drift, unanswered, rescoring } = learning;
  const tile = (/** @type {string} */ name, /** @type {any} */ value) =>
    h(".tile", null, h("dt", null, name), h("dd", null, value));
  const known = (/** @type {number | null} */ value, /** @type {(value: number) => string} */ show) =>
    value === null ? "–" : show(value);
  return [
    h(
      "dl.tiles",
      null,
      tile(say("model"), model || say("rulesDecide")),
      // Where the rules decide nobody is asked.
      model === "" && away === ""
        ? null
        : [
            tile(say("servedBy"), server || (away ? say("noAnswer", { model: away }) : "–")),
            tile(say("unanswered"), number(unanswered, 0)),
            tile(
              say("rescored"),
              say("rescoredRows", { rows: number(rescoring.rows, 0), calls: number(rescoring.calls, 0) }),
            ),
          ],
      tile(say("shadow"), shadow || "–"),
      shadow === "" ? null : tile(say("shadowSeen"), `${number(shadowHours, 1)} h, ${shadowOutcomes}`),
      tile(say("modelAge"), known(modelAge, duration)),
      tile(
        say("trainingNow"),
        known(training, (share) => percent(share, 0)),
      ),
      tile(say("trainings"), `${trainings}, ${trainingFailures}`),
      drift === null
        ? null
        : [
            tile(
              say("driftLoss"),
              known(drift.loss, (value) => number(value, 3)),
            ),
            tile(say("driftCoverage"), known(drift.coverage, percent)),
            tile(
              say("driftColumns"),
              known(drift.psiColumns, (value) => number(value, 0)),
            ),
            tile(say("driftOutside"), known(drift.outside, percent)),
            tile(say("driftFactor"), known(drift.sizeFactor, number)),
          ],
    ),
    role === "operator"
      ? h(
          ".buttons",
          null,
          h(
            "button",
            { type: "button", onclick: () => confirmThat("train", "/api/training", undefined, {}, reload) },
            say("train"),
          ),
          h(
            "button",
            {
              type: "button",
              disabled: model === "",
              onclick: () => confirmThat("rollback", "/api/models/rollback", "ROLLBACK", {}, reload),
            },
            say("rollback"),
          ),
        )
      : null,
  ];
}

/** @param {readonly any[]} models @param {(hash: string) => void} go */
function modelTable(models, go) {
  return table(
    [
      { title: say("model"), of: (row) => h("b", null, row.id) },
      { title: say("state"), of: (row) => word(row.state) },
      { title: say("strategy"), of: (row) => row.strategy },
      { title: say("kind"), of: (row) => word(row.kind) },
      { title: say("trained"), of: (row) => time(row.createdAt) },
      { title: say("samples"), of: (row) => number(row.samples, 0), number: true },
      { title: "AUC", of: (row) => number(row.metrics.auc, 3), number: true },
      { title: "Sharpe", of: (row) => number(row.metrics.walkForwardSharpe), number: true },
      { title: say("deflatedSharpe"), of: (row) => number(row.metrics.deflatedSharpe, 3), number: true },
      { title: say("overfitting"), of: (row) => number(row.metrics.pbo), number: true },
    ],
    models,
    { empty: say("noTrainedModels"), caption: say("models"), onRow: (row) => go(`#/models/${row.id}`) },
  );
}

/** Everything about one model. @param {string} id @param {string} role @param {() => Promise<void>} reload */
async function modelCard(id, role, reload) {
  let model;
  try {
    model = await ask(`/api/models/${encodeURIComponent(id)}`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return card(`${say("model")} ${id}`, h("p.message.loss", { role: "alert" }, error.message));
  }
  const promotable = role === "operator" && (model.state === "shadow" || model.state === "retired");
  const rules = (/** @type {readonly any[]} */ checks) =>
    h(
      "ol.checks",
      null,
      checks.map(({ name, passed, detail }) =>
        h(passed ? "li.passed" : "li.failed", null, h("span", null, name), h("span.quiet", null, detail)),
      ),
    );
  return card(
    `${say("model")} ${model.id}, ${word(model.state)}`,
    h("h3", null, say("gateRules")),
    rules(model.gate),
    h("h3", null, say("leakageChecks")),
    rules(model.leakage),
    model.reliability.length === 0 ? null : [h("h3", null, say("reliability")), reliabilityPlot(model.reliability)],
    model.importance.length === 0
      ? null
      : [
          h("h3", null, say("importance")),
          h(
            "dl.features",
            null,
            model.importance
              .slice(0, COLUMNS)
              .map((/** @type {any} */ { column, loss }) =>
                h("div", null, h("dt", null, column), h("dd", null, number(loss, 5))),
              ),
          ),
        ],
    h("h3", null, say("life")),
    h(
      "ul.reasons",
      null,
      model.life.map((/** @type {any} */ { at, to, reason }) =>
        h("li", null, `${fullTime(at)} ${word(to)}: ${reason}`),
      ),
    ),
    promotable
      ? h(
          ".buttons",
          null,
          h(
            "button",
            {
              type: "button",
              onclick: () =>
                confirmThat("promote", `/api/models/${model.id}/promote`, "PROMOTE", { id: model.id }, reload),
            },
            say("promote"),
          ),
        )
      : null,
  );
}

/**
 * Points of what was said against what happened, on the diagonal where both are the same. The larger a point, the more
 * samples.
 * @param {readonly { predicted: number, observed: number, count: number }[]} bins
 */
function reliabilityPlot(bins) {
  const shape = (/** @type {string} */ name, /** @type {Record<string, string | number>} */ attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    return element;
  };
  const text = bins
    .map(({ predicted, observed, count }) => `${percent(predicted)} → ${percent(observed)} (${count})`)
    .join(", ");
  const svg = shape("svg", { viewBox: "-4 -4 108 108", width: 240, height: 240, role: "img", "aria-label": text });
  svg.append(
    shape("rect", { width: 100, height: 100, fill: "none", stroke: "currentColor", "stroke-opacity": 0.3 }),
    shape("line", { x1: 0, y1: 100, x2: 100, y2: 0, stroke: "currentColor", "stroke-opacity": 0.3 }),
  );
  const most = bins.reduce((max, { count }) => (count > max ? count : max), 1);
  for (const { predicted, observed, count } of bins) {
    const radius = 1 + 3 * Math.sqrt(count / most);
    svg.append(shape("circle", { cx: predicted * 100, cy: 100 - observed * 100, r: radius, fill: "currentColor" }));
  }
  return svg;
}

/**
 * @param {"train" | "promote" | "rollback"} what @param {string} path @param {string | undefined} wanted a word to type
 * @param {Record<string, string>} values @param {() => Promise<void>} reload
 */
function confirmThat(what, path, wanted, values, reload) {
  confirm({
    title: say(what),
    hint: say(/** @type {any} */ (`${what}Hint`), values),
    wanted,
    send: () => send("POST", path, wanted === undefined ? {} : { confirm: wanted }),
    done: reload,
  });
}

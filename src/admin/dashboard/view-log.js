import { ask } from "./api.js";
import { fill, h, table } from "./dom.js";
import { time } from "./format.js";
import { incidentTable, noticeTable } from "./rows.js";
import { say, word } from "./text.js";
import { card } from "./view-overview.js";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function incidentsView() {
  const incidents = h("div");
  const states = h("div");
  const load = async () => {
    const [notices, changes] = await Promise.all([ask("/api/incidents"), ask("/api/states")]);
    fill(incidents, incidentTable(notices));
    fill(
      states,
      table(
        [
          { title: say("time"), of: (/** @type {any} */ row) => time(row.time) },
          { title: say("from"), of: (row) => word(row.from) },
          { title: say("to"), of: (row) => h("b", null, word(row.to)) },
          { title: say("reason"), of: (row) => row.reason, wide: true },
        ],
        changes,
        { empty: say("noIncidents"), caption: say("stateChanges") },
      ),
    );
  };
  await load();
  return {
    element: h(".stack", null, card(say("incidents"), incidents), card(say("stateChanges"), states)),
    onEvent(event) {
      if (event.kind === "notice" || event.kind === "audit") load();
    },
  };
}

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function logView() {
  const log = h("div");
  const audit = h("div");
  const load = async () => {
    const [notices, entries] = await Promise.all([ask("/api/log"), ask("/api/audit")]);
    fill(log, notices.length === 0 ? h("p.empty", null, say("noLog")) : noticeTable(notices));
    fill(
      audit,
      table(
        [
          { title: say("time"), of: (/** @type {any} */ row) => time(row.at) },
          { title: say("actor"), of: (row) => h("code", null, row.actor) },
          { title: say("action"), of: (row) => h("b", null, row.action) },
          { title: say("from"), of: (row) => row.from ?? "" },
          { title: say("to"), of: (row) => row.to ?? "" },
          { title: say("outcome"), of: (row) => (row.result === "done" ? say("done") : row.result), wide: true },
        ],
        entries,
        { empty: say("noAudit"), caption: say("audit") },
      ),
    );
  };
  await load();
  return {
    element: h(".stack", null, card(say("audit"), audit), card(say("log"), log)),
    onEvent(event) {
      if (event.kind === "notice" || event.kind === "audit") load();
    },
  };
}

import { ask, Refused, send } from "./api.js";
import { fill, h } from "./dom.js";
import { say } from "./text.js";
import { card } from "./view-overview.js";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function settingsView({ role }) {
  const sections = h(".stack");
  const search = h("input", { type: "search", placeholder: say("search"), "aria-label": say("search") });
  const only = h("input", { type: "checkbox", checked: true });
  /** @type {{ section: string, rows: any[] }[]} */
  let all = await ask("/api/settings");
  const show = () => {
    const text = search.value.trim().toLowerCase();
    const fits = (/** @type {any} */ row) =>
      (!only.checked || row.changeableAtRunTime) && `${row.name} ${row.help}`.toLowerCase().includes(text);
    fill(
      sections,
      all
        .map(({ section, rows }) => ({ section, rows: rows.filter(fits) }))
        .filter(({ rows }) => rows.length > 0)
        .map(({ section, rows }) =>
          card(
            section,
            rows.map((/** @type {any} */ row) => setting(row, role)),
          ),
        ),
    );
  };
  search.addEventListener("input", show);
  only.addEventListener("change", show);
  show();
  return {
    element: h(
      ".stack",
      null,
      h(".card", null, h(".legend", null, search, h("label", null, only, say("changeable")))),
      sections,
    ),
    async onEvent(event) {
      if (event.kind !== "settings") return;
      all = await ask("/api/settings");
      // Whoever is typing is not interrupted.
      if (!sections.contains(document.activeElement)) show();
    },
  };
}

/** @param {any} row @param {string} role */
function setting(row, role) {
  const message = h("p.message", { role: "status" });
  const unit = row.unit ? ` ${row.unit}` : "";
  const hints = [
    `${say("allowed")}: ${row.allowed}`,
    `${say("default")} ${row.default}${unit}`,
    row.startedWith === undefined ? null : `${say("startedWith")} ${row.startedWith}${unit}`,
    row.safer ? say("onlySafer", { way: say(row.safer) }) : null,
    row.note ?? null,
  ].filter(Boolean);
  const value =
    row.type === "boolean"
      ? choice(row)
      : h("input", { type: "text", value: String(row.value), "aria-label": row.name });
  const editable = row.changeableAtRunTime && role === "operator";
  return h(
    ".setting",
    null,
    h("div", null, h("code", null, row.name), h("p", null, row.help), h("p.quiet", null, hints.join(" · "))),
    editable
      ? h(
          "form",
          {
            onsubmit: async (/** @type {SubmitEvent} */ event) => {
              event.preventDefault();
              try {
                const { message: done } = await send("PUT", `/api/settings/${row.name}`, { value: value.value });
                fill(message, h("span.gain", null, done));
              } catch (error) {
                if (!(error instanceof Refused)) throw error;
                fill(message, h("span.loss", null, error.message));
              }
            },
          },
          value,
          h("button", { type: "submit" }, say("save")),
        )
      : h(
          "form",
          null,
          h("b", null, `${row.value}${unit}`),
          h("span.quiet", null, row.changeableAtRunTime ? "" : say("restart")),
        ),
    message,
  );
}

/** @param {any} row */
function choice(row) {
  return h(
    "select",
    { "aria-label": row.name },
    ["true", "false"].map((value) => h("option", { value, selected: String(row.value) === value }, value)),
  );
}

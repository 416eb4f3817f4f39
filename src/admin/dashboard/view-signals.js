import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { signalTable } from "./rows.js";
import { say } from "./text.js";
import { card } from "./view-overview.js";

/** @type {(context: import("./app.js").Context) => Promise<import("./app.js").View>} */
export async function signalsView() {
  const list = h("div");
  const search = h("input", { type: "search", placeholder: say("symbol"), "aria-label": say("search") });
  let rows = /** @type {any[]} */ ([]);
  const show = () => {
    const text = search.value.trim().toUpperCase();
    fill(list, signalTable(rows.filter(({ symbol }) => symbol.includes(text)).slice(0, 200)));
  };
  const load = async () => {
    rows = await ask("/api/signals?limit=1000");
    show();
  };
  search.addEventListener("input", show);
  await load();
  const section = card(say("signals"), list);
  section.firstElementChild?.append(search);
  return {
    element: h(".stack", null, section),
    onEvent(event) {
      if (event.kind === "signal" || event.kind === "refusal") load();
    },
  };
}

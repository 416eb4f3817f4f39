import { h } from "./dom.js";
import { say } from "./text.js";
import { card } from "./view-overview.js";

/** @type {(context: import("./app.js").Context) => import("./app.js").View} */
export function modelsView() {
  return { element: h(".stack", null, card(say("models"), h("p.empty", null, say("noModels")))) };
}

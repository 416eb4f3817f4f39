import { h } from "./dom.js";
import { percent } from "./format.js";
import { say } from "./text.js";

/**
 * The chance of a gain that a position was entered on, and what the model gives a new trade of its side now.
 * @param {{ entered: number | null, now: { probability: number, unlike: boolean } | null }} chance
 */
export function chance({ entered, now }) {
  if (entered === null && now === null) return h("span.quiet", null, "–");
  return h(
    "span",
    { title: now?.unlike ? say("chanceUnlike") : say("chanceHint") },
    entered === null ? null : h("span.quiet", null, `${percent(entered, 0)} → `),
    now === null ? "–" : h("b", null, percent(now.probability, 0)),
    now?.unlike ? h("span.quiet", null, " ?") : null,
  );
}

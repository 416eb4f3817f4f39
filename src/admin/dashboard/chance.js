import { h } from "./dom.js";
import { percent } from "./format.js";
import { say } from "./text.js";

/**
 * The chance of a gain that a position was entered on, and what the model gives a new trade of its side now.
 * @param {{ entered: number | null, now: { probability: number, unlike: boolean } | null }} chance
 */
export function chance({ entered, now }) {
  if (entered === null && now === null) return h("span.quiet", null, "–");
  const shown = (/** @type {number | undefined | null} */ value) =>
    value === undefined || value === null ? "–" : percent(value, 0);
  return h(
    "span",
    { title: now?.unlike ? say("chanceUnlike") : say("chanceHint") },
    h("span.quiet", null, `${shown(entered)} → `),
    h("b", null, shown(now?.probability)),
    now?.unlike ? h("span.quiet", null, " ?") : null,
  );
}

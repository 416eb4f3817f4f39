import { ask, Refused, send } from "./api.js";
import { chance } from "./chance.js";
import { fill, h } from "./dom.js";
import { fullTime, number, price } from "./format.js";
import { say, word } from "./text.js";

const CONFIRMATIONS = /** @type {Record<string, string>} */ ({ flatten: "FLATTEN", kill: "KILL" });

/** Opens a dialog that removes itself when it is closed. @param {boolean} large @param {...any} content */
function open(large, ...content) {
  const dialog = h(large ? "dialog.large" : "dialog", null, content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks whether a command is meant; those that close positions want their name typed. @param {string} command */
export function confirmCommand(command) {
  const wanted = CONFIRMATIONS[command];
  confirm({
    title: word(command),
    hint: say(/** @type {any} */ (`${command}Hint`)),
    wanted,
    danger: wanted !== undefined,
    send: () => send("POST", "/api/commands", wanted === undefined ? { command } : { command, confirm: wanted }),
  });
}

/**
 * Asks whether something is meant, with a word to type where it is grave; the server's refusal is shown in the dialog.
 * @param {{
 *   title: string, hint: string, wanted?: string | undefined, danger?: boolean,
 *   send: () => Promise<unknown>, done?: () => unknown,
 * }} question
 */
export function confirm({ title, hint, wanted, danger = false, send, done }) {
  const message = h("p.message.loss", { role: "alert" });
  const input = wanted === undefined ? null : h("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  const go = h(danger ? "button.main.danger" : "button.main", { type: "submit", disabled: input !== null }, title);
  input?.addEventListener("input", () => {
    go.disabled = input.value !== wanted;
  });
  const form = h(
    "form",
    {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        go.disabled = true;
        try {
          await send();
          dialog.close();
          await done?.();
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          fill(message, error.message);
          go.disabled = false;
        }
      },
    },
    h("h2", null, title),
    h("p", null, hint),
    input && h("label", null, h("p", null, say("typeToConfirm", { word: wanted ?? "" })), input),
    message,
    h(".buttons", null, h("button", { type: "button", onclick: () => dialog.close() }, say("cancel")), go),
  );
  const dialog = open(false, form);
  (input ?? go).focus();
}

/** Shows why a bar of a symbol led to what it led to. @param {string} symbol @param {number} at */
export async function showWhy(symbol, at) {
  const why = await ask(`/api/why?symbol=${encodeURIComponent(symbol)}&at=${at}`);
  const dialog = open(
    true,
    h("h2", null, say("whyTitle", { symbol, time: fullTime(at) })),
    h("p.lead", null, why.summary),
    why.position?.chance.now == null
      ? null
      : h("p", null, `${say("chance")}: `, chance(why.position.chance), h("span.quiet", null, ` ${say("chanceHint")}`)),
    why.refusals.map((/** @type {any} */ refusal) => [
      h("h3.loss", null, say("refusedBy", { guard: refusal.guard })),
      h("p", null, refusal.reason),
      h(
        "dl.states",
        null,
        Object.entries(refusal.numbers).map(([name, value]) =>
          h("div", null, h("dt", null, name), h("dd", null, number(Number(value), 4))),
        ),
      ),
    ]),
    why.signals.map((/** @type {any} */ signal) => [
      h("h3", null, `${word(signal.setup)}, ${word(signal.direction)}`),
      h(
        "p.quiet",
        null,
        `${say("entry")} ${price(signal.entry)} · ${say("stop")} ${price(signal.stop)} · ${say("target")} ${price(signal.target)} · ${say("confidence")} ${number(signal.confidence)}`,
      ),
      h(
        "ul.reasons",
        null,
        signal.reasons.map((/** @type {string} */ reason) => h("li", null, reason)),
      ),
      h("h3", null, say("scores")),
      Object.entries(signal.scores).map(([name, value]) => meter(name, Number(value))),
    ]),
    why.checks.length === 0
      ? null
      : [
          h(
            "h3",
            null,
            say("asked"),
            why.regime === null ? null : h("span.quiet", null, ` · ${say("regime")}: ${why.regime}`),
          ),
          h(
            "ol.checks",
            null,
            why.checks.map((/** @type {any} */ check) =>
              h(
                check.passed ? "li.passed" : "li.failed",
                null,
                h("span", null, check.asked),
                h("span.quiet", null, check.found),
              ),
            ),
          ),
        ],
    h(
      "details",
      null,
      h("summary", null, say("features")),
      h(
        "dl.features",
        null,
        Object.entries(why.features).map(([name, value]) =>
          h("div", null, h("dt", null, name), h("dd", null, value === null ? "–" : String(value))),
        ),
      ),
    ),
    h(".buttons", null, h("button", { type: "button", onclick: () => dialog.close() }, say("close"))),
  );
}

/** A share as a bar. @param {string} name @param {number} share 0 to 1 */
function meter(name, share) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 8");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  rect.setAttribute("height", "8");
  rect.setAttribute("width", String(Math.max(0, Math.min(1, share)) * 100));
  svg.append(rect);
  return h(".meter", null, h("span", null, name), svg, h("span", null, number(share)));
}

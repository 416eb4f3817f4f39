import { ask, listen, Refused, send } from "./api.js";
import { confirmCommand } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { chooseLanguage, currentLanguage, LANGUAGE_NAMES, LANGUAGES, say, word } from "./text.js";
import { chartView } from "./view-chart.js";
import { dataView } from "./view-data.js";
import { incidentsView, logView } from "./view-log.js";
import { modelsView } from "./view-models.js";
import { overviewView } from "./view-overview.js";
import { positionsView } from "./view-positions.js";
import { settingsView } from "./view-settings.js";
import { signalsView } from "./view-signals.js";
import { tradesView } from "./view-trades.js";

/**
 * What a view gets. It returns an element, and functions that are called when something happens and when it goes.
 * @typedef {{ run: any, snapshot: any, role: string, argument: string, go: (hash: string) => void }} Context
 * @typedef {{ element: Element, onEvent?: (event: any) => void, onLeave?: () => void }} View
 */

/** @type {Record<string, (context: Context) => View | Promise<View>>} */
const VIEWS = {
  overview: overviewView,
  chart: chartView,
  positions: positionsView,
  signals: signalsView,
  trades: tradesView,
  models: modelsView,
  data: dataView,
  settings: settingsView,
  incidents: incidentsView,
  log: logView,
};

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
/** @type {View | undefined} */
let view;
/** @type {any} */
let run;
/** @type {any} */
let snapshot;
let role = "viewer";
let listening = false;
let online = true;

document.documentElement.lang = currentLanguage();
showTheme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
start();

async function start() {
  await signInByLink();
  try {
    ({ role } = await ask("/api/session"));
    ({ run, snapshot } = await ask("/api/overview"));
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return showSignIn();
    throw error;
  }
  document.documentElement.dataset.mode = run.venue;
  showShell();
  if (listening) return;
  listening = true;
  listen(onEvent, (up) => {
    online = up;
    document.getElementById("offline")?.toggleAttribute("hidden", up);
    if (!up) leaveIfSignedOut();
  });
  addEventListener("hashchange", () => showView());
}

/** A stream that ended may have ended with its session: then only signing in helps, and no banner. */
async function leaveIfSignedOut() {
  try {
    await ask("/api/session");
  } catch (error) {
    if (error instanceof Refused && error.status === 401) location.reload();
    // Anything else means that the trader is away: the banner says so, and the stream tries again.
  }
}

/** The link that is shown at the first start carries the token behind the #, which no server and no log ever sees. */
async function signInByLink() {
  const [, token] = /^#token=(.+)$/.exec(location.hash) ?? [];
  if (token === undefined) return;
  history.replaceState(null, "", "/");
  try {
    await send("POST", "/api/session", { token });
  } catch (error) {
    // A token that is wrong leads to the form, which says so when it is tried there.
    if (!(error instanceof Refused)) throw error;
  }
}

function showSignIn() {
  const message = h("p.message.loss", { role: "alert" });
  const input = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true });
  const form = h(
    "form.card",
    {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        try {
          await send("POST", "/api/session", { token: input.value.trim() });
          await start();
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          fill(message, error.message);
        }
      },
    },
    h("img", { src: "/assets/icon.svg", alt: "" }),
    h("h1", null, "Penstock"),
    h("label", null, say("token"), input),
    h("p.quiet", null, say("tokenHint")),
    message,
    h("button.main", { type: "submit" }, say("signIn")),
  );
  fill(app, h("main.sign-in", null, form));
  input.focus();
}

function showShell() {
  const current = viewName();
  fill(
    app,
    h("a.skip", { href: "#content", onclick: skip }, say("skip")),
    h(
      ".mode",
      { role: "status" },
      h("b", null, word(run.venue)),
      h("span", null, say(/** @type {any} */ (`${run.venue}Hint`))),
    ),
    h(
      "header",
      null,
      h(
        ".bar",
        null,
        h("a.brand", { href: "#/overview" }, h("img", { src: "/assets/icon.svg", alt: "" }), "Penstock"),
        h(
          "nav",
          { "aria-label": "Penstock" },
          h(
            "ul",
            null,
            Object.keys(VIEWS).map((name) =>
              h("li", null, h("a", { href: `#/${name}`, "aria-current": name === current && "page" }, word(name))),
            ),
          ),
        ),
        h(
          ".tools",
          null,
          h("span.trading"),
          role === "operator" ? actionsMenu() : h("span.tag", null, say("viewer")),
          languageChoice(),
          h(
            "button.plain",
            { type: "button", onclick: toggleTheme, "aria-label": say("theme"), title: say("theme") },
            "◐",
          ),
          h("button.plain", { type: "button", onclick: signOut }, say("signOut")),
        ),
      ),
      h(".banner", { id: "offline", hidden: online, role: "alert" }, say("offline")),
    ),
    h("main", { id: "content", tabindex: "-1" }),
    h(
      "footer",
      null,
      h("span", null, `Penstock ${run.version}`),
      h("span", null, run.market),
      h("span", null, `${run.strategy}, ${run.symbols} ${say("symbols")}`),
      h("a", { href: "/docs" }, "API"),
      h("span", null, "Charts: TradingView Lightweight Charts™"),
    ),
  );
  showTrading();
  showView();
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function showTrading() {
  const place = document.querySelector("header .trading");
  if (place === null || !snapshot) return;
  const { trading } = snapshot;
  const tone = trading === "normal" ? "good" : trading === "halted" || trading === "reduce-only" ? "bad" : "mind";
  fill(place, h(`span.pill.${tone}`, { title: say("tradingState") }, word(trading)));
}

function actionsMenu() {
  const list = h("div", { hidden: true });
  const toggle = () => {
    list.hidden = !list.hidden;
    button.setAttribute("aria-expanded", String(!list.hidden));
  };
  const button = h("button", { type: "button", "aria-expanded": "false", onclick: toggle }, `${say("actions")} ▾`);
  const entry = (/** @type {any} */ command, /** @type {any} */ name, danger = false) =>
    h(
      danger ? "button.danger" : "button",
      {
        type: "button",
        onclick: () => {
          toggle();
          confirmCommand(command);
        },
      },
      say(name),
      h("small", null, say(/** @type {any} */ (`${name}Hint`))),
    );
  fill(
    list,
    entry("pause", "pause"),
    entry("resume", "resume"),
    entry("flatten", "flatten", true),
    entry("kill", "kill", true),
  );
  const menu = h(".menu", null, button, list);
  menu.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || list.hidden) return;
    toggle();
    button.focus();
  });
  menu.addEventListener("focusout", (/** @type {FocusEvent} */ event) => {
    if (!list.hidden && event.relatedTarget !== null && !menu.contains(/** @type {Node} */ (event.relatedTarget)))
      toggle();
  });
  return menu;
}

function languageChoice() {
  return h(
    "select.plain",
    {
      "aria-label": say("language"),
      onchange: (/** @type {any} */ event) => {
        chooseLanguage(event.target.value);
        showShell();
      },
    },
    LANGUAGES.map((language) =>
      h("option", { value: language, selected: language === currentLanguage() }, LANGUAGE_NAMES[language]),
    ),
  );
}

/** @param {string} theme */
function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function toggleTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", theme);
  showTheme(theme);
  // Charts are drawn in the colours of the theme.
  showView();
}

async function signOut() {
  await ask("/api/session", { method: "DELETE" });
  location.reload();
}

function viewName() {
  const [, name = "overview"] = location.hash.split("/");
  return name in VIEWS ? name : "overview";
}

let shown = 0;

async function showView() {
  view?.onLeave?.();
  view = undefined;
  const name = viewName();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${word(name)} · Penstock`;
  const turn = ++shown;
  const argument = decodeURIComponent(location.hash.split("/")[2] ?? "");
  const go = (/** @type {string} */ hash) => {
    location.hash = hash;
  };
  const next = await VIEWS[name]({ run, snapshot, role, argument, go });
  // Another view was asked for meanwhile.
  if (turn !== shown) return next.onLeave?.();
  view = next;
  const content = document.getElementById("content");
  if (content !== null) fill(content, h("h1.hidden", null, word(name)), next.element);
}

/** @param {any} event */
function onEvent(event) {
  if (event.kind === "snapshot") {
    ({ snapshot } = event);
    showTrading();
  }
  view?.onEvent?.(event);
}

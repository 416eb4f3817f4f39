import charts from "../../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs" with {
  type: "text",
};
import api from "./dashboard/api.js" with { type: "text" };
import app from "./dashboard/app.js" with { type: "text" };
import chance from "./dashboard/chance.js" with { type: "text" };
import dialogs from "./dashboard/dialogs.js" with { type: "text" };
import docsPage from "./dashboard/docs.html" with { type: "text" };
import docs from "./dashboard/docs.js" with { type: "text" };
import dom from "./dashboard/dom.js" with { type: "text" };
import format from "./dashboard/format.js" with { type: "text" };
import icon from "./dashboard/icon.svg" with { type: "text" };
import index from "./dashboard/index.html" with { type: "text" };
import plot from "./dashboard/plot.js" with { type: "text" };
import rows from "./dashboard/rows.js" with { type: "text" };
import structureBands from "./dashboard/structure-bands.js" with { type: "text" };
import style from "./dashboard/style.css" with { type: "text" };
import text from "./dashboard/text.js" with { type: "text" };
import chartView from "./dashboard/view-chart.js" with { type: "text" };
import dataView from "./dashboard/view-data.js" with { type: "text" };
import logView from "./dashboard/view-log.js" with { type: "text" };
import modelsView from "./dashboard/view-models.js" with { type: "text" };
import overviewView from "./dashboard/view-overview.js" with { type: "text" };
import positionsView from "./dashboard/view-positions.js" with { type: "text" };
import settingsView from "./dashboard/view-settings.js" with { type: "text" };
import signalsView from "./dashboard/view-signals.js" with { type: "text" };
import tradesView from "./dashboard/view-trades.js" with { type: "text" };

/** The dashboard as it is in the source: no bundler, no framework, one file per view, all of it inside the binary. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "api.js": api,
  "app.js": app,
  "chance.js": chance,
  "dialogs.js": dialogs,
  "docs.js": docs,
  "dom.js": dom,
  "format.js": format,
  "lightweight-charts.js": charts,
  "plot.js": plot,
  "rows.js": rows,
  "structure-bands.js": structureBands,
  "text.js": text,
  "view-chart.js": chartView,
  "view-data.js": dataView,
  "view-log.js": logView,
  "view-models.js": modelsView,
  "view-overview.js": overviewView,
  "view-positions.js": positionsView,
  "view-settings.js": settingsView,
  "view-signals.js": signalsView,
  "view-trades.js": tradesView,
};

interface Page {
  readonly text: string;
  readonly type: string;
  /** Compressed when a browser asks for it first: most runs are never looked at. */
  packed?: Uint8Array<ArrayBuffer>;
}

const PAGES = new Map<string, Page>();
// Bun gives .html as text only where it is asked for so; its type does not say it.
add("/", index as unknown as string, "text/html");
add("/docs", docsPage as unknown as string, "text/html");
add("/favicon.ico", icon, "image/svg+xml");
add("/assets/icon.svg", icon, "image/svg+xml");
add("/assets/style.css", style, "text/css");
for (const [name, script] of Object.entries(SCRIPTS)) add(`/assets/${name}`, script, "text/javascript");

function add(path: string, text: string, type: string): void {
  PAGES.set(path, { text, type: `${type}; charset=utf-8` });
}

/** A page or a file of the dashboard by its path; undefined when there is none of that name. */
export function page(path: string, acceptsGzip: boolean): Response | undefined {
  const found = PAGES.get(path);
  if (found === undefined) return undefined;
  // Browsers ask again at each start, because a new version has the same names.
  const headers = { "content-type": found.type, "cache-control": "no-cache", vary: "accept-encoding" };
  if (!acceptsGzip) return new Response(found.text, { headers });
  found.packed ??= Bun.gzipSync(found.text);
  return new Response(found.packed, { headers: { ...headers, "content-encoding": "gzip" } });
}

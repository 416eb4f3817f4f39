import { ask, Refused } from "./api.js";
import { fill, h, table } from "./dom.js";

const theme = localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
document.documentElement.dataset.theme = theme;
const place = /** @type {HTMLElement} */ (document.getElementById("docs"));

try {
  show(await ask("/api/openapi.json"));
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  fill(
    place,
    h("h1", null, "REST interface"),
    h("p", null, "It is described to those who have a token: ", h("a", { href: "/" }, "sign in"), " and come back."),
  );
}

/** @param {any} document */
function show({ info, paths }) {
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(/** @type {Record<string, any>} */ (methods)).map(([method, route]) => ({ path, method, route })),
  );
  fill(
    place,
    h("h1", null, `Penstock ${info.version}: REST interface`),
    h("p", null, info.description),
    h(
      "p.quiet",
      null,
      "Send Authorization: Bearer <token>, or sign in. Bodies are JSON. Live events come from the WebSocket /api/events. ",
      h("a", { href: "/api/openapi.json" }, "OpenAPI document"),
      " · ",
      h("a", { href: "/" }, "Dashboard"),
    ),
    routes.map(({ path, method, route }) =>
      h(
        "section.card",
        { "aria-label": `${method} ${path}` },
        h(".heading", null, h("h2", null, h("code", null, `${method.toUpperCase()} ${path}`))),
        h("p", null, route.summary ?? ""),
        parameters(route),
        body(route),
        answers(route),
      ),
    ),
  );
}

/** @param {any} route */
function parameters(route) {
  if (!route.parameters?.length) return null;
  return table(
    [
      { title: "Parameter", of: (/** @type {any} */ row) => h("code", null, row.name) },
      { title: "In", of: (row) => row.in },
      { title: "Type", of: (row) => typeOf(row.schema) },
      { title: "Needed", of: (row) => (row.required ? "required" : "optional") },
      { title: "Meaning", of: (row) => row.schema?.description ?? row.description ?? "", wide: true },
    ],
    route.parameters,
    { empty: "", caption: "Parameters" },
  );
}

/** @param {any} route */
function body(route) {
  const schema = route.requestBody?.content?.["application/json"]?.schema;
  if (!schema?.properties) return null;
  const rows = Object.entries(schema.properties).map(([name, property]) => ({ name, property }));
  return table(
    [
      { title: "Body", of: (/** @type {any} */ row) => h("code", null, row.name) },
      { title: "Type", of: (row) => typeOf(row.property) },
      { title: "Needed", of: (row) => (schema.required?.includes(row.name) ? "required" : "optional") },
      { title: "Meaning", of: (row) => row.property.description ?? "", wide: true },
    ],
    rows,
    { empty: "", caption: "Body" },
  );
}

/** What it answers: the fields of a good answer, and why it may be refused. @param {any} route */
function answers(route) {
  const rows = Object.entries(route.responses ?? {}).map(([status, answer]) => ({ status, answer }));
  const fields = (/** @type {any} */ answer) => {
    const schema = answer.content?.["application/json"]?.schema;
    const names = Object.keys((schema?.items ?? schema)?.properties ?? {});
    return `${schema?.items ? "list of " : ""}${names.join(", ")}`;
  };
  return h(
    "details",
    null,
    h("summary", null, "Answers"),
    table(
      [
        { title: "Status", of: (/** @type {any} */ row) => h("code", null, row.status) },
        { title: "Meaning", of: (row) => row.answer.description ?? "" },
        { title: "Fields", of: (row) => fields(row.answer), wide: true },
      ],
      rows,
      { empty: "", caption: "Answers" },
    ),
  );
}

/** @param {any} schema @returns {string} */
function typeOf(schema) {
  if (schema === undefined) return "";
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) {
    const types = schema.anyOf.map(typeOf).filter((/** @type {string} */ type) => type !== "string");
    return [...new Set(types)].join(" | ") || "string";
  }
  const bounds = schema.minimum === undefined ? "" : ` ${schema.minimum}…${schema.maximum ?? ""}`;
  return `${schema.type ?? ""}${bounds}`;
}

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Admin, MODEL, OPERATOR, serveTest, VIEWER } from "./admin-fixture.ts";

/**
 * Every route of the OpenAPI document, asked with what its schema allows and with what it does not: no failure of ours,
 * no leak, and no answer that the document does not describe. It is the document that clients get, read over a socket.
 */

interface Schema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  patternProperties?: Record<string, Schema>;
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}
interface Route {
  parameters?: { name: string; in: "query" | "path"; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

/** What is wrong with a value, by its first place; undefined where nothing is. The document forbids what it does not name. */
function problem(schema: Schema, value: unknown, at = "answer"): string | undefined {
  if (schema.anyOf !== undefined) {
    const problems = schema.anyOf.map((one) => problem(one, value, at));
    return problems.includes(undefined) ? undefined : problems[0];
  }
  if ("const" in schema) return value === schema.const ? undefined : `${at}: ${JSON.stringify(value)}`;
  if (schema.enum !== undefined) return schema.enum.includes(value) ? undefined : `${at}: ${JSON.stringify(value)}`;
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  if (schema.type !== undefined && type !== (schema.type === "integer" ? "number" : schema.type)) {
    return `${at}: ${type} instead of ${schema.type}`;
  }
  if (type === "array") {
    for (const [i, item] of (value as unknown[]).entries()) {
      const found = schema.items && problem(schema.items, item, `${at}[${i}]`);
      if (found !== undefined) return found;
    }
  }
  if (type !== "object") return undefined;
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value as object, name)) return `${at}.${name} is missing`;
  const others = Object.values(schema.patternProperties ?? {})[0];
  for (const [name, item] of Object.entries(value as object)) {
    const own = schema.properties?.[name] ?? others;
    if (own === undefined) return `${at}.${name} is not described`;
    const found = problem(own, item, `${at}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const wild = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom(
    "",
    "0",
    "-1",
    "1e999",
    "NaN",
    "null",
    "[]",
    "{}",
    "true",
    "__proto__",
    "../../etc/passwd",
    "%00",
    "\u0000",
  ),
  fc.constantFrom("AAAA".repeat(500), "9007199254740993", "constructor", "MAX_SIGNALS", "ADMIN_TOKEN", "' or 1=1 --"),
);

/** Values that the schema allows. */
function allowed(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(allowed));
  if ("const" in schema) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "integer":
      return fc.integer({ min: schema.minimum ?? -1e6, max: Math.min(schema.maximum ?? 1e6, Number.MAX_SAFE_INTEGER) });
    case "number":
      return fc.double({ noNaN: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "object":
      return fc.record(
        Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, one]) => [name, allowed(one)])),
        { requiredKeys: schema.required ?? [] },
      );
    default: {
      const known = fc.constantFrom(
        admin.mirror.run.instruments[0]!.symbol,
        "BTCUSDT",
        "MAX_SIGNALS",
        "MAX_POSITIONS",
        "5m",
        "FLATTEN",
        "KILL",
        "1",
      );
      const some = fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 50, 50) });
      const fits = new RegExp(schema.pattern ?? "");
      return fc.oneof(
        known,
        some.filter((text) => fits.test(text)),
      );
    }
  }
}

let admin: Admin;
let routes: [method: string, path: string, route: Route][];

/** A caller may ask so often; a new server has not counted him yet. */
const ROUTES_PER_SERVER = 10;

function serve(): void {
  admin = serveTest({}, { kind: "refused", message: "not now" });
}

async function serveAnew(): Promise<void> {
  await admin.server.stop();
  serve();
}

beforeAll(async () => {
  serve();
  const response = await fetch(`${admin.base}/api/openapi.json`, { headers: { authorization: `Bearer ${OPERATOR}` } });
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, Route>> };
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]): [string, string, Route] => [method, path, route]),
  );
});

afterAll(async () => {
  await admin.server.stop();
});

/** Whatever must never be in an answer: tokens, folders of the machine, and what errors look like. */
const LEAKS = new RegExp([OPERATOR, VIEWER, import.meta.dir, "\\.ts:\\d", "    at "].join("|"));
/** Given as DATA_DIR, which is a setting and shown as one, and nowhere else. */
const FOLDER = "a-folder-of-this-machine";

async function judge(method: string, path: string, route: Route, asked: string, init: RequestInit): Promise<number> {
  const response = await fetch(`${admin.base}${asked}`, { method: method.toUpperCase(), ...init });
  const what = `${method} ${asked.slice(0, 200)} ${String(init.body ?? "").slice(0, 200)}: ${response.status}`;
  const text = await response.text();
  expect(LEAKS.exec(text)?.[0], what).toBeUndefined();
  if (path !== "/api/settings") expect(text.includes(FOLDER), what).toBe(false);
  if (response.status >= 500) expect([503, 504], what).toContain(response.status);
  // A path whose last part is empty or has a slash in it is another path.
  if (response.status === 404 && path.includes("{")) return 404;
  const described = route.responses[response.status];
  expect(described, what).toBeDefined();
  const json = described!.content?.["application/json"];
  if (json !== undefined) expect(problem(json.schema, JSON.parse(text)), what).toBeUndefined();
  return response.status;
}

type Filler = (schema: Schema) => fc.Arbitrary<unknown>;

/** Addresses and bodies of a route. */
function questions(path: string, { parameters = [], requestBody }: Route, fill: Filler) {
  const body = requestBody?.content["application/json"]?.schema;
  const values = fc.record(
    Object.fromEntries(
      parameters.map(({ name, schema }) => {
        // Few texts mean anything here, and only with one that does there is much to answer.
        const known = { symbol: admin.mirror.run.instruments[1]!.symbol, timeframe: "15m", id: MODEL }[name];
        const some = fill(schema);
        return [
          name,
          known === undefined
            ? some
            : fc.oneof({ weight: 2, arbitrary: fc.constant(known) }, { weight: 1, arbitrary: some }),
        ];
      }),
    ),
    // A path has all its parts; whoever asks rightly gives what is needed.
    {
      requiredKeys: parameters
        .filter((one) => one.required === true && (one.in === "path" || fill === allowed))
        .map(({ name }) => name),
    },
  );
  const bodies = body === undefined ? fc.constant(undefined) : fill(body).map((value) => JSON.stringify(value));
  return fc.tuple(values, bodies).map(([chosen, content]) => {
    const query: string[] = [];
    let asked = path;
    for (const { name, in: where } of parameters) {
      if (!Object.hasOwn(chosen, name)) continue;
      const text = encodeURIComponent(String(chosen[name]).toWellFormed());
      if (where === "path") asked = asked.replace(`{${name}}`, text);
      else query.push(`${name}=${text}`);
    }
    return { asked: query.length > 0 ? `${asked}?${query.join("&")}` : asked, content };
  });
}

const JSON_TYPE = { "content-type": "application/json" };

describe("every route of the OpenAPI document", () => {
  test("is described with what it answers", () => {
    expect(routes.length).toBeGreaterThan(25);
    for (const [method, path, { responses }] of routes) {
      expect(Object.keys(responses).length, `${method} ${path}`).toBeGreaterThan(0);
      for (const [status, { content }] of Object.entries(responses)) {
        if (status !== "204")
          expect(Object.values(content ?? {})[0]?.schema, `${method} ${path} ${status}`).toBeDefined();
      }
    }
  });

  for (const [who, token] of [
    ["an operator", OPERATOR],
    ["a viewer", VIEWER],
    ["nobody", undefined],
  ] as const) {
    test(`asked by ${who}, rightly and wrongly: no failure, no leak, nothing undescribed`, async () => {
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const seen = new Map<number, number>();
      const good = new Set<string>();
      for (const [index, [method, path, route]] of routes.entries()) {
        if (path === "/api/session" && method === "delete") continue;
        if (index % ROUTES_PER_SERVER === 0) await serveAnew();
        const wrong: Filler = (schema) =>
          schema.type === "object" ? fc.oneof(fc.dictionary(wild, wild), fc.jsonValue(), wild) : wild;
        const right = questions(path, route, allowed);
        const all = fc.oneof(right, questions(path, route, wrong));
        const hasInput = (route.parameters?.length ?? 0) > 0 || route.requestBody !== undefined;
        await fc.assert(
          fc.asyncProperty(all, async ({ asked, content }) => {
            // What has no body is written without one, whatever the method.
            const init = content === undefined ? { headers } : { headers: { ...headers, ...JSON_TYPE }, body: content };
            const status = await judge(method, path, route, asked, init);
            seen.set(status, (seen.get(status) ?? 0) + 1);
            if (status === 200) good.add(`${method} ${path}`);
            const isOpen = ["/healthz", "/readyz"].includes(path) || (path === "/api/session" && method === "post");
            if (token === undefined && !isOpen) expect([401, 429]).toContain(status);
          }),
          { numRuns: hasInput ? 16 : 1, seed: 8000 + index, endOnFailure: true },
        );
      }
      if (token === undefined) return;
      const asked = routes.filter(([method, path]) => method === "get" && path !== "/api/events");
      for (const [method, path] of asked) expect([...good]).toContain(`${method} ${path}`);
      expect(seen.get(422)).toBeGreaterThan(20);
      // The trading thread is only ever asked by operators.
      expect(seen.has(409)).toBe(token === OPERATOR);
      expect(seen.has(403)).toBe(token === VIEWER);
    });
  }
});

import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import {
  codeOf,
  importsOf,
  ROOT,
  reachableFrom,
  readSource,
  repositoryFiles,
  resolveImport,
  type Source,
} from "./tidy/source.ts";

/**
 * The rules of the house as tests over its text. Each rule carries a planted source that breaks it and one that does
 * not, so that a rule that has stopped to see anything is noticed.
 */
interface Rule {
  readonly name: string;
  readonly applies: (path: string) => boolean;
  /** What is wrong, each with its line, or nothing. */
  readonly find: (source: Source) => string[];
  readonly broken: Source;
  readonly kept: Source;
}

const SOURCE = /^(src|tests|tools|bench)\/.*\.ts$/;

/** Small pieces that any part but the core may take. */
const COMMON = ["src/input-error.ts", "src/nearest-name.ts", "src/this-program.ts"];

/** What each part may import besides itself and packages. A part that is absent here may not import any other. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  learning: ["core", "market", "features", "models"],
  guards: ["core"],
  strategies: ["core", "structure"],
  market: ["core"],
  indicators: ["core", "market"],
  structure: ["core", "market", "indicators"],
  features: ["core", "market", "indicators", "structure"],
  models: ["core", "extracted", "market", "memory-limit", "native"],
  exchange: ["core", "market"],
  config: ["native"],
  journal: ["core", "exchange"],
  store: ["core", "native", "journal"],
  report: ["core", "market", "structure", "exchange", "config", "learning"],
  inspect: ["core", "market", "indicators", "structure", "features", "analysis"],
  telemetry: ["core"],
  log: ["config"],
  notify: ["config"],
  supervision: ["native", "notify"],
  admin: [
    "telemetry",
    "core",
    "market",
    "indicators",
    "structure",
    "features",
    "strategies",
    "analysis",
    "inspect",
    "learning",
    "exchange",
    "config",
    "native",
  ],
  analysis: ["core", "market", "indicators", "structure", "features", "strategies", "config", "native"],
  service: [
    "learning",
    "inspect",
    "memory-limit",
    "models",
    "admin",
    "telemetry",
    "log",
    "notify",
    "supervision",
    "core",
    "guards",
    "strategies",
    "market",
    "indicators",
    "structure",
    "features",
    "exchange",
    "config",
    "journal",
    "report",
    "analysis",
    "store",
    "native",
  ],
  "command-line": [
    "learning",
    "admin",
    "core",
    "guards",
    "strategies",
    "market",
    "indicators",
    "structure",
    "exchange",
    "config",
    "journal",
    "report",
    "inspect",
    "analysis",
    "service",
    "store",
    "native",
  ],
  main: ["command-line", "models", "notify", "store"],
  native: ["extracted", "indicators", "market", "models"],
};

/** The part of the house a file belongs to: its folder under src, or its name there. */
function partOf(path: string): string {
  return path.split("/")[1]!.replace(/\.ts$/, "");
}

function findImports(source: Source, wrong: (target: string | undefined, specifier: string) => string | undefined) {
  return importsOf(source.text).flatMap((specifier) => {
    const why = wrong(resolveImport(source.path, specifier), specifier);
    return why === undefined ? [] : [`${source.path}: imports ${specifier}: ${why}`];
  });
}

/** Every match of a pattern in the code, comments and strings left out. */
function findCode(source: Source, pattern: RegExp, why: (found: string) => string): string[] {
  const code = codeOf(source.text);
  return [...code.matchAll(pattern)].map(
    (match) => `${source.path}:${lineAt(code, match.index)}: ${match[0].trim()}: ${why(match[0])}`,
  );
}

function findText(source: Source, pattern: RegExp, why: string): string[] {
  return [...source.text.matchAll(pattern)].map(
    (match) => `${source.path}:${lineAt(source.text, match.index)}: ${match[0]}: ${why}`,
  );
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

const EXACT = /^src\/(core|market|indicators|structure|features|strategies|guards|models\/trees|exchange\/simulated)\//;

const RULES: readonly Rule[] = [
  {
    name: "core imports nothing outside core",
    applies: (path) => path.startsWith("src/core/"),
    find: (source) =>
      findImports(source, (target) => (target?.startsWith("src/core/") ? undefined : "core depends on nothing else")),
    broken: { path: "src/core/a.ts", text: 'import type { Bar } from "../market/bar-source.ts";' },
    kept: { path: "src/core/a.ts", text: 'import type { Event } from "./events.ts"; // not from "../market/x.ts"' },
  },
  {
    name: "core reads no clock, environment or random source",
    applies: (path) => path.startsWith("src/core/"),
    find: (source) =>
      findCode(
        source,
        /(?<![.\w$])(Date|performance|process|Bun|crypto|Intl|globalThis|navigator|setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\b(?!\s*\??:)|Math\s*\.\s*random|import\s*\.\s*meta/g,
        () => "everything the core knows comes in by events",
      ),
    broken: { path: "src/core/a.ts", text: `const now = \`at \${Date.now()}\`;` },
    kept: { path: "src/core/a.ts", text: '/** Date.now() */ const text = "process.env"; book.process = 1;' },
  },
  {
    name: "only operations that are the same bits on every machine",
    applies: (path) => EXACT.test(path),
    find: (source) =>
      findCode(
        source,
        /\*\*|\bMath\b(?!\s*\.\s*(sqrt|abs|floor|ceil|round|trunc|sign|min|max|imul|clz32|fround)\b)(\s*\.\s*\w+)?/g,
        (found) =>
          found === "**"
            ? "multiply, or take powerOfTen of src/core/instrument.ts or @stdlib/math-base-special-pow"
            : `the machine's library decides its last bits; take @stdlib/math-base-special-${found.split(".")[1]?.trim() ?? "*"}`,
      ),
    broken: { path: "src/market/a.ts", text: "const decay = (x: number) => Math.exp(-x);" },
    kept: {
      path: "src/market/a.ts",
      text: "/** Not Math.exp, not x ** 2. */ const root = Math.sqrt(x) * Math.floor(y);",
    },
  },
  {
    name: "no Math.max or Math.min where values may be NaN or -0",
    applies: (path) => /^src\/(indicators|structure)\//.test(path),
    find: (source) =>
      findCode(source, /\bMath\s*\.\s*(max|min)\b/g, (found) => `write a ${found.endsWith("x") ? ">" : "<"} b ? a : b`),
    broken: { path: "src/structure/a.ts", text: "const high = Math.max(a, b);" },
    kept: { path: "src/structure/a.ts", text: "const high = a > b ? a : b;" },
  },
  {
    name: "only src/native.ts imports bun:ffi",
    applies: (path) => SOURCE.test(path) && path !== "src/native.ts",
    find: (source) =>
      findImports(source, (_, specifier) => (specifier === "bun:ffi" ? "src/native.ts is the only door" : undefined)),
    broken: { path: "src/market/a.ts", text: 'const ffi = await import("bun:ffi");' },
    kept: { path: "src/market/a.ts", text: 'const name = "bun:ffi";' },
  },
  {
    name: "imports point inwards",
    applies: (path) => path.startsWith("src/"),
    find: (source) =>
      findImports(source, (target) => {
        if (!target?.startsWith("src/") || COMMON.includes(target)) return undefined;
        const [from, to] = [partOf(source.path), partOf(target)];
        return from === to || MAY_IMPORT[from]?.includes(to) ? undefined : `${from} may not know ${to}`;
      }),
    broken: { path: "src/market/a.ts", text: 'import { run } from "../service/run.ts";' },
    kept: { path: "src/market/a.ts", text: 'import { InputError } from "../input-error.ts";' },
  },
  {
    name: "the source imports nothing from tests, tools or bench",
    applies: (path) => path.startsWith("src/"),
    find: (source) =>
      findImports(source, (target) =>
        target && /^(tests|tools|bench)\//.test(target) ? "it is not part of the program" : undefined,
      ),
    broken: { path: "src/main.ts", text: 'export * from "../tests/recorded.ts";' },
    kept: { path: "src/main.ts", text: 'import json from "../package.json" with { type: "json" };' },
  },
  {
    name: "nothing is left open in the text",
    applies: (path) => SOURCE.test(path) || /\.(md|sh)$/.test(path),
    find: (source) => findText(source, new RegExp("\\b(TO" + "DO|FIX" + "ME)\\b", "g"), "do it, or open an issue"),
    broken: { path: "src/main.ts", text: `// TO${"DO"}: later` },
    kept: { path: "src/main.ts", text: "// Done." },
  },
  {
    name: "no test stands alone or is skipped",
    applies: (path) => /^tests\/.*\.ts$/.test(path) && path !== "tests/recorded.ts",
    find: (source) =>
      findCode(
        source,
        /\b(test|it|describe)\s*\.\s*(only|skip|todo)\b/g,
        () => "tests/recorded.ts is the only exception",
      ),
    broken: { path: "tests/a.test.ts", text: `test.${"only"}("this", () => {});` },
    kept: { path: "tests/a.test.ts", text: 'test("this", () => {});' },
  },
  {
    name: "lockfiles name no registry",
    applies: (path) => /(^|\/)(bun\.lock|package-lock\.json)$/.test(path),
    find: (source) => findText(source, /\bhttps?:\/\/[^"/]*/g, "leave the address to the machine that installs"),
    broken: { path: "bun.lock", text: '"resolved": "https://registry.example/a.tgz"' },
    kept: { path: "bun.lock", text: '"a": ["a@1.0.0", "", {}, "sha512-aa=="]' },
  },
];

const FILES = repositoryFiles();

for (const rule of RULES) {
  describe(rule.name, () => {
    test("the rule sees what it is made for, and no more", () => {
      for (const source of [rule.broken, rule.kept]) expect(rule.applies(source.path)).toBe(true);
      expect(rule.find(rule.broken)).toHaveLength(1);
      expect(rule.find(rule.kept)).toEqual([]);
    });

    test("the repository keeps it", () => {
      expect(FILES.filter(rule.applies).flatMap((path) => rule.find(readSource(path)))).toEqual([]);
    });
  });
}

describe("every file is reached from an entry point", () => {
  // Declarations say what a text is that is imported as text.
  const isProgram = (path: string) => /^(src|tools)\/.*(?<!\.d)\.ts$/.test(path);
  /** Programs of their own: processes and workers that the main one starts. */
  const STARTED = [
    "src/admin/worker.ts",
    "src/analysis/worker.ts",
    "src/models/process/blocking-worker.ts",
    "src/store/embedded/make-template.ts",
    "src/supervision/worker.ts",
  ];
  /** Parts that are complete and tested before the first that uses them is there. To be empty in the end. */
  const AWAITED = ["src/market/ring.ts", "src/exchange/binance/client.ts"];
  const isEntryPoint = (path: string) =>
    /^(src\/main|tools\/.*)\.ts$/.test(path) || STARTED.includes(path) || AWAITED.includes(path);

  function unreached(sources: readonly Source[]): string[] {
    const byPath = new Map(sources.map((source) => [source.path, source]));
    const reached = reachableFrom([...byPath.keys()].filter(isEntryPoint), byPath);
    return [...byPath.keys()].filter((path) => path.startsWith("src/") && !reached.has(path));
  }

  test("the rule sees what it is made for, and no more", () => {
    const planted = [
      { path: "src/main.ts", text: 'import type { A } from "./core/a.ts"; import("./core/b.ts");' },
      { path: "src/core/a.ts", text: "" },
      { path: "src/core/b.ts", text: "" },
      { path: "src/core/c.ts", text: 'import "./a.ts";' },
    ];
    expect(unreached(planted)).toEqual(["src/core/c.ts"]);
  });

  test("the repository keeps it", () => {
    expect(unreached(FILES.filter(isProgram).map(readSource))).toEqual([]);
  });
});

const LARGEST_FILE = 100_000;

test(`no file but a lockfile is larger than ${LARGEST_FILE} bytes`, () => {
  const large = FILES.filter((path) => !/(^|\/)(bun\.lock|package-lock\.json)$/.test(path)).filter(
    (path) => statSync(join(ROOT, path)).size > LARGEST_FILE,
  );
  expect(large).toEqual([]);
});

describe("reading source text", () => {
  test("comments, strings, templates and regular expressions are no code, and every character keeps its place", () => {
    const lines = [
      "first; // Math.exp",
      '/* Math.exp */ "Math.exp" /[/"]Math.exp/g;',
      `second / third / \`Math.exp \${fourth(\`\${fifth}\`)} Math.exp\`;`,
      "sixth;",
    ];
    const text = lines.join("\n");
    const code = codeOf(text);
    expect(code).not.toContain("Math.exp");
    expect(code).toHaveLength(text.length);
    for (const piece of ["first;", "second / third / ", "fourth(", "fifth", ";\nsixth;"]) {
      expect(code.indexOf(piece)).toBe(text.indexOf(piece));
    }
  });

  test("every import that the transpiler sees is found in every file", () => {
    const transpiler = new Bun.Transpiler({ loader: "ts" });
    for (const path of FILES.filter((file) => SOURCE.test(file))) {
      const { text } = readSource(path);
      const found = new Set(importsOf(text));
      expect(transpiler.scanImports(text).filter((seen) => !found.has(seen.path))).toEqual([]);
    }
  });
});

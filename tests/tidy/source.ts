import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { Glob } from "bun";

/** One file of the repository: its path from the root and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export const ROOT = join(import.meta.dir, "..", "..");

const NOT_OURS = /(^|\/)(node_modules|dist|native\/build|penstock-data|\.git|\.installing)(\/|$)|\.journal$/;

/** Paths of all files of the repository, whether or not they are committed yet. */
export function repositoryFiles(): string[] {
  return [...new Glob("**/*").scanSync({ cwd: ROOT, dot: true })].filter((path) => !NOT_OURS.test(path)).sort();
}

export function readSource(path: string): Source {
  return { path, text: readFileSync(join(ROOT, path), "utf8") };
}

/** After one of these a slash begins a regular expression, after anything else it divides. */
const BEFORE_EXPRESSION = /(^|[(,=:[!&|?{};+\-*%<>~^]|\b(return|typeof|case|in|of|void|throw|yield|await|else|do))\s*$/;

/**
 * The code of a TypeScript text without its words: comments are blanked, strings and regular expressions emptied,
 * template literals reduced to the code in their `${}`. Every character keeps its place.
 */
export function codeOf(text: string): string {
  let code = "";
  let at = 0;
  const blank = (end: number) => {
    code += text.slice(at, end).replace(/[^\n]/g, " ");
    at = end;
  };
  /** Copies code up to the brace that closes `depth`, or to the end of the text. */
  const copyCode = (insideTemplate: boolean) => {
    let depth = 0;
    while (at < text.length) {
      const char = text[at]!;
      const rest = text.slice(at, at + 2);
      if (rest === "//") {
        const end = text.indexOf("\n", at);
        blank(end < 0 ? text.length : end);
      } else if (rest === "/*") {
        const end = text.indexOf("*/", at + 2);
        blank(end < 0 ? text.length : end + 2);
      } else if (char === '"' || char === "'") {
        blankQuoted(char);
      } else if (char === "`") {
        copyTemplate();
      } else if (char === "/" && BEFORE_EXPRESSION.test(code.slice(-80))) {
        blankRegularExpression();
      } else {
        if (char === "{") depth++;
        if (char === "}" && depth-- === 0 && insideTemplate) return;
        code += char;
        at++;
      }
    }
  };
  const blankQuoted = (quote: string) => {
    let end = at + 1;
    while (end < text.length && text[end] !== quote && text[end] !== "\n") end += text[end] === "\\" ? 2 : 1;
    code += quote;
    at++;
    blank(end);
    code += quote;
    at++;
  };
  const blankRegularExpression = () => {
    let end = at + 1;
    let inClass = false;
    while (end < text.length && (inClass || text[end] !== "/") && text[end] !== "\n") {
      if (text[end] === "[") inClass = true;
      if (text[end] === "]") inClass = false;
      end += text[end] === "\\" ? 2 : 1;
    }
    // An operand stands in its place, so that a slash after it divides again.
    blank(end);
    code += "0";
    at++;
  };
  const copyTemplate = () => {
    code += '"';
    at++;
    while (at < text.length && text[at] !== "`") {
      if (text.startsWith("${", at)) {
        code += "+(";
        at += 2;
        copyCode(true);
        code += ")";
        at++;
      } else {
        blank(at + (text[at] === "\\" ? 2 : 1));
      }
    }
    code += '"';
    at++;
  };
  copyCode(false);
  return code;
}

/**
 * What a file imports, as written, types included: those bind one part of the house to another as much as values do,
 * and `Bun.Transpiler#scanImports`, which drops them, is therefore not enough.
 */
export function importsOf(text: string): string[] {
  const code = codeOf(text);
  const specifiers: string[] = [];
  for (const match of code.matchAll(/\bfrom\s*"|\bimport\s*"|\bimport\s*\(\s*"/g)) {
    const start = match.index + match[0].length;
    const end = code.indexOf('"', start);
    specifiers.push(text.slice(start, end));
  }
  return specifiers;
}

/** The repository path of a relative import, or undefined for a package. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : undefined;
}

/** All files that can be reached from the entry points by following imports. */
export function reachableFrom(entryPoints: readonly string[], sources: ReadonlyMap<string, Source>): Set<string> {
  const reached = new Set<string>();
  const open = [...entryPoints];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const source = sources.get(path);
    if (source === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const specifier of importsOf(source.text)) {
      const target = resolveImport(path, specifier);
      if (target !== undefined) open.push(target);
    }
  }
  return reached;
}

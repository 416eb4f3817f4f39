/**
 * What a decoder made of a value off the wire. A path names members from the outside in, "[]" for any element of a
 * list: `o.s`, `[].filters[].tickSize`.
 */
export interface FieldAudit<T> {
  readonly value: T;
  /** Paths that the decoder never looked at. */
  readonly unread: ReadonlySet<string>;
  /** Paths that it looked at and whose value is nowhere in what it made. */
  readonly dropped: ReadonlySet<string>;
}

type Leaf = string | number | boolean;

/** Decodes a value off the wire and finds out what of it was read, and what of that has survived. */
export function auditFields<T>(wire: unknown, decode: (wire: unknown) => T): FieldAudit<T> {
  const all = new Set<string>();
  walk(wire, "", (path) => all.add(path));
  const read = new Map<string, Leaf[]>();
  const value = decode(watched(wire, "", read));
  const kept = new Set<string>();
  walk(value, "", (_path, leaf) => kept.add(canonical(leaf)));
  const dropped = new Set<string>();
  for (const [path, leaves] of read) if (!leaves.every((leaf) => kept.has(canonical(leaf)))) dropped.add(path);
  const unread = new Set([...all].filter((path) => !read.has(path)));
  return { value, unread, dropped };
}

/** Paths of a wire value that are not in what was made of it, however that was decoded. */
export function missingFields(wire: unknown, value: unknown): Set<string> {
  const kept = new Set<string>();
  walk(value, "", (_path, leaf) => kept.add(canonical(leaf)));
  const missing = new Set<string>();
  walk(wire, "", (path, leaf) => {
    if (!kept.has(canonical(leaf))) missing.add(path);
  });
  return missing;
}

/** "0.50" as a text, as a number, and ids as either are the same value. */
function canonical(leaf: Leaf): string {
  if (typeof leaf === "boolean" || leaf === "") return String(leaf);
  // Digits beyond 2^53 are compared as they are written.
  const text = String(leaf);
  if (/^-?\d{16,}$/.test(text)) return text;
  const number = Number(leaf);
  return Number.isNaN(number) ? text : String(number);
}

function walk(value: unknown, path: string, leaf: (path: string, value: Leaf) => void): void {
  if (Array.isArray(value)) {
    for (const one of value) walk(one, `${path}[]`, leaf);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, one] of Object.entries(value)) walk(one, path === "" ? key : `${path}.${key}`, leaf);
  } else if (value !== undefined && value !== null) {
    leaf(path, value as Leaf);
  }
}

function watched(value: unknown, path: string, read: Map<string, Leaf[]>): unknown {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, key, receiver) {
      const member: unknown = Reflect.get(target, key, receiver);
      if (typeof key === "symbol" || typeof member === "function" || !Object.hasOwn(target, key)) return member;
      if (Array.isArray(target) && key === "length") return member;
      const inner = Array.isArray(target) ? `${path}[]` : path === "" ? key : `${path}.${key}`;
      if (typeof member === "object" && member !== null) return watched(member, inner, read);
      const leaves = read.get(inner);
      if (leaves === undefined) read.set(inner, member === null || member === undefined ? [] : [member as Leaf]);
      else if (member !== null && member !== undefined) leaves.push(member as Leaf);
      return member;
    },
  });
}

/** A broken invariant is a bug: crash and come back from the journal rather than trade on. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) invariantBroken(message);
}

/** For what is asked several times per bar: there a message may be put together only where it is needed. */
export function invariantBroken(message: string): never {
  throw new Error(`invariant broken: ${message}`);
}

/** Ends an exhaustive switch: a new member of the union does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new Error(
    `unreachable: ${JSON.stringify(value, (_, field) => (typeof field === "bigint" ? `${field}` : field))}`,
  );
}

/** An answer or event is not of the shape that it has to have. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

const DECIMAL = /^-?\d+(\.\d*)?(e[+-]?\d+)?$/i;
/** From here on a number has no digits of its own as a text. */
const MOST_SCALED = 1e21;

/**
 * Reads members of parsed JSON, as answers and events have them. Ids and decimals are texts afterwards, whether they
 * came as numbers or as texts: nothing is ever calculated with them here.
 */
export class FieldReader {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #what: string;

  /** @throws ShapeError when `value` is no object; `what` names it */
  constructor(value: unknown, what: string) {
    if (typeof value !== "object" || value === null) throw new ShapeError(`${what} is no object`);
    this.#object = value as Readonly<Record<string, unknown>>;
    this.#what = what;
  }

  has(key: string): boolean {
    return this.#object[key] !== undefined && this.#object[key] !== null;
  }

  /** A text or number, as text. @throws ShapeError */
  text(key: string): string {
    const value = this.#object[key];
    if (typeof value !== "string" && typeof value !== "number") throw this.#odd(key);
    return String(value);
  }

  textOr(key: string, absent: string): string {
    return this.has(key) ? this.text(key) : absent;
  }

  /** A decimal number, as text, that can be scaled to a whole one (decimals.ts). @throws ShapeError */
  decimal(key: string): string {
    const text = this.text(key);
    if (!DECIMAL.test(text) || !(Math.abs(Number(text)) < MOST_SCALED)) throw this.#odd(key);
    return text;
  }

  /** A number, or a text that holds one: some times have come as texts. @throws ShapeError */
  number(key: string): number {
    const value = this.#object[key];
    const number =
      typeof value === "number" || (typeof value === "string" && value !== "") ? Number(value) : Number.NaN;
    if (!Number.isFinite(number)) throw this.#odd(key);
    return number;
  }

  numberOr(key: string, absent: number): number {
    return this.has(key) ? this.number(key) : absent;
  }

  /** @throws ShapeError */
  flag(key: string): boolean {
    const value = this.#object[key];
    if (typeof value !== "boolean") throw this.#odd(key);
    return value;
  }

  flagOr(key: string, absent: boolean): boolean {
    return this.has(key) ? this.flag(key) : absent;
  }

  /** One of the texts that we know. @throws ShapeError */
  oneOf<T extends string>(key: string, known: readonly T[]): T {
    const value = this.text(key);
    if (!known.includes(value as T)) throw this.#odd(key);
    return value as T;
  }

  object(key: string): FieldReader {
    return new FieldReader(this.#object[key], `${this.#what}.${key}`);
  }

  list(key: string): FieldReader[] {
    return readers(this.#object[key], `${this.#what}.${key}`);
  }

  #odd(key: string): ShapeError {
    return new ShapeError(`${this.#what}.${key} is ${Bun.inspect(this.#object[key])}`);
  }
}

/** A reader for each element. @throws ShapeError when `value` is no array */
export function readers(value: unknown, what: string): FieldReader[] {
  if (!Array.isArray(value)) throw new ShapeError(`${what} is no list`);
  return value.map((one, index) => new FieldReader(one, `${what}[${index}]`));
}

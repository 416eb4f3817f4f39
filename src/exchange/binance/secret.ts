/**
 * A text that must not be seen: whatever prints, inspects or serialises it gets the stand-in. Only `reveal` gives it
 * away, and its callers are few enough to be read.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return STAND_IN;
  }

  toJSON(): string {
    return STAND_IN;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return STAND_IN;
  }
}

const STAND_IN = "[secret]";

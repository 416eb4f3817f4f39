import type { Instrument } from "../../../core/instrument.ts";
import { readDecimal } from "./decimals.ts";
import { mandatory } from "./signature.ts";
import { WireError } from "./wire.ts";

/** The parameters of one request; each reader refuses what it cannot read in the exchange's words. */
export class Parameters {
  readonly values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values;
  }

  /** Of a query and a form, or of a WS API message. */
  static ofForm(query: string, body: string): Parameters {
    const values = new Map<string, string>();
    for (const part of [query, body]) for (const [name, value] of new URLSearchParams(part)) values.set(name, value);
    return new Parameters(values);
  }

  static ofObject(object: unknown): Parameters {
    const values = new Map<string, string>();
    if (typeof object === "object" && object !== null) {
      for (const [name, value] of Object.entries(object)) {
        if (value === undefined || value === null) continue;
        values.set(name, typeof value === "object" ? JSON.stringify(value) : String(value));
      }
    }
    return new Parameters(values);
  }

  /** Undefined when absent or empty. */
  text(name: string): string | undefined {
    const value = this.values.get(name);
    return value === "" ? undefined : value;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw mandatory(name);
    return value;
  }

  whole(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,15}$/.test(value)) throw mandatory(name);
    return Number(value);
  }

  flag(name: string): boolean {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined || value === "false") return false;
    if (value !== "true") throw mandatory(name);
    return true;
  }

  /** One of the names, or the first where the parameter is absent. */
  choice<Name extends string>(name: string, names: readonly Name[], code = -1102): Name {
    const value = this.text(name)?.toUpperCase();
    if (value === undefined) return names[0]!;
    const found = names.find((known) => known === value);
    if (found !== undefined) return found;
    if (code === -1102) throw mandatory(name);
    throw new WireError(code, `Invalid ${name}.`);
  }

  /** Whole lots. */
  lots(name: string, instrument: Instrument): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const read = readDecimal(text, instrument.lotUnits, instrument.quantityDecimals);
    if (read.kind === "steps") return read.steps;
    if (read.kind === "malformed") throw mandatory(name);
    if (read.kind === "off-step") throw new WireError(-4023, "Quantity not increased by step size.");
    if (read.kind === "too-large") throw new WireError(-4005, "Quantity greater than max quantity.");
    throw new WireError(-1111, "Precision is over the maximum defined for this asset.");
  }

  /** Whole ticks. */
  ticks(name: string, instrument: Instrument): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const read = readDecimal(text, instrument.tickUnits, instrument.priceDecimals);
    if (read.kind === "steps") return read.steps;
    if (read.kind === "malformed") throw mandatory(name);
    if (read.kind === "off-step") throw new WireError(-4014, "Price not increased by tick size.");
    if (read.kind === "too-large") throw new WireError(-4002, "Price greater than max price.");
    throw new WireError(-1111, "Precision is over the maximum defined for this asset.");
  }
}

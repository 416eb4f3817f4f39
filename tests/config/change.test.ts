import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { changedSettings, checkChange } from "../../src/config/change.ts";
import { loadSettings } from "../../src/config/load.ts";
import { overridesFile, readOverrides, writeOverride } from "../../src/config/overrides.ts";
import { type Definition, SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { InputError } from "../../src/input-error.ts";

const NONE = new Map<string, string>();

function refusal(name: string, text: string, environment: Record<string, string> = {}): string {
  try {
    checkChange(loadSettings(environment), NONE, name, text);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  throw new Error(`${name}=${text} is accepted`);
}

describe("a change at run time", () => {
  test("says what was and what is", () => {
    expect(checkChange(loadSettings({}), new Map([["MAX_POSITIONS", "20"]]), "MAX_POSITIONS", " 7 ")).toEqual({
      name: "MAX_POSITIONS",
      value: "7",
      from: "20",
    });
  });

  test("of what cannot change, does not exist or is no value is refused with the reason", () => {
    expect(refusal("EXCHANGE", "binance")).toContain("cannot be changed while running");
    expect(refusal("TRADING_ENABLED", "true")).toContain("cannot be changed while running");
    expect(refusal("ADMIN_TOKEN", "x".repeat(20))).toContain("cannot be changed while running");
    expect(refusal("NO_SUCH", "1")).toContain("there is no setting");
    expect(refusal("MAX_POSITIONS", "-1")).toContain("allowed");
    expect(refusal("BASE_LEVERAGE", "1")).not.toContain("undefined");
  });

  test("that would break an order of settings is refused", () => {
    expect(refusal("MAX_LEVERAGE", "1")).toContain("do not fit");
  });

  test("never loosens a bound of risk beyond the start, whatever was changed between", () => {
    const loaded = loadSettings({ MAX_POSITIONS: "10", MIN_CONFIDENCE: "0.5" });
    expect(() => checkChange(loaded, new Map([["MAX_POSITIONS", "3"]]), "MAX_POSITIONS", "10")).not.toThrow();
    expect(() => checkChange(loaded, NONE, "MAX_POSITIONS", "11")).toThrow("would risk more");
    expect(() => checkChange(loaded, NONE, "MIN_CONFIDENCE", "0.49")).toThrow("would risk more");
    const bounded = SETTING_NAMES.filter((name) => (SETTINGS[name] as Definition).safer !== undefined);
    expect(bounded.length).toBeGreaterThan(25);
    fc.assert(
      fc.property(fc.constantFrom(...bounded), fc.double({ min: 0, max: 1, noNaN: true }), (name, share) => {
        const { min, max, safer } = SETTINGS[name] as Definition & { min: number; max: number };
        const value =
          SETTINGS[name].type === "integer" ? Math.round(min + share * (max - min)) : min + share * (max - min);
        const bound = loaded.settings[name] as number;
        try {
          checkChange(loaded, NONE, name, String(value));
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          return;
        }
        expect(safer === "lower" ? value <= bound : value >= bound).toBe(true);
      }),
    );
  });
});

describe("what was changed", () => {
  test("holds in the next start where the environment says nothing, and only towards the safe side", () => {
    const loaded = loadSettings(
      { MAX_SIGNALS: "4" },
      [],
      new Map([
        ["MAX_SIGNALS", "2"],
        ["MAX_POSITIONS", "5"],
      ]),
    );
    expect([loaded.settings.MAX_SIGNALS, loaded.sources.MAX_SIGNALS]).toEqual([4, "environment"]);
    expect([loaded.settings.MAX_POSITIONS, loaded.sources.MAX_POSITIONS]).toEqual([5, "changed at run time"]);
    expect(loaded.bounds.MAX_POSITIONS).toBe(999);
    // Back to what the start allows, although the start itself was at 5.
    expect(checkChange(loaded, NONE, "MAX_POSITIONS", "999").value).toBe("999");
    const bold = loadSettings(
      {},
      [],
      new Map([
        ["DAILY_LOSS_LIMIT_PCT", "0.4"],
        ["EXCHANGE", "binance"],
        ["GONE", "1"],
      ]),
    );
    expect(bold.settings.DAILY_LOSS_LIMIT_PCT).toBe(0.05);
    expect(bold.warnings).toHaveLength(3);
    expect(bold.warnings.join()).toContain("would risk more");
  });

  test("is kept in a file that a person can read and mend", () => {
    const folder = mkdtempSync(`${tmpdir()}/penstock-overrides-`);
    try {
      expect(readOverrides(folder).size).toBe(0);
      writeOverride(folder, "MAX_SIGNALS", "3");
      writeOverride(folder, "MAX_POSITIONS", "5");
      writeOverride(folder, "MAX_SIGNALS", "2");
      expect(Object.fromEntries(readOverrides(folder))).toEqual({ MAX_SIGNALS: "2", MAX_POSITIONS: "5" });
      for (const text of ["{", "[]", "null", '{"MAX_SIGNALS": 2}']) {
        writeFileSync(overridesFile(folder), text);
        expect(() => readOverrides(folder)).toThrow("settings.json: expected an object");
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("gives the settings that the core is configured anew with", () => {
    const { settings } = loadSettings({});
    const changed = changedSettings(
      settings,
      new Map([
        ["MAX_SIGNALS", "3"],
        ["EXIT_ON_REGIME_CHANGE", "false"],
      ]),
    );
    expect([changed.MAX_SIGNALS, changed.EXIT_ON_REGIME_CHANGE, changed.EMA_FAST]).toEqual([
      3,
      false,
      settings.EMA_FAST,
    ]);
    expect(settings.MAX_SIGNALS).toBe(10);
  });
});

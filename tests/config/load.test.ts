import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { loadSettings, parseSetting, recordedSettings, settingsHash } from "../../src/config/load.ts";
import { type Definition, proposersOf, SETTING_NAMES, SETTINGS, type SettingName } from "../../src/config/settings.ts";
import { InputError } from "../../src/input-error.ts";

const definitionOf = (name: string): Definition => SETTINGS[name as keyof typeof SETTINGS];

/** The message with which the settings are refused. */
function refusal(environment: Record<string, string>, assignments: string[] = []): string {
  try {
    loadSettings(environment, assignments);
  } catch (error) {
    if (error instanceof InputError && error.exitCode === 2) return error.message;
    throw error;
  }
  throw new Error("these settings are accepted");
}

test("settings of a journal that is older than some of them have the defaults of those", () => {
  const { ENTRY_ORDER: _, ...older } = loadSettings({ MAX_SIGNALS: "3", MIN_CONFIDENCE: "0.5" }).settings;
  const settings = recordedSettings(older);
  expect(settings).toEqual({ ...loadSettings({ MAX_SIGNALS: "3", MIN_CONFIDENCE: "0.5" }).settings });
  expect(settings.ENTRY_ORDER).toBe("market");
});

describe("the table", () => {
  test("has the names and defaults of the original system", () => {
    const { settings } = loadSettings({});
    expect(settings).toMatchObject({
      MAX_POSITIONS: 999,
      CYCLE_INTERVAL: 60,
      MIN_CONFIDENCE: 0.35,
      BASE_MARGIN_PCT: 0.1,
      STRATEGY_MODE: "hybrid",
      SELF_LEARNING_MODE: "end_to_end",
      ENABLE_SMART_MONITORING: true,
      CIRCUIT_BREAKER_THROTTLE_DELAY: 2,
      OB_TIME_DECAY_HOURS: 48,
      RATE_LIMIT_REQUESTS: 1920,
      DAILY_LOSS_LIMIT_PCT: 0.05,
      TRADING_ENABLED: false,
    });
  });

  test("every default is a value that the setting accepts", () => {
    for (const name of SETTING_NAMES) {
      const value = SETTINGS[name].default;
      if (value === "") continue;
      expect(loadSettings({ [name]: String(value) }).settings[name]).toBe(value);
    }
  });
});

describe("values", () => {
  test("the command line wins over the environment, which wins over the default; the last assignment counts", () => {
    const loaded = loadSettings({ MAX_SIGNALS: "5", EMA_FAST: "9" }, ["MAX_SIGNALS=6", "MAX_SIGNALS=7"]);
    expect([loaded.settings.MAX_SIGNALS, loaded.sources.MAX_SIGNALS]).toEqual([7, "command line"]);
    expect([loaded.settings.EMA_FAST, loaded.sources.EMA_FAST]).toEqual([9, "environment"]);
    expect([loaded.settings.EMA_SLOW, loaded.sources.EMA_SLOW]).toEqual([50, "default"]);
    expect(Object.isFrozen(loaded.settings)).toBe(true);
  });

  test("an empty environment variable counts as not set, an empty assignment does not", () => {
    expect(loadSettings({ MAX_SIGNALS: " " }).sources.MAX_SIGNALS).toBe("default");
    expect(refusal({}, ["MAX_SIGNALS="])).toContain("a whole number from 1 to 1000");
    expect(refusal({}, ["DATA_DIR="])).toContain("must not be empty");
  });

  test("booleans are true, false, 1 or 0", () => {
    for (const [text, value] of [
      ["true", true],
      ["1", true],
      ["false", false],
      ["0", false],
    ] as const) {
      expect(loadSettings({ OB_DECAY_ENABLED: text }).settings.OB_DECAY_ENABLED).toBe(value);
    }
    expect(refusal({ OB_DECAY_ENABLED: "yes" })).toBe(
      "OB_DECAY_ENABLED=yes is not allowed; allowed: true, false, 1 or 0",
    );
  });

  test.each(["abc", "1e999", "NaN", "Infinity", "0x10", "5,5", "1 000", "--3", "1.5", "0", "126"])(
    "a whole number within bounds is not %s",
    (text) => {
      expect(refusal({ MAX_LEVERAGE: text })).toBe(
        `MAX_LEVERAGE=${text} is not allowed; allowed: a whole number from 1 to 125 (×)`,
      );
    },
  );

  test.each([
    ["DAILY_LOSS_LIMIT_PCT", "5", "for 5 % write 0.05"],
    ["DAILY_LOSS_LIMIT_PCT", "1", "for 1 % write 0.01"],
    ["MIN_CONFIDENCE", "45", "for 45 % write 0.45"],
    ["BASE_MARGIN_PCT", "10%", "for 10 % write 0.1"],
    ["SIMULATED_TAKER_FEE", "0.05", "for 0.05 % write 0.0005"],
  ])("%s=%s looks like a percent and is refused with the reason", (name, text, hint) => {
    expect(refusal({ [name]: text })).toStartWith(`${name}=${text} is not allowed; allowed: a fraction from `);
    expect(refusal({ [name]: text })).toEndWith(hint);
  });

  test("bounds belong to what is allowed", () => {
    for (const [name, definition] of Object.entries<Definition>(SETTINGS)) {
      if (definition.type !== "integer" && definition.type !== "number") continue;
      for (const bound of [definition.min, definition.max]) {
        expect(parseSetting(name as SettingName, String(bound))).toBe(bound);
      }
    }
  });

  test("any number within bounds comes back as itself, any outside is refused", () => {
    const numeric = SETTING_NAMES.filter((name) => ["integer", "number"].includes(SETTINGS[name].type));
    fc.assert(
      fc.property(fc.constantFrom(...numeric), fc.double({ noNaN: true, min: -1e7, max: 1e7 }), (name, value) => {
        const definition = definitionOf(name);
        if (definition.type !== "integer" && definition.type !== "number") throw new Error("not numeric");
        const inside = value >= definition.min && value <= definition.max;
        const fits = inside && (definition.type === "number" || Number.isInteger(value));
        if (!fits) expect(refusal({}, [`${name}=${value}`])).toContain(`${name}=${value}`);
        else {
          try {
            expect(loadSettings({}, [`${name}=${value}`]).settings[name]).toBe(value === 0 ? 0 : value);
          } catch (error) {
            // Within its own bounds a value can only fail to fit to its neighbours.
            expect((error as Error).message).toContain("do not fit");
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    [["MAX_LEVERAGE=2"], "BASE_LEVERAGE=3 (the default) and MAX_LEVERAGE=2 do not fit"],
    [["MIN_LEVERAGE=5"], "MIN_LEVERAGE=5 and BASE_LEVERAGE=3 (the default) do not fit"],
    [["BASE_MARGIN_PCT=0.2"], "BASE_MARGIN_PCT=0.2 and MAX_MARGIN_PCT=0.13 (the default) do not fit"],
    [["EMA_FAST=50"], "EMA_FAST=50 and EMA_SLOW=50 (the default) do not fit; allowed: EMA_FAST < EMA_SLOW"],
    [["CIRCUIT_BREAKER_BLOCKED_THRESHOLD=4"], "CIRCUIT_BREAKER_THROTTLED_THRESHOLD=4 (the default)"],
  ])("neighbours have to fit: %p", (assignments, message) => {
    expect(refusal({}, assignments)).toContain(message);
  });
});

describe("what does not exist yet", () => {
  test("POSITION_MODE is one of two", () => {
    expect(refusal({ POSITION_MODE: "both" })).toBe("POSITION_MODE=both is not allowed; allowed: one-way, hedge");
  });

  test("a kernel that this machine lacks is refused", () => {
    expect(refusal({ PENSTOCK_KERNEL: "mmx" })).toContain("PENSTOCK_KERNEL=mmx");
    expect(loadSettings({ PENSTOCK_KERNEL: "portable" }).settings.PENSTOCK_KERNEL).toBe("portable");
  });

  test("ict always proposes; a model of self_learning looks at probes as well", () => {
    expect(proposersOf({ STRATEGY_MODE: "ict" })).toEqual({ strategy: "ict" });
    expect(proposersOf({ STRATEGY_MODE: "hybrid" })).toEqual({ strategy: "ict" });
    expect(proposersOf({ STRATEGY_MODE: "self_learning" })).toEqual({ strategy: "ict", also: "probe" });
  });
});

describe("names", () => {
  test("an unknown name on the command line is refused, with the nearest known one", () => {
    expect(refusal({}, ["MAX_LEVRAGE=3"])).toBe("--set MAX_LEVRAGE: no such setting; did you mean MAX_LEVERAGE?");
    expect(refusal({}, ["max_signals=3"])).toEndWith("did you mean MAX_SIGNALS?");
    expect(refusal({}, ["QQ=3"])).toBe("--set QQ: no such setting");
    expect(refusal({}, ["toString=3"])).toStartWith("--set toString: no such setting");
    expect(refusal({}, ["EMA_FAST"])).toContain("write EMA_FAST=VALUE");
  });

  test("a near miss in the environment is a warning, any other unknown variable is not ours", () => {
    const { warnings } = loadSettings({ MAX_LEVERGE: "4", MAX_SINGALS: "4", PATH: "/bin", max_signal: "4" });
    expect(warnings).toEqual([
      "the environment variable MAX_LEVERGE is not a setting; did you mean MAX_LEVERAGE?",
      "the environment variable MAX_SINGALS is not a setting; did you mean MAX_SIGNALS?",
    ]);
  });

  test("secrets are not taken from the command line", () => {
    expect(refusal({}, ["BINANCE_API_SECRET=hush"])).not.toContain("hush");
  });
});

describe("the settings hash", () => {
  const hash = (assignments: string[], extra: string[] = []) =>
    settingsHash(loadSettings({}, assignments).settings, extra);

  test("changes with everything that can change a decision, and with nothing else", () => {
    const base = hash([]);
    expect(base).toMatch(/^[0-9a-f]{64}$/);
    expect(hash(["MAX_SIGNALS=10"])).toBe(base);
    for (const other of [
      "MAX_SIGNALS=9",
      "STRATEGY_MODE=ict",
      "SIMULATED_TAKER_FEE=0.0004",
      "EMA_FAST=21",
      "OB_DECAY_RATE=0.2",
    ]) {
      expect(hash([other])).not.toBe(base);
    }
    for (const same of [
      "DATA_DIR=/elsewhere",
      "MAX_WORKERS=2",
      "LIQUIDITY_HUNT_CONFIDENCE_THRESHOLD=0.8",
      "PENSTOCK_KERNEL=portable",
    ]) {
      expect(hash([same])).toBe(base);
    }
  });

  test("covers the extra strings one by one", () => {
    const hashes = [[], [""], ["ab"], ["a", "b"], ["b", "a"]].map((extra) => hash([], extra));
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

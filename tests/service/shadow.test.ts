import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { VirtualTrade } from "../../src/core/virtual-book.ts";
import { ModelFolder } from "../../src/learning/registry.ts";
import { GENERATED_START } from "../../src/service/generated.ts";
import { LearningLoop } from "../../src/service/learning-loop.ts";
import { runLive } from "../../src/service/live.ts";
import { candidate } from "../core/core-fixture.ts";
import { trained } from "../learning/trained.ts";
import { temporaryFolder } from "../store/database.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);
const [A, B, C] = [trained("signal", 1).result, trained("signal", 2).result, trained("signal", 3).result];
const SHADOW = A.manifest.id;

function registryIn(dataDir: string): ModelFolder {
  const registry = new ModelFolder(join(dataDir, "models"));
  registry.add(A.manifest, A.artefact);
  registry.move(SHADOW, "shadow", "passed the gate", A.manifest.createdAt);
  return registry;
}

/** A learning loop as a start of the service makes it, and the trades of its market: one an hour that ends an hour later. */
class Run {
  readonly said: string[] = [];
  readonly loop: LearningLoop;
  time: number;

  private constructor(dataDir: string, from: number, market = "a market") {
    this.time = from;
    this.loop = new LearningLoop({
      settings: loadSettings({ DATA_DIR: dataDir, STRATEGY_MODE: "hybrid", MODEL_SHADOW_HOURS: "24" }).settings,
      ...{ strategy: "hybrid", registry: new ModelFolder(join(dataDir, "models")) },
      ...{ costs: { takerFee: 0, slippage: 0 }, market, symbols: ["AUSDT"] },
      onNotice: (level, text) => this.said.push(`${level}: ${text}`),
    });
  }

  static async begin(dataDir: string, from: number, market?: string): Promise<Run> {
    const run = new Run(dataDir, from, market);
    await run.loop.begin(from);
    return run;
  }

  /** Goes on, minute by minute. @returns the market time at which the shadow came to decide, NaN if it did not */
  async until(end: number): Promise<number> {
    for (; this.time < end; this.time += MINUTE) {
      this.loop.tick(this.time);
      // A model that is to decide has to be opened first, which takes a process and its time.
      await this.loop.begin(this.time);
      if (this.loop.takeSwap()?.model?.manifest.id === SHADOW) return this.time;
      if (this.time % HOUR !== 0) continue;
      this.loop.record({ kind: "virtual-closed", time: this.time, trade: tradeOf(this.time - HOUR) });
      const event = { kind: "analysis", time: this.time, symbol: -1, cycle: this.time, regimes: [] } as const;
      await this.loop.judged({ ...event, candidates: [candidate({ features: new Float32Array(31) })] });
    }
    this.loop.tick(end);
    return Number.NaN;
  }

  get seen(): [hours: number, outcomes: number] {
    const { shadowWatched, shadowOutcomes } = this.loop.view(this.time);
    return [shadowWatched / HOUR, shadowOutcomes];
  }
}

/** What becomes of the candidate of a cycle: it loses, as the shadow thought it would. */
function tradeOf(signalTime: number): VirtualTrade {
  const { symbol, direction, setup } = candidate();
  const trade = { symbol, direction, setup, signalTime, entry: 10_000, exit: 9_900, entryTime: signalTime };
  return { ...trade, exitTime: signalTime + HOUR } as VirtualTrade;
}

describe("a shadow's time and outcomes", () => {
  test("go on after a restart: nothing is lost, nothing counted twice, and a stop is no time in the shadow", async () => {
    const [whole, parts] = [temporaryFolder(), temporaryFolder()];
    for (const dir of [whole, parts]) registryIn(dir);
    expect(await (await Run.begin(whole, START)).until(START + 30 * HOUR)).toBe(START + 24 * HOUR);

    const first = await Run.begin(parts, START);
    expect(await first.until(START + 10 * HOUR + 7 * MINUTE)).toBeNaN();
    // Signals of 0 to 9 h have ended by 10 h; the one of 10 h has not, and is lost with the run.
    const seen = first.seen;
    expect(seen).toEqual([10 + 7 / 60, 10]);
    first.loop.close();
    const second = await Run.begin(parts, START + 15 * HOUR);
    expect(second.seen).toEqual(seen);
    expect(second.said).toEqual([`info: model ${SHADOW} goes on in the shadow: 10.1 h, 10 outcomes so far`]);
    // 24 h of watching end 4 h 53 min later than they would have without the stop; judged every quarter of an hour.
    const decided = await second.until(START + 40 * HOUR);
    expect(decided).toBeWithin(START + 28 * HOUR + 53 * MINUTE, START + 29 * HOUR + 9 * MINUTE);
    const { watched, outcomes } = new ModelFolder(join(parts, "models")).shadows.of(SHADOW);
    expect(watched).toBeWithin(24 * HOUR, 24 * HOUR + 16 * MINUTE);
    expect(outcomes).toBe(10 + 13);
    const [, last] = new ModelFolder(join(parts, "models")).steps.filter(({ model }) => model === SHADOW).slice(-2);
    expect(last).toMatchObject({ to: "champion", reason: expect.stringContaining("over 23 outcomes") });
  });

  test("are lost by a quarter of an hour at most when the run is killed", async () => {
    const dir = temporaryFolder();
    registryIn(dir);
    const killed = await Run.begin(dir, START);
    await killed.until(START + 5 * HOUR + 14 * MINUTE);
    const [hours, outcomes] = (await Run.begin(dir, START + 6 * HOUR)).seen;
    expect(hours).toBeWithin(5, killed.seen[0]);
    expect(outcomes).toBe(4 + 1 - 1);
  });

  test("do not grow by going through the same market again, nor by another market", async () => {
    const dir = temporaryFolder();
    registryIn(dir);
    for (let i = 0; i < 4; i++) {
      const run = await Run.begin(dir, START);
      expect(await run.until(START + 12 * HOUR)).toBeNaN();
      expect(run.seen).toEqual([12, 11]);
      run.loop.close();
    }
    const elsewhere = await Run.begin(dir, START + 12 * HOUR, "another market");
    expect(await elsewhere.until(START + 30 * HOUR)).toBeNaN();
    expect(elsewhere.seen).toEqual([18, 17]);
  });

  test("that cannot be written down are told of, kept, and written when they can be", async () => {
    const dir = temporaryFolder();
    registryIn(dir);
    const run = await Run.begin(dir, START);
    const path = join(dir, "models", "shadow.jsonl");
    mkdirSync(path);
    await run.until(START + HOUR);
    expect(run.said).toHaveLength(4);
    expect(run.said[0]).toMatch(
      /^warning: what the shadow .* has shown would be lost with this run: .*shadow.jsonl: cannot be written/,
    );
    rmdirSync(path);
    await run.until(START + 3 * HOUR);
    expect(run.said).toHaveLength(4);
    run.loop.close();
    expect((await Run.begin(dir, START + 3 * HOUR)).seen).toEqual([3, 2]);
  });

  test("come to an end although newer models have passed the gate; then the newest of those has its turn", async () => {
    const dir = temporaryFolder();
    const registry = registryIn(dir);
    const run = await Run.begin(dir, START);
    for (const [i, { manifest, artefact }] of [B, C].entries()) {
      expect(await run.until(START + (i + 1) * 6 * HOUR)).toBeNaN();
      registry.add(manifest, artefact);
      registry.move(manifest.id, "shadow", "passed the gate", manifest.createdAt);
      await run.loop.begin(run.time);
      expect(run.loop.view(run.time).shadow).toBe(SHADOW);
    }
    expect(await run.until(START + 30 * HOUR)).toBe(START + 24 * HOUR);
    expect(registry.list().map(({ manifest, state }) => [manifest.id, state])).toEqual([
      [SHADOW, "champion"],
      [B.manifest.id, "retired"],
      [C.manifest.id, "shadow"],
    ]);
    expect(run.loop.view(run.time)).toMatchObject({ shadow: C.manifest.id, shadowWatched: 0, shadowOutcomes: 0 });
  });
});

test("a run that ends in the middle and one that begins again come to what one run comes to", async () => {
  const live = async (dataDir: string, hours: number) => {
    const { settings } = loadSettings({ DATA_DIR: dataDir, MAX_WORKERS: "1" }, [
      ...["STRATEGY_MODE=hybrid", "ENABLE_STORE=false", "MODEL_SHADOW_HOURS=1000"],
    ]);
    await runLive(settings, {
      market: { kind: "generated", seed: 3, symbols: 8, to: GENERATED_START + hours * HOUR },
      ...{ without: [], speed: Number.POSITIVE_INFINITY, duration: Number.POSITIVE_INFINITY },
      signal: new AbortController().signal,
      ...{ onRecord: () => {}, onNotice: () => {}, onTick: () => {} },
    });
    const { since, watched, outcomes, loss, toBeat } = new ModelFolder(join(dataDir, "models")).shadows.of(SHADOW);
    return { since, watched, outcomes, loss, toBeat };
  };
  const [once, twice] = [temporaryFolder(), temporaryFolder()];
  for (const dir of [once, twice]) registryIn(dir);
  const whole = await live(once, 14);
  const half = await live(twice, 6);
  expect(half).toMatchObject({ since: GENERATED_START, watched: 6 * HOUR });
  // The generated market begins anew, so that what the first run saw is seen again, and then what it did not.
  const { loss, toBeat, ...counts } = await live(twice, 14);
  expect(whole.outcomes).toBeGreaterThan(half.outcomes);
  expect(counts).toEqual({ since: GENERATED_START, watched: 14 * HOUR, outcomes: whole.outcomes });
  expect(loss).toBeCloseTo(whole.loss, 12);
  expect(toBeat).toBeCloseTo(whole.toBeat, 12);
});

test("what a run has written down of a shadow is of its market and its symbols by name", async () => {
  const dir = temporaryFolder();
  registryIn(dir);
  const run = await Run.begin(dir, START);
  await run.until(START + 2 * HOUR);
  run.loop.close();
  const lines = readFileSync(join(dir, "models", "shadow.jsonl"), "utf8")
    .trimEnd()
    .split("\n");
  const outcomes = lines.flatMap((line) => JSON.parse(line).outcomes);
  expect(outcomes.map(({ trade }) => trade)).toEqual([`AUSDT:1:order-block:${START}`]);
  expect(new Set(lines.map((line) => JSON.parse(line).market))).toEqual(new Set(["a market"]));
  // Whoever reads it later is not stopped by what is no line.
  writeFileSync(join(dir, "models", "shadow.jsonl"), `${lines.join("\n")}\n{"model"`);
  expect((await Run.begin(dir, START + 2 * HOUR)).seen).toEqual([2, 1]);
});

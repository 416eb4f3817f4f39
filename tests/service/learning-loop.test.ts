import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { AnalysisEvent } from "../../src/core/events.ts";
import { ModelFolder } from "../../src/learning/registry.ts";
import { ModelProcessLost } from "../../src/models/process/model-process.ts";
import { LearningLoop, type LearningOptions, type ModelRuntime } from "../../src/service/learning-loop.ts";
import { candidate } from "../core/core-fixture.ts";
import { addNet, netModel } from "../learning/net-model.ts";

const folders: string[] = [];
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

const NET = netModel("hybrid", 1);
const ID = NET.manifest.id;
const WIDTH = NET.manifest.columns.length;
const CYCLE = 300_000;

const event = (): AnalysisEvent => ({
  ...{ kind: "analysis", time: CYCLE, symbol: -1, cycle: CYCLE, regimes: [] },
  candidates: [candidate({ features: new Float32Array(WIDTH - 1) })],
});

/** A loop whose net says one half of everything, by the one process that there is. */
function loopOf(
  to: "shadow" | "champion",
  changed: Partial<ModelRuntime> = {},
  options: Partial<LearningOptions> = {},
) {
  const dir = mkdtempSync(join(tmpdir(), "penstock-loop-"));
  folders.push(dir);
  const registry = new ModelFolder(join(dir, "models"));
  addNet(registry, NET, to);
  const loaded: string[] = [];
  const runtime: ModelRuntime = {
    load: async (name) => {
      loaded.push(name);
      return "refused";
    },
    predict: async (_, rows) => new Float64Array(rows.length / WIDTH).fill(0.5),
    unload: (name) => void loaded.splice(loaded.indexOf(name), 1),
    rest: () => {},
    close: async () => {},
    ...changed,
  };
  const said: string[] = [];
  const { settings } = loadSettings({ DATA_DIR: dir, STRATEGY_MODE: "hybrid" }, ["MODEL_ANSWER_TIMEOUT_MS=10"]);
  const loop = new LearningLoop({
    ...{ settings, strategy: "hybrid", registry, runtime, costs: { takerFee: 0, slippage: 0 } },
    ...{ market: "a test", symbols: ["AUSDT"] },
    onNotice: (level, text) => said.push(`${level}: ${text}`),
    ...options,
  });
  /** What the run does between two cycles. @returns who decides */
  const swap = () => {
    const due = loop.takeSwap();
    if (due !== undefined) loop.swapped(due);
    return loop.view(CYCLE).model;
  };
  return { loop, registry, loaded, said, swap };
}

describe("a net", () => {
  test("that is promoted is opened first, and decides; rolled back, the rules do and its process is rid of it", async () => {
    const { loop, registry, loaded, swap } = loopOf("shadow");
    await loop.begin(1);
    expect([swap(), loop.view(1).shadow, loaded.length]).toEqual(["", ID, 1]);
    expect(await loop.promote(ID)).toBe(`model ${ID} decides from the next cycle on`);
    expect(registry.get(ID).state).toBe("champion");
    await loop.begin(1);
    expect([swap(), loop.view(1).shadow, loaded.length]).toEqual([ID, "", 1]);
    const { event: judged, before } = await loop.judged(event());
    expect(before).toBeUndefined();
    expect(judged.candidates).toMatchObject([{ strategy: "hybrid", prediction: { model: ID, probability: 0.5 } }]);
    expect(await loop.rollback()).toBe(`model ${ID} is retired, the rules decide`);
    await loop.begin(1);
    expect([swap(), loaded]).toEqual(["", []]);
    loop.close();
  });

  test("that cannot be opened is not promoted", async () => {
    const { loop, registry, said } = loopOf("shadow", {
      load: async () => {
        throw new ModelProcessLost("the model process ended (SIGKILL)");
      },
    });
    await expect(loop.promote(ID)).rejects.toThrow(`model ${ID} cannot be served: the model process ended (SIGKILL)`);
    expect(registry.get(ID).state).toBe("shadow");
    expect(said).toEqual([]);
    loop.close();
  });

  test("over which the process was lost is tried again, three times in all, and then reported", async () => {
    let attempts = 0;
    const { loop, said, swap } = loopOf("champion", {
      load: async () => {
        attempts++;
        throw new ModelProcessLost("no answer");
      },
    });
    for (let look = 0; look < 5; look++) await loop.begin(1);
    expect(attempts).toBe(3);
    expect(swap()).toBe("");
    const yet = `warning: model ${ID} could not be opened yet, the rules decide: no answer`;
    expect(said).toEqual([yet, yet, `alarm: model ${ID} cannot be used, the rules decide: no answer`]);
    loop.close();
  });

  test("that could not be opened decides when an operator goes back to it, now that it can", async () => {
    let isLost = true;
    const { loop, registry, swap } = loopOf("champion", {
      load: async () => {
        if (isLost) throw new ModelProcessLost("no answer");
        return "refused";
      },
    });
    for (let look = 0; look < 3; look++) await loop.begin(1);
    expect(swap()).toBe("");
    isLost = false;
    const next = netModel("hybrid", 2);
    addNet(registry, next, "champion");
    await loop.begin(1);
    expect(swap()).toBe(next.manifest.id);
    expect(await loop.rollback()).toBe(`model ${ID} decides again`);
    await loop.begin(1);
    expect(swap()).toBe(ID);
    loop.close();
  });

  test("in the shadow is waited for by nobody, and not watched any more when it never answers", async () => {
    let how: "answers" | "fails" | "hangs" = "answers";
    const { loop, said, swap } = loopOf("shadow", {
      predict: async (_, rows) => {
        if (how === "hangs") await new Promise(() => {});
        if (how === "fails") throw new ModelProcessLost("no answer");
        return new Float64Array(rows.length / WIDTH).fill(0.5);
      },
    });
    await loop.begin(1);
    expect(swap()).toBe("");
    how = "hangs";
    const { event: judged, before } = await loop.judged(event());
    expect([before, judged.candidates[0]!.prediction]).toEqual([undefined, undefined]);
    how = "fails";
    for (let cycle = 0; cycle < 3; cycle++) {
      expect(loop.view(1).shadow).toBe(ID);
      await loop.judged(event());
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(loop.view(1).shadow).toBe("");
    expect(said).toEqual([`warning: the shadow ${ID} gives no answers and is not watched: no answer`]);
    loop.close();
  });

  test("that is away is forgotten when another is to decide", async () => {
    let how: "answers" | "hangs" = "answers";
    const { loop, registry, loaded, swap } = loopOf("champion", {
      predict: async (_, rows) => {
        if (how === "hangs") await new Promise(() => {});
        return new Float64Array(rows.length / WIDTH).fill(0.5);
      },
    });
    await loop.begin(1);
    expect(swap()).toBe(ID);
    how = "hangs";
    const { event: judged, before } = await loop.judged(event());
    expect([before?.model, judged.candidates[0]!.prediction]).toEqual([undefined, undefined]);
    loop.swapped(before!);
    expect(loop.view(1)).toMatchObject({ model: "", away: ID, unanswered: 1 });
    registry.move(ID, "retired", "for the test", 2);
    await loop.begin(1);
    expect([swap(), loop.view(1).away, loaded]).toEqual(["", "", []]);
    loop.close();
  });
});

describe("a training", () => {
  const nothing = (why: string) => `warning: training came to nothing, the model in charge stays: ${why}`;

  test("for which no process can be had is one that came to nothing, and the operator hears of it", () => {
    const startTraining = () => {
      throw new Error("EAGAIN: resource temporarily unavailable");
    };
    const { loop, said } = loopOf("champion", {}, { startTraining });
    expect(() => loop.trainNow()).toThrow("the training could not begin");
    loop.train("drift");
    const failed = nothing("EAGAIN: resource temporarily unavailable");
    expect([said, loop.view(1).trainingFailures, loop.view(1).training]).toEqual([[failed, failed], 2, Number.NaN]);
    loop.close();
  });

  test("whose words cannot be read is one that came to nothing, and another may begin", async () => {
    const startTraining = () => ({ pid: 0, ended: Promise.reject(new Error("EIO: i/o error")), cancel: () => {} });
    const { loop, said } = loopOf("champion", {}, { startTraining });
    expect(loop.trainNow()).toBe("training has begun");
    await new Promise((resolve) => setImmediate(resolve));
    expect(said).toEqual(["info: training begins, because of the operator", nothing("EIO: i/o error")]);
    expect(loop.trainNow()).toBe("training has begun");
    loop.close();
  });
});

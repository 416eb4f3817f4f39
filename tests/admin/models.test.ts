import { afterAll, beforeAll, expect, test } from "bun:test";
import { temporaryFolder } from "../end-to-end/penstock.ts";
import { type ModelRun, startModelRun, VIEWER } from "./model-run.ts";

let run: ModelRun;

beforeAll(async () => {
  run = await startModelRun(temporaryFolder());
});

afterAll(async () => {
  run?.child.kill("SIGKILL");
  await run?.child.exited;
});

// biome-ignore lint/suspicious/noExplicitAny: the test is about what is in there.
type Json = any;

async function ask(path: string, body?: object, token = run.token): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${run.base}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

/** Asks again until the model decides; the test's time limit is the bound. */
async function decides(id: string): Promise<Json> {
  for (;;) {
    const { body } = await ask("/api/models");
    if (body.learning?.model === id) return body;
    await Bun.sleep(20);
  }
}

test("models over REST: seen by all, changed by operators who type that they mean it", async () => {
  const [champion, former, refused] = run.ids;
  const { strategy, learning, models } = await decides(champion);
  expect(strategy).toBe("hybrid");
  expect(learning).toMatchObject({ shadow: "", training: null, drift: { outcomes: 0 }, unanswered: 0 });
  expect(learning.server).toContain("tree walker");
  const states = Object.fromEntries(models.map((model: Json) => [model.id, model.state]));
  expect(states).toEqual({ [champion]: "champion", [former]: "retired", [refused]: "refused" });

  const one = (await ask(`/api/models/${champion.slice(0, 8)}`)).body;
  expect(one.gate.length).toBeGreaterThan(5);
  expect(one.reliability.length).toBeGreaterThan(2);
  expect(one.life.map(({ to }: Json) => to)).toEqual(["candidate", "shadow", "champion"]);
  expect((await ask(`/api/models/${refused}`)).body).toMatchObject({ passed: false, reliability: [] });
  expect(await ask("/api/models/ffffffffffff")).toMatchObject({ status: 404 });
  expect(await ask("/api/models/..%2f..")).toMatchObject({ status: 422 });

  const promote = `/api/models/${former}/promote`;
  const meant = { confirm: "PROMOTE" };
  expect(await ask(promote, meant, VIEWER)).toMatchObject({ status: 403 });
  expect(await ask("/api/training", {}, VIEWER)).toMatchObject({ status: 403 });
  expect(await ask(promote, { confirm: "promote" })).toMatchObject({ status: 409 });
  expect(await ask(`/api/models/${refused}/promote`, meant)).toMatchObject({
    status: 409,
    body: { error: expect.stringContaining("it cannot become champion") },
  });
  expect(await ask(promote, meant)).toMatchObject({ status: 200 });
  await decides(former);
  expect(await ask("/api/models/rollback", { confirm: "ROLLBACK" })).toMatchObject({ status: 200 });
  await decides(champion);

  expect(await ask("/api/training", {})).toMatchObject({ status: 200 });
  expect(await ask("/api/training", {})).toMatchObject({ status: 409, body: { error: "a training is at it already" } });
  // What was done last is in the next update.
  const done = new Set<string>();
  while (!done.has(`promote model ${former}: done`) || !done.has("train model: done")) {
    for (const { action, result } of (await ask("/api/audit")).body) done.add(`${action}: ${result}`);
    await Bun.sleep(20);
  }
});

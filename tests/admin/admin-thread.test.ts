import { describe, expect, test } from "bun:test";
import { AdminThread } from "../../src/admin/admin-thread.ts";
import { loadSettings } from "../../src/config/load.ts";
import { InputError } from "../../src/input-error.ts";
import { temporaryFolder } from "../end-to-end/penstock.ts";
import { OPERATOR, startOfTest } from "./admin-fixture.ts";

const PROGRAM = new URL("./failing-worker.ts", import.meta.url).href;
const { start, state, panel, analysis } = startOfTest();

function parts(more: Record<string, string> = {}) {
  const notices: string[] = [];
  const waiting: (() => void)[] = [];
  const env = { STRATEGY_MODE: "ict", DATA_DIR: temporaryFolder(), ADMIN_PORT: "0", ADMIN_TOKEN: OPERATOR, ...more };
  return {
    loaded: loadSettings(env),
    run: start.run,
    bars: { panel: panel.buffer, analysis },
    counters: start.counters,
    program: PROGRAM,
    onNotice: (_: string, text: string) => {
      notices.push(text);
      for (const go of waiting.splice(0)) go();
    },
    notices,
    /** Waits for a notice with a text. */
    async said(text: string) {
      while (!notices.some((notice) => notice.includes(text))) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      notices.length = 0;
    },
  };
}

describe("the admin worker", () => {
  test("is replaced when it fails, ends or hangs, at the same address; after a few times it stays away", async () => {
    const all = parts();
    const admin = await AdminThread.start(all);
    const { url } = admin.address;
    const overview = async () =>
      (await fetch(`${url}api/overview`, { headers: { authorization: `Bearer ${OPERATOR}` } })).status;
    expect(await overview()).toBe(200);
    let now = 0;
    const update = (behind: number, later = 1000) => {
      now += later;
      admin.update(state, behind, now);
    };

    update(101);
    await all.said("broken on purpose");
    await all.said("serves again");
    expect(await overview()).toBe(200);

    update(102);
    await all.said("failed");
    // What happens meanwhile is kept, and never waits.
    admin.notice(0, "warning", "meanwhile");
    update(0);
    await all.said("serves again");
    expect(await overview()).toBe(200);

    for (let i = 0; i < 8; i++) update(103);
    update(103);
    expect(all.notices).toEqual([]);
    update(103, 29_000);
    expect(all.notices).toEqual([]);
    update(103);
    await all.said("it took nothing for 30 s");
    await all.said("serves again");
    expect(await overview()).toBe(200);

    update(101);
    await all.said("stays away until the next start");
    update(0);
    await admin.stop();
  });

  test("does not listen where it must not, and viewers are no operators", async () => {
    for (const [settings, message] of [
      [{ ADMIN_HOST: "0.0.0.0" }, "without encryption"],
      [{ ADMIN_HOST: "::" }, "without encryption"],
      [{ ADMIN_HOST: "192.0.2.1" }, "without encryption"],
      [{ ADMIN_TLS_CERT: "x.pem" }, "go together"],
      [{ ADMIN_VIEWER_TOKEN: OPERATOR }, "viewers would be operators"],
      [{ ADMIN_TOKEN: "short" }, "at least 16"],
    ] as const) {
      const problem = await AdminThread.start(parts(settings)).catch((error) => error);
      expect(problem, JSON.stringify(settings)).toBeInstanceOf(InputError);
      expect(problem.message).toContain(message);
      expect(problem.message).not.toContain(OPERATOR);
    }
  });
});

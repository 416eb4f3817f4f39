import { expect, test } from "bun:test";
import { createApi, STALE_MS } from "../../src/admin/api.ts";
import type { Mirror } from "../../src/admin/mirror.ts";

test("a trading thread that has not been heard of is told by /healthz and /readyz, and again when it is back", async () => {
  let now = 0;
  const mirror = { heardAt: 0, snapshot: {}, run: { version: "1.0.0" } };
  const api = createApi({
    mirror: mirror as unknown as Mirror,
    identityOf: () => undefined,
    ask: () => Promise.resolve({ kind: "done", message: "" }),
    now: () => now,
    metrics: () => Promise.resolve(""),
    latency: () => [],
    store: () => ({ lagSeconds: 0, pending: 0, spoolBytes: 0 }),
    models: "no-such-folder",
  });
  const ask = async (path: string) => (await api.handle(new Request(`http://localhost${path}`))).status;
  const both = async () => [await ask("/healthz"), await ask("/readyz")];
  now = STALE_MS - 1;
  expect(await both()).toEqual([200, 200]);
  now = STALE_MS;
  expect(await both()).toEqual([503, 503]);
  mirror.heardAt = now;
  expect(await both()).toEqual([200, 200]);
});

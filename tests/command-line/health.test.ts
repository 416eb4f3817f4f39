import { expect, test } from "bun:test";
import { penstock, temporaryFolder } from "../end-to-end/penstock.ts";

test("health says what the one that runs here says of itself", async () => {
  let answer = Response.json({ ok: true });
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked.push(new URL(request.url).pathname);
      return answer;
    },
  });
  const url = `http://127.0.0.1:${server.port}/healthz`;
  const environment = { ADMIN_PORT: String(server.port), ADMIN_HOST: "0.0.0.0" };
  const health = () => penstock(temporaryFolder(), ["health"], environment);
  expect(await health()).toEqual({ code: 0, out: "the trading loop runs\n", err: "" });
  answer = Response.json({ ok: false, error: "the trading loop stands still" }, { status: 503 });
  expect(await health()).toEqual({ code: 1, out: "", err: `penstock: ${url}: the trading loop stands still\n` });
  await server.stop(true);
  const gone = await health();
  expect([gone.code, gone.err]).toEqual([1, expect.stringContaining(`penstock: ${url}: no answer: `)]);
  expect(asked).toEqual(["/healthz", "/healthz"]);
});

import { describe, expect, test } from "bun:test";
import { Wake } from "../../src/service/wake.ts";

const DAY = 86_400_000;

describe.each([
  ["sleeping", false],
  ["spinning", true],
] as const)("%s", (_, spins) => {
  test("it wakes when something comes in, however long it may wait", async () => {
    const wake = new Wake(spins);
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => wake.now() } });
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
    const waiting = wake.wait(DAY);
    socket.write("x");
    await waiting;
    socket.end();
    server.stop(true);
  });

  test("what came in while the loop was busy is not slept through, and is forgotten once it has woken", async () => {
    const wake = new Wake(spins);
    wake.now();
    await wake.wait(DAY);
    let woken = false;
    const waiting = wake.wait(DAY).then(() => {
      woken = true;
    });
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(woken).toBe(false);
    wake.now();
    await waiting;
  });

  test("it wakes by itself after the time it was given, and at once when that is none", async () => {
    const wake = new Wake(spins);
    await wake.wait(1);
    await wake.wait(0);
    await wake.wait(-DAY);
  });
});

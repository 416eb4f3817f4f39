import { describe, expect, test } from "bun:test";
import { createRing, RingConsumer, type RingEvent, RingProducer } from "../../src/market/ring.ts";

function event(n: number, symbol = n % 7): RingEvent {
  return { kind: 3, symbol, time: n, values: [n, -n, 0.1 * n, Number.NaN, Number.POSITIVE_INFINITY] };
}

describe("a ring in one thread", () => {
  test("hands events on as they are, to every consumer at its own pace", () => {
    const ring = createRing(8);
    const producer = new RingProducer(ring);
    const [early, late] = [new RingConsumer(ring), new RingConsumer(ring)];
    for (let n = 1; n <= 5; n++) producer.publish(event(n));
    for (let n = 1; n <= 5; n++) expect(early.take()).toEqual(event(n));
    expect(early.take()).toBeUndefined();
    expect(late.lag).toBe(5);
    expect(late.take()).toEqual(event(1));
    expect([early.received, early.lost, late.received, late.lost]).toEqual([5, 0, 1, 0]);
  });

  test("begins with what comes after the consumer", () => {
    const ring = createRing(4);
    const producer = new RingProducer(ring);
    producer.publish(event(1));
    const consumer = new RingConsumer(ring);
    producer.publish(event(2));
    expect(consumer.take()).toEqual(event(2));
  });

  test("tells a lapped consumer how much it lost, and goes on with the oldest that is left", () => {
    const ring = createRing(4);
    const producer = new RingProducer(ring);
    const consumer = new RingConsumer(ring);
    for (let n = 1; n <= 4; n++) producer.publish(event(n));
    expect(consumer.take()).toEqual(event(1));
    for (let n = 5; n <= 11; n++) producer.publish(event(n));
    expect(consumer.take()).toEqual(event(8));
    expect(consumer.lost).toBe(6);
    expect([consumer.take(), consumer.take(), consumer.take()]).toEqual([event(9), event(10), event(11)]);
    expect(consumer.take()).toBeUndefined();
    expect(consumer.received + consumer.lost).toBe(11);
  });

  test("conflates quotes: the latest of each symbol, the others counted; anything else goes at once", () => {
    const ring = createRing(16);
    const producer = new RingProducer(ring);
    const consumer = new RingConsumer(ring);
    producer.quote(event(1, 1));
    producer.quote(event(2, 2));
    producer.quote(event(3, 1));
    producer.publish(event(4, 1));
    expect(consumer.take()).toEqual(event(4, 1));
    expect(consumer.take()).toBeUndefined();
    producer.flush();
    expect([consumer.take(), consumer.take(), consumer.take()]).toEqual([event(2, 2), event(3, 1), undefined]);
    expect(consumer.conflated).toBe(1);
  });

  test("a new producer goes on where the last one stopped", () => {
    const ring = createRing(4);
    new RingProducer(ring).publish(event(1));
    const consumer = new RingConsumer(ring);
    new RingProducer(ring).publish(event(2));
    expect(consumer.take()).toEqual(event(2));
    expect([consumer.epoch, consumer.lost]).toEqual([2, 0]);
  });

  test("refuses memory that is no ring", () => {
    expect(() => new RingConsumer(new SharedArrayBuffer(64))).toThrow("not a ring");
    expect(() => createRing(1)).toThrow("at least 2");
  });

  test("slots and counters have a cache line each", () => {
    expect(createRing(8).byteLength).toBe(256 + 8 * 64);
  });
});

interface Report {
  readonly received: number;
  readonly lost: number;
  readonly torn: number;
  readonly disorder: number;
}

/** Sends one message to a worker and waits for its answers. */
function ask(worker: Worker, message: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (error) => reject(new Error(error.message));
    if (message !== undefined) worker.postMessage(message);
  });
}

describe("a ring across threads", () => {
  const start = (name: string) => new Worker(new URL(name, import.meta.url).href);

  test("wrap, lagging consumers, and a producer that dies inside of a slot: nothing torn, everything accounted for", async () => {
    const ring = createRing(256);
    const last = 300_000;
    const recorders = [false, false, true].map((slow) => ({ slow, worker: start("./ring-recorder.ts") }));
    for (const { slow, worker } of recorders) await ask(worker, { ring, last, slow });
    const reports = recorders.map(({ worker }) => ask(worker, undefined) as Promise<Report>);
    for (const [from, events, die] of [
      [0, 200_000, true],
      [200_000, 100_001, false],
    ] as const) {
      const producer = start("./ring-worker.ts");
      await ask(producer, { ring, from, events, die });
      producer.terminate();
    }
    for (const { received, lost, torn, disorder } of await Promise.all(reports)) {
      expect({ torn, disorder }).toEqual({ torn: 0, disorder: 0 });
      expect(received).toBeGreaterThan(256);
      // All events, and the slot that was claimed and never written.
      expect(received + lost).toBe(last + 2);
    }
    expect((await reports[2]!).lost).toBeGreaterThan(1000);
    for (const { worker } of recorders) worker.terminate();
  });
});

import { expect, test } from "bun:test";
import fc from "fast-check";
import { TriggerHeap } from "../../src/core/trigger-heap.ts";

const SLOTS = 40;

test("the top is always what the price reaches first, whatever was put in, moved and taken out", () => {
  const change = fc.record({
    slot: fc.integer({ min: 0, max: SLOTS - 1 }),
    price: fc.integer({ min: 0, max: 60 }),
    moves: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.boolean(), fc.array(change, { minLength: 50, maxLength: 300 }), (above, changes) => {
      const heap = new TriggerHeap(above);
      const prices = new Float64Array(SLOTS);
      const places = new Int32Array(SLOTS).fill(-1);
      const inside = new Set<number>();
      for (const { slot, price, moves } of changes) {
        if (!inside.has(slot)) {
          prices[slot] = price;
          heap.push(slot, prices, places);
          inside.add(slot);
        } else if (moves) {
          prices[slot] = price;
          heap.moved(slot, prices, places);
        } else {
          heap.remove(slot, prices, places);
          inside.delete(slot);
        }
        expect(heap.size).toBe(inside.size);
        const order = (a: number, b: number) => (above ? 1 : -1) * (prices[a]! - prices[b]!) || a - b;
        if (inside.size > 0) expect(heap.top).toBe([...inside].toSorted(order)[0]!);
      }
      // Taken out one by one they come in order: every place is right, not only the top.
      const drained: number[] = [];
      while (heap.size > 0) {
        const { top } = heap;
        drained.push(prices[top]!);
        heap.remove(top, prices, places);
      }
      expect(drained).toEqual(drained.toSorted((a, b) => (above ? a - b : b - a)));
    }),
  );
});

import { expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ShadowEvidence, ShadowLog, type ShadowStretch } from "../../src/learning/shadow.ts";

const stretch: fc.Arbitrary<ShadowStretch> = fc
  .record({
    from: fc.integer({ min: 0, max: 60 }),
    length: fc.integer({ min: 0, max: 20 }),
    trades: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 5 }),
  })
  .map(({ from, length, trades }) => ({
    ...{ model: "a", market: "m", from, to: from + length },
    // One and the same trade comes out alike, whoever sees it.
    outcomes: trades.map((trade) => ({ trade: `${trade}`, loss: trade / 10, toBeat: 1 })),
  }));

test("evidence is a union: the order of runs, and seeing something again, change nothing", () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 12 }), (all, again) => {
      const evidence = new ShadowEvidence();
      for (const each of all) evidence.add(each);
      const other = new ShadowEvidence();
      for (const each of [...all].reverse()) other.add(each);
      for (const i of again) if (all.length > 0) other.add(all[i % all.length]!);

      const minutes = new Set(all.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i)));
      const trades = new Set(all.flatMap(({ outcomes }) => outcomes.map(({ trade }) => trade)));
      const mean = [...trades].reduce((sum, trade) => sum + Number(trade) / 10, 0) / trades.size;
      for (const { watched, outcomes, loss, since } of [evidence, other]) {
        expect(watched).toBe(minutes.size);
        expect(outcomes).toBe(trades.size);
        if (trades.size === 0) expect(loss).toBeNaN();
        else expect(loss).toBeCloseTo(mean, 12);
        expect(since).toBe(all.length === 0 ? Number.NaN : Math.min(...all.map(({ from }) => from)));
      }
    }),
  );
});

test("the log tells of a model what was seen on a market; a torn line was never seen", () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-shadow-"));
  try {
    const path = join(folder, "models", "shadow.jsonl");
    const log = new ShadowLog(path);
    expect(log.of("a", "m")).toMatchObject({ watched: 0, outcomes: 0, since: Number.NaN, loss: Number.NaN });
    const outcomes = [{ trade: "AUSDT:1:sweep:5", loss: 0.5, toBeat: 0.75 }];
    log.append({ model: "a", market: "m", from: 0, to: 10, outcomes });
    log.append({ model: "b", market: "m", from: 0, to: 90, outcomes: [] });
    log.append({ model: "a", market: "n", from: 50, to: 70, outcomes: [{ ...outcomes[0]!, trade: "x" }] });
    appendFileSync(path, readFileSync(path, "utf8").slice(0, 40));
    log.append({ model: "a", market: "m", from: 20, to: 25, outcomes });
    expect(log.of("a", "m")).toMatchObject({ since: 0, watched: 15, outcomes: 1, loss: 0.5, toBeat: 0.75 });
    expect(log.of("a")).toMatchObject({ watched: 35, outcomes: 2 });
    expect(log.of("c", "m").watched).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

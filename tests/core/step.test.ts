import { describe, expect, test } from "bun:test";
import { USDT } from "../../src/core/instrument.ts";
import { drawdownOf } from "../../src/core/risk.ts";
import { step } from "../../src/core/step.ts";
import { Bench, candidate, instrument, MINUTE, START } from "./core-fixture.ts";

const DISASTER_DISTANCE = 200;

describe("the barrier", () => {
  test("asks for the analysis when the last listed symbol has closed its bar", () => {
    const bench = new Bench();
    bench.now += MINUTE;
    expect(bench.bar(0).map((effect) => effect.kind)).toEqual(["set-timer"]);
    expect(bench.bar(1)).toEqual([
      { kind: "clear-timer", timer: "cycle" },
      { kind: "analyse", cycle: START + MINUTE, late: [] },
    ]);
  });

  test("goes on without a late symbol at the deadline, and decides that cycle once", () => {
    const bench = new Bench();
    bench.now += MINUTE;
    const [timer] = bench.bar(0);
    expect(timer).toEqual({ kind: "set-timer", timer: "cycle", at: START + 2 * MINUTE });
    const late = bench.give({ kind: "timer", time: START + 2 * MINUTE, symbol: -1, timer: "cycle" });
    expect(late.at(-1)).toEqual({ kind: "analyse", cycle: START + MINUTE, late: [1] });
    expect(bench.bar(1, 10_000, { time: START + MINUTE })).toEqual([]);
  });

  test("does not wait for a symbol that is delisted meanwhile", () => {
    const bench = new Bench();
    bench.now += MINUTE;
    bench.bar(0);
    const effects = bench.give({ kind: "listing", time: bench.now, symbol: 1, listed: false });
    expect(effects.at(-1)).toEqual({ kind: "analyse", cycle: bench.now, late: [] });
  });

  test("waits for a symbol that is listed while it gathers, and counts no bar for another's", () => {
    const bench = new Bench({ instruments: ["AAAUSDT", "BBBUSDT", "CCCUSDT"].map(instrument) });
    bench.give({ kind: "listing", time: START, symbol: 2, listed: false });
    bench.now += MINUTE;
    bench.bar(0);
    bench.give({ kind: "listing", time: bench.now, symbol: 2, listed: true });
    expect(bench.bar(2)).toEqual([]);
    expect(bench.bar(1).at(-1)).toEqual({ kind: "analyse", cycle: bench.now, late: [] });
  });

  test("enters nothing where the venue is not in order for it, on one symbol or on all", () => {
    for (const symbol of [0, -1]) {
      const bench = new Bench();
      bench.bars();
      bench.give({ kind: "standing", time: bench.now, symbol, entries: "none", reason: "a foreign position" });
      const [refusal] = bench
        .analysis([candidate()])
        .flatMap((e) => (e.kind === "record" ? [e.record] : []))
        .slice(-1);
      expect(refusal).toMatchObject({ kind: "refusal", guard: "standing", reason: "a foreign position" });
      bench.give({ kind: "standing", time: bench.now, symbol, entries: "all", reason: "" });
      bench.bars();
      expect(bench.analysis([candidate()]).some((effect) => effect.kind === "submit")).toBe(true);
    }
  });

  test("enters at the smallest size while that is all the venue's standing allows", () => {
    const bench = new Bench();
    bench.bars();
    bench.give({ kind: "standing", time: bench.now, symbol: -1, entries: "smallest", reason: "not proven yet" });
    const submit = bench.analysis([candidate()]).find((effect) => effect.kind === "submit");
    // 5 USDT at a mark of 10 000 ticks of 0.0001 USDT per lot, and a tenth more.
    expect(submit).toMatchObject({ order: { purpose: "entry", lots: 6 } });
  });

  test("takes money from outside for no gain and no loss", () => {
    const bench = new Bench();
    bench.bars();
    bench.analysis([]);
    const { risk, dayStartEquity } = bench.state;
    const before = { drawdown: drawdownOf(risk), dayStartEquity };
    bench.give({ kind: "transfer", time: bench.now, symbol: -1, amount: -1000 * USDT });
    expect(bench.state.ledger.balances.wallet).toBe(BigInt(9000 * USDT));
    expect(drawdownOf(risk)).toBe(before.drawdown);
    expect(bench.state.dayStartEquity).toBe(before.dayStartEquity - 1000 * USDT);
  });

  test("ignores an analysis that comes after its cycle was given up", () => {
    const bench = new Bench();
    bench.bars();
    const stale = bench.now;
    bench.bars();
    const event = { kind: "analysis", time: bench.now, symbol: -1, cycle: stale, regimes: [], candidates: [] } as const;
    expect(bench.give(event)).toEqual([]);
  });
});

describe("an entry", () => {
  test("is sized by margin and leverage, rounded down to lots", () => {
    const bench = new Bench();
    bench.bars();
    const [order] = bench.submitted(bench.analysis([candidate()]));
    // 10 % of 10 000 USDT at leverage 3 is 3 000 USDT; one lot at 1 000 USDT is worth 1 USDT.
    expect(order).toMatchObject({ type: "market", purpose: "entry", side: 1, lots: 3000, leverage: 3 });
  });

  test("is followed by disaster stop, working stop and target of its own size", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    const closing = bench.submitted(bench.fill(entry!.id, entry!.lots, 10_001));
    expect(closing).toMatchObject([
      { purpose: "disaster-stop", side: -1, closePosition: true, lots: 0, trigger: 10_000 - DISASTER_DISTANCE },
      { purpose: "working-stop", side: -1, reduceOnly: true, lots: 3000, trigger: 9_900 },
      { purpose: "target", type: "take-profit-market", side: -1, reduceOnly: true, lots: 3000, trigger: 10_200 },
    ]);
  });

  test("that the exchange rejects leaves no position and says why", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    bench.answer(entry!.id, "rejected", -2019);
    expect(bench.state.positions.size).toBe(0);
    expect(bench.records("refusal")).toMatchObject([{ guard: "exchange", numbers: { code: -2019 } }]);
  });

  test("that expires after a partial fill is a position of what was filled", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    bench.fill(entry!.id, 10, 10_000, { done: false });
    bench.answer(entry!.id, "expired");
    const [position] = bench.state.positions.values();
    expect(position?.holding.lots).toBe(10);
    expect(position?.phase).toEqual({ kind: "open", entry: 0 });
  });

  test("in parts: the stop is resized by placing the new one before the old one is cancelled", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    const first = bench.submitted(bench.fill(entry!.id, 10, 10_000, { done: false }));
    const old = first.find((order) => order.purpose === "working-stop")!.id;
    for (const order of first) bench.answer(order.id, "accepted");
    const more = bench.fill(entry!.id, 2990, 10_000);
    const replacement = bench.submitted(more).find((order) => order.purpose === "working-stop")!;
    expect(replacement.lots).toBe(3000);
    expect(bench.cancelled(more)).not.toContain(old);
    expect(bench.cancelled(bench.answer(replacement.id, "accepted"))).toEqual([old]);
  });

  test("is not made twice on one symbol, nor below the confidence, nor beyond the rank", () => {
    const bench = new Bench({ maxSignals: 1 });
    bench.bars();
    bench.analysis([
      candidate({ confidence: 0.2 }),
      candidate({ confidence: 0.5, symbol: 1 }),
      candidate({ confidence: 0.9 }),
    ]);
    expect(bench.submitted().map((order) => order.symbol)).toEqual([0]);
    bench.bars();
    bench.analysis([candidate()]);
    expect(bench.records("refusal").map((refusal) => refusal.guard)).toEqual(["confidence", "rank", "open-position"]);
  });

  test("before the start of trading is not even considered", () => {
    const bench = new Bench({ tradeFrom: START + 10 * MINUTE });
    bench.bars();
    bench.analysis([candidate()]);
    expect(bench.submitted()).toEqual([]);
    expect(bench.records("refusal")).toEqual([]);
  });
});

describe("a position", () => {
  test("that its stop closes becomes a trade, and its other orders are cancelled", () => {
    const bench = new Bench();
    const { stop, disaster, target } = bench.protectedPosition();
    bench.now += MINUTE;
    const effects = bench.fill(stop, 3000, 9_900, { fee: 5 });
    expect(new Set(bench.cancelled(effects))).toEqual(new Set([disaster, target]));
    expect(bench.state.positions.size).toBe(0);
    const [closed] = bench.records("closed");
    expect(closed?.trade).toMatchObject({
      reason: "stop",
      lots: 3000,
      entryNotional: BigInt(3000 * USDT),
      exitNotional: BigInt(2970 * USDT),
      fees: 5n,
      pnl: BigInt(-30 * USDT) - 5n,
    });
    expect(bench.state.ledger.balances.wallet).toBe(BigInt(9_970 * USDT) - 5n);
  });

  test("keeps a stop for what a partial target leaves", () => {
    const bench = new Bench();
    const { stop, target } = bench.protectedPosition();
    const effects = bench.fill(target, 1000, 10_200, { done: false });
    const [resized] = bench.submitted(effects);
    expect(resized).toMatchObject({ purpose: "working-stop", lots: 2000 });
    expect(bench.cancelled(effects)).toEqual([]);
    expect(bench.cancelled(bench.answer(resized!.id, "accepted"))).toEqual([stop]);
  });

  test("books the same trade id once", () => {
    const bench = new Bench();
    const { target } = bench.protectedPosition();
    bench.fill(target, 1000, 10_200, { done: false, trade: "same" });
    bench.fill(target, 1000, 10_200, { done: false, trade: "same" });
    expect([...bench.state.positions.values()][0]?.holding.lots).toBe(2000);
  });

  test("whose stop is refused is closed at market and entries stop", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    const closing = bench.submitted(bench.fill(entry!.id, entry!.lots, 10_000));
    bench.answer(closing.find((order) => order.purpose === "disaster-stop")!.id, "accepted");
    const effects = bench.answer(closing.find((order) => order.purpose === "working-stop")!.id, "rejected", -4045);
    expect(bench.submitted(effects)).toMatchObject([{ purpose: "exit", type: "market", reduceOnly: true, lots: 3000 }]);
    expect(bench.state.trading).toBe("reduce-only");
  });

  test("whose stop would trigger at once is closed at market, and trading goes on", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    const closing = bench.submitted(bench.fill(entry!.id, entry!.lots, 10_000));
    const effects = bench.answer(closing.find((order) => order.purpose === "working-stop")!.id, "rejected", -2021);
    expect(bench.submitted(effects)).toMatchObject([{ purpose: "exit" }]);
    expect(bench.state.trading).toBe("normal");
  });

  test("without an acknowledged stop at the deadline is closed", () => {
    const bench = new Bench();
    bench.bars();
    const [entry] = bench.submitted(bench.analysis([candidate()]));
    bench.fill(entry!.id, entry!.lots, 10_000);
    const timer = bench.effects.find((effect) => effect.kind === "set-timer" && effect.timer.startsWith("protection"));
    expect(timer).toMatchObject({ timer: "protection:0:both", at: bench.now + 5000 });
    const effects = bench.give({ kind: "timer", time: bench.now + 5000, symbol: -1, timer: "protection:0:both" });
    expect(bench.submitted(effects)).toMatchObject([{ purpose: "exit" }]);
    expect(bench.state.trading).toBe("reduce-only");
  });

  test("is flattened on command, keeps its stops until it is flat, and retries an exit that came to nothing", () => {
    const bench = new Bench();
    const { stop } = bench.protectedPosition();
    const [exit] = bench.submitted(bench.give({ kind: "command", time: bench.now, symbol: -1, command: "flatten" }));
    expect(bench.cancelled()).not.toContain(stop);
    bench.answer(exit!.id, "expired");
    const again = bench.give({ kind: "timer", time: bench.now + 1000, symbol: -1, timer: "exit:0:both" });
    const [second] = bench.submitted(again);
    bench.fill(second!.id, 3000, 10_050);
    expect(bench.records("closed")[0]?.trade.reason).toBe("flatten");
    expect(bench.cancelled()).toContain(stop);
  });

  test("pays funding out of the wallet and into its result", () => {
    const bench = new Bench();
    const { target } = bench.protectedPosition();
    bench.give({ kind: "funding", time: bench.now, symbol: 0, rate: 10_000, mark: 10_000, amount: -30_000_000 });
    bench.fill(target, 3000, 10_200);
    const [closed] = bench.records("closed");
    expect(closed?.trade.funding).toBe(-30_000_000n);
    expect(closed?.trade.pnl).toBe(BigInt(60 * USDT) - 30_000_000n);
  });

  test("that the exchange takes over is booked with the cause as its reason", () => {
    const bench = new Bench();
    bench.protectedPosition();
    const event = { kind: "liquidation", time: bench.now, symbol: 0, leg: "both", lots: 3000, price: 6_667 } as const;
    bench.give({ ...event, cause: "liquidation", fee: 0 });
    expect(bench.records("closed")[0]?.trade.reason).toBe("liquidation");
    expect(bench.state.positions.size).toBe(0);
  });

  test("unknown to the book cannot be filled silently: entries stop and an alarm goes out", () => {
    const bench = new Bench();
    const effects = bench.fill(77, 1, 10_000);
    expect(effects.some((effect) => effect.kind === "notice" && effect.level === "alarm")).toBe(true);
    expect(bench.state.trading).toBe("reduce-only");
  });
});

describe("a setting that the operator changes", () => {
  test("holds from the next event on", () => {
    const fixture = new Bench();
    const { config } = fixture.state;
    const asked: string[][] = [];
    Object.assign(fixture.state, {
      configure: (changed: ReadonlyMap<string, string>) => {
        asked.push([...changed].flat());
        return { ...config, maxPositions: Number(changed.get("MAX_POSITIONS")) };
      },
    });
    const setting = { kind: "setting", time: 1000, symbol: -1, actor: "somebody" } as const;
    step(fixture.state, { ...setting, name: "MAX_POSITIONS", value: "3" }, []);
    step(fixture.state, { ...setting, name: "MAX_SIGNALS", value: "2" }, []);
    expect(fixture.state.config.maxPositions).toBe(3);
    expect(asked).toEqual([
      ["MAX_POSITIONS", "3"],
      ["MAX_POSITIONS", "3", "MAX_SIGNALS", "2"],
    ]);
  });

  test("is a bug where the core was not told what settings mean", () => {
    const { state } = new Bench();
    const event = { kind: "setting", time: 1, symbol: -1, name: "X", value: "1", actor: "a" } as const;
    expect(() => step(state, event, [])).toThrow();
  });
});

import { describe, expect, test } from "bun:test";
import { loadSettings } from "../../src/config/load.ts";
import type { CoreRecord, Effect } from "../../src/core/effects.ts";
import type { Event } from "../../src/core/events.ts";
import { USDT } from "../../src/core/instrument.ts";
import { Log } from "../../src/log/log.ts";
import type { Report } from "../../src/notify/report.ts";
import { Reporter } from "../../src/service/reporter.ts";
import { RunLog } from "../../src/service/run-log.ts";
import { farewell } from "../../src/service/supervision.ts";
import { Bench, candidate } from "../core/core-fixture.ts";

const timer = (time: number): Event => ({ kind: "timer", time, symbol: -1, timer: "any" });
const record = (of: CoreRecord): Effect => ({ kind: "record", record: of });
const equity = (time: number, usdt: number): Effect =>
  record({ kind: "equity", time, equity: usdt * USDT, wallet: 0, unrealised: 0, margin: 0, exposure: 0, positions: 0 });

describe("what stays behind", () => {
  test("where money is real: positions with their stops, or the names of those without", () => {
    const bench = new Bench();
    expect(farewell(bench.state, "live")).toBe("no position is open");
    bench.protectedPosition();
    expect(farewell(bench.state, "live")).toBe("1 position stays open, protected by a stop at the exchange");
    const naked = new Bench();
    naked.bars();
    const [entry] = naked.submitted(naked.analysis([candidate()]));
    naked.answer(entry!.id, "accepted");
    naked.fill(entry!.id, entry!.lots, 10_000);
    expect(farewell(naked.state, "live")).toBe("1 position stays open; WITHOUT a stop at the exchange: AAAUSDT");
  });

  test("where it is not: nothing", () => {
    const bench = new Bench();
    expect(farewell(bench.state, "simulated")).toBe("no position was open");
    bench.protectedPosition();
    expect(farewell(bench.state, "simulated")).toBe("1 position was open and is gone: it was simulated");
  });
});

describe("reports", () => {
  function reporter(routine = true) {
    const bench = new Bench();
    const sent: Report[] = [];
    const reports = new Reporter((report) => sent.push(report), bench.state, routine);
    const lines = () => sent.flatMap((report) => (report.kind === "line" ? [`${report.weight}: ${report.text}`] : []));
    return { sent, lines, give: (...effects: Effect[]) => reports.stepped(timer(0), effects), reports };
  }

  test("a day is told when it is over, with what happened in it", () => {
    const { sent, give } = reporter();
    const noon = Date.UTC(2026, 10, 20, 12);
    give(equity(noon, 1000), equity(noon + 1, 1100), equity(noon + 2, 990), equity(noon + 3, 1050));
    expect(sent).toEqual([]);
    give(equity(Date.UTC(2026, 10, 21), 1060));
    expect(sent).toEqual([
      {
        kind: "day",
        summary: {
          ...{ day: "2026-11-20", start: 1000, end: 1050, trades: 0, won: 0, fees: 0, drawdown: 0.1 },
          curve: [1000, 1100, 990, 1050, 1050],
        },
      },
    ]);
    // The next day begins where this one ended.
    give(equity(Date.UTC(2026, 10, 22), 1060));
    expect(sent[1]).toMatchObject({ summary: { day: "2026-11-21", start: 1050, end: 1060 } });
  });

  test("a long day keeps a picture of bounded size that ends where the day ended", () => {
    const { sent, give } = reporter();
    const day = Date.UTC(2026, 10, 20);
    for (let i = 0; i < 5000; i++) give(equity(day + i, 1000 + i));
    give(equity(day + 86_400_000, 0));
    const [report] = sent;
    if (report?.kind !== "day") throw new Error("no day");
    expect(report.summary.curve.length).toBeLessThanOrEqual(513);
    expect(report.summary.curve.at(-1)).toBe(5999);
    expect(report.summary.curve).toEqual(report.summary.curve.toSorted((a, b) => a - b));
  });

  test("refusals that concern the account are told once until its state changes, others never", () => {
    const { lines, give } = reporter();
    const refused = (guard: string): Effect =>
      record({ kind: "refusal", time: 0, symbol: 0, guard, reason: "because", numbers: {} });
    give(refused("feed-age"), refused("daily-loss"), refused("daily-loss"));
    give(
      record({ kind: "trading-state", time: 0, from: "normal", to: "cautious", reason: "losses" }),
      refused("daily-loss"),
    );
    const told = "routine: AAAUSDT: an entry was refused by daily-loss: because";
    expect(lines()).toEqual([told, "important: trading is cautious, it was normal: losses", told]);
  });

  test("NOTIFY_LEVEL=important leaves out single positions and no alarm; information is never told", () => {
    const { lines, give, reports } = reporter(false);
    const opened = {
      kind: "opened",
      time: 0,
      symbol: 0,
      leg: "both",
      direction: 1,
      lots: 1,
      price: 10_000,
      leverage: 3,
      margin: 1,
    } as const;
    give(
      record(opened),
      { kind: "notice", level: "alarm", text: "no stop" },
      { kind: "notice", level: "info", text: "hm" },
    );
    reports.notice("warning", "late");
    expect(lines()).toEqual(["alarm: no stop", "important: late"]);
    const all = reporter();
    all.give(record(opened));
    expect(all.lines()).toEqual(["routine: AAAUSDT: long 3× opened at 1000.0"]);
  });
});

test("in the log a stop that moves and a rejected order belong to the signal they came from", async () => {
  const bench = new Bench();
  const { settings } = loadSettings({ LOG_FILES: "0", LOG_LEVEL: "debug" });
  let text = "";
  const log = await Log.open({
    settings,
    redact: (line) => line,
    print: (lines) => (text += lines),
    onTrouble: () => {},
  });
  const runLog = new RunLog(log, bench.state);
  const give = bench.give.bind(bench);
  bench.give = (event) => {
    const effects = give(event);
    runLog.stepped(event, effects);
    return effects;
  };
  const { stop } = bench.protectedPosition();
  const moved = { kind: "stop-moved", time: bench.now, symbol: 0, leg: "both", from: 9900, to: 9950 } as const;
  runLog.stepped(timer(bench.now), [record(moved)]);
  bench.answer(stop, "expired");
  log.flush();
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const trace = `${new Date(bench.now).toISOString()}/AAAUSDT`;
  expect(lines[0]).toMatchObject({ msg: "cycle analysed", candidates: 1 });
  expect(new Set(lines.slice(1).map((line) => line.trace))).toEqual(new Set([trace]));
  expect(lines.find(({ msg }) => msg === "stop moved")).toMatchObject({ from: 990, to: 995, symbol: "AAAUSDT" });
});

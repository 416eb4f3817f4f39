import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { BacktestReport } from "../../src/report/backtest-report.ts";
import { number, signed } from "../../src/report/html/figures.ts";
import { html, json, Markup } from "../../src/report/html/markup.ts";
import { scaleOf, thinned, timeTicks } from "../../src/report/html/plot.ts";
import { reportPage } from "../../src/report/html/report-page.ts";
import type { Scene } from "../../src/report/scenes.ts";
import { backtest } from "../../src/service/backtest.ts";
import { testRecorded } from "../recorded.ts";
import { withSmallRun } from "./small-run.ts";

/** The report and the scenes of one small run, made once. */
const { report, scenes } = await withSmallRun((result) => ({ report: result.report, scenes: result.scenes() }));

const VOID = new Set(["meta", "path", "input", "br", "link"]);

/** Reads the elements of a page; throws where one is left open or closed twice. */
async function elementsOf(page: string): Promise<{ tag: string; attributes: Record<string, string> }[]> {
  const elements: { tag: string; attributes: Record<string, string> }[] = [];
  await new HTMLRewriter()
    .on("*", {
      element(element) {
        elements.push({ tag: element.tagName, attributes: Object.fromEntries(element.attributes) });
      },
    })
    .transform(new Response(page))
    .text();
  const open: string[] = [];
  for (const [, closing, tag, self] of withoutScripts(page).matchAll(
    /<(\/?)([a-z][a-z0-9]*)\b(?:"[^"]*"|[^">])*?(\/?)>/g,
  )) {
    if (VOID.has(tag!) || self === "/") continue;
    if (closing === "") open.push(tag!);
    else expect(open.pop()).toBe(tag!);
  }
  expect(open).toEqual([]);
  return elements;
}

function withoutScripts(page: string): string {
  return page.replace(/<(script|style)\b[^>]*>[\s\S]*?<\/\1>/g, "");
}

/** What a reader sees, as one text. */
function textOf(page: string): string {
  return withoutScripts(page)
    .replace(/<[^>]+>/g, " ")
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&")
    .replace(/\s+/g, " ");
}

describe("the page of a run", () => {
  const page = reportPage(report, scenes);
  const text = textOf(page);

  test("is well-formed: every element is closed, every id is there once and every link leads to one", async () => {
    const elements = await elementsOf(page);
    const ids = elements.flatMap(({ attributes }) => attributes.id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const links = elements.filter(({ tag }) => tag === "a").map(({ attributes }) => attributes.href!);
    expect(links.length).toBeGreaterThan(8);
    for (const link of links) expect(ids).toContain(link.slice(1));
    for (const { attributes } of elements) {
      for (const id of (attributes["aria-labelledby"] ?? "").split(" ").filter(Boolean)) expect(ids).toContain(id);
    }
    expect(elements.filter(({ tag }) => tag === "h1")).toHaveLength(1);
  });

  test("asks for nothing from anywhere, and its policy forbids it", async () => {
    // A failure should not print the whole page.
    const found = (pattern: RegExp) => pattern.exec(page)?.[0];
    expect(found(/https?:\/\/(?!www\.w3\.org\/2000\/svg")/)).toBeUndefined();
    expect(found(/@import|url\((?!#)|\bfetch\(|XMLHttpRequest|WebSocket|\bimport\(/)).toBeUndefined();
    const elements = await elementsOf(page);
    expect(elements.filter(({ tag }) => ["link", "img", "iframe", "object", "base"].includes(tag))).toEqual([]);
    for (const { attributes } of elements) expect(attributes.src).toBeUndefined();
    const policy = elements.find(({ attributes }) => attributes["http-equiv"] === "Content-Security-Policy");
    expect(policy?.attributes.content).toStartWith("default-src &#39;none&#39;; ");
  });

  test("shows the figures of the report", () => {
    const { summary, costs, buyAndHold } = report;
    for (const figure of [
      `${signed(summary.endEquity - summary.startEquity)} USDT`,
      number(summary.endEquity),
      `${summary.wins} won, ${summary.losses} lost`,
      `${number(summary.maxDrawdownUsdt)} USDT at most`,
      number(summary.startEquity * (1 + buyAndHold.growth)),
      signed(-costs.fees),
      signed(-costs.spreadAndSlippage),
      signed(-costs.funding),
      report.tradesHash,
      report.dataHash,
      report.settingsHash,
      ...report.assumptions,
    ]) {
      expect(text).toContain(figure);
    }
    for (const [guard, times] of Object.entries(report.refusals))
      expect(text).toContain(`${guard} ${number(times, 0)}`);
    for (const [reason, times] of Object.entries(summary.exits)) expect(text).toContain(`${reason} ${times}`);
    expect(text).toContain("SIMULATED no real money was traded");
  });

  test("shows what every signal would have come to, by setup", () => {
    const { virtual } = report;
    expect(virtual.trades).toBeGreaterThan(0);
    expect(virtual.setups.reduce((total, { trades }) => total + trades, 0)).toBe(virtual.trades);
    for (const { setup, trades, averageResult, distribution } of virtual.setups) {
      expect(distribution.reduce((total, ended) => total + ended, 0)).toBe(trades);
      expect(text).toMatch(new RegExp(`${setup} ${number(trades, 0)} \\d+\\s%`));
      expect(text).toContain(`${signed(averageResult)} ${distribution.join(" ")}`);
    }
  });

  test("lists every trade with its result, and its reasons where it is shown", () => {
    for (const trade of report.trades) expect(text).toContain(signed(trade.pnl));
    expect(scenes.length).toBe(report.trades.length);
    for (const { trade } of scenes) for (const reason of report.trades[trade]!.reasons) expect(text).toContain(reason);
  });

  test("the structure that caused a trade is drawn for every trade of ict", () => {
    for (const scene of scenes) {
      expect(scene.zones.filter((zone) => zone.cause)).toHaveLength(1);
      expect(scene.breaks.length).toBeGreaterThan(0);
    }
  });

  test("the days add up to the result of the run", () => {
    const days = [...page.matchAll(/class="day [^"]*"[^>]*>.*?<span>([^<]*)<\/span>/g)].map(
      ([, share]) => 1 + Number(share!.replace("−", "-").replace(/[+\u00a0%]/g, "")) / 100,
    );
    expect(days).toHaveLength(5);
    expect(days.reduce((product, day) => product * day, 1)).toBeCloseTo(1 + report.summary.growth, 2);
  });

  test("the script's data is whole and can be read", () => {
    const [, data] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)!;
    const { curve, scenes: drawn } = JSON.parse(data!);
    expect(drawn).toHaveLength(scenes.length);
    expect(curve.at(-1).slice(0, 2)).toEqual([report.to, report.summary.endEquity]);
    // Undoing the differences gives the market's prices again.
    let close = 0;
    const closes = drawn[0].bars.map((bar: number[]) => {
      close += bar[0]! + bar[3]!;
      return close;
    });
    expect(closes).toEqual(scenes[0]!.bars.map((bar) => bar!.close));
  });

  test("the same run gives the same bytes", async () => {
    const again = await withSmallRun((result) => reportPage(result.report, result.scenes()));
    expect(again === page).toBe(true);
  });
});

describe("what is foreign", () => {
  const evil = `</script><script>alert("1")</script><img src=x onerror='alert(2)'> & "quoted"`;

  function hostile(): { report: BacktestReport; scenes: readonly Scene[] } {
    const trades = report.trades.map((trade) => ({
      ...trade,
      symbol: evil,
      setup: evil,
      strategy: evil,
      reasons: [evil],
    }));
    return {
      report: {
        ...report,
        symbols: [evil],
        trades,
        assumptions: [evil],
        refusals: { [evil]: 1 },
        refusalExamples: { [evil]: { time: report.from, symbol: evil, reason: evil } },
        stateChanges: [{ time: report.from, from: "normal", to: "halted", reason: evil }],
      },
      scenes,
    };
  }

  test("is escaped wherever it stands", async () => {
    const { report: bad, scenes: shown } = hostile();
    const page = reportPage(bad, shown);
    const elements = await elementsOf(page);
    expect(elements.filter(({ tag }) => tag === "script")).toHaveLength(2);
    expect(elements.filter(({ tag }) => tag === "img")).toEqual([]);
    expect(page.includes("<script>alert")).toBe(false);
    expect(textOf(page)).toContain(evil);
  });

  test("markup: values are escaped, markup and lists are not twice, nothing stands for nothing", () => {
    expect(html`<a title="${`"'<&>`}">${["<", new Markup("<b>x</b>"), 1, false, undefined]}</a>`.text).toBe(
      '<a title="&quot;&#39;&lt;&amp;&gt;">&lt;<b>x</b>1</a>',
    );
    expect(json({ a: "</script><!--" }).text).toBe('{"a":"\\u003c/script>\\u003c!--"}');
  });
});

describe("a run without trades", () => {
  const none: BacktestReport = {
    ...report,
    trades: [],
    openPositions: [],
    refusals: {},
    refusalExamples: {},
    equity: [report.equity[0]!],
    from: report.from,
    to: report.from,
  };

  test("is a page as well", async () => {
    const page = reportPage(none, []);
    await elementsOf(page);
    expect(/NaN|Infinity|undefined|null/.test(withoutScripts(page))).toBe(false);
    expect(textOf(page)).toContain("No trade was closed.");
  });
});

describe("penstock backtest --html", () => {
  test("a file that cannot be written ends with 2 before anything runs", () => {
    const main = join(import.meta.dir, "..", "..", "src", "main.ts");
    const file = join(tmpdir(), "penstock-no-such-folder", "report.html");
    const run = Bun.spawnSync([process.execPath, main, "backtest", "--data", "nowhere", "--html", file], { env: {} });
    expect(run.exitCode).toBe(2);
    expect(run.stderr.toString()).toStartWith(`penstock: --html ${file}: the folder `);
  });
});

describe("plots", () => {
  test("scales end on round numbers and hold all values", () => {
    expect(scaleOf(6020.75, 10_944).ticks).toEqual([6000, 7000, 8000, 9000, 10_000, 11_000]);
    expect(scaleOf(0, 1.48).ticks).toEqual([0, 0.5, 1, 1.5]);
    expect(scaleOf(-0.407, 0, 3).ticks).toEqual([-0.6, -0.4, -0.2, 0]);
    const { low, high } = scaleOf(10_000, 10_000);
    expect(low).toBeLessThanOrEqual(10_000);
    expect(high).toBeGreaterThan(10_000);
  });

  test("times are round: hours, days, months", () => {
    const at = (text: string) => Date.parse(`${text}Z`);
    const iso = (from: string, to: string) =>
      timeTicks(at(from), at(to)).ticks.map((time) => new Date(time).toISOString().slice(0, 16));
    expect(iso("2025-10-01T00:10", "2025-10-01T03:50")).toEqual([
      "2025-10-01T01:00",
      "2025-10-01T02:00",
      "2025-10-01T03:00",
    ]);
    expect(iso("2025-10-01T00:00", "2025-10-05T00:00")).toHaveLength(9);
    expect(iso("2023-01-01T00:00", "2024-05-14T00:00")).toEqual([
      "2023-04-01T00:00",
      "2023-07-01T00:00",
      "2023-10-01T00:00",
      "2024-01-01T00:00",
      "2024-04-01T00:00",
    ]);
  });

  test("thinning keeps the extremes and the order", () => {
    const points = Array.from({ length: 10_000 }, (_, i) => ({ time: i, value: i === 4321 ? -9 : i === 8765 ? 9 : 0 }));
    const kept = thinned(points, 400);
    expect(kept.length).toBeLessThanOrEqual(400);
    expect(kept.map((point) => point.value)).toEqual(expect.arrayContaining([-9, 9]));
    expect(kept.map((point) => point.time)).toEqual(kept.map((point) => point.time).sort((a, b) => a - b));
    expect(thinned(points.slice(0, 5), 400)).toEqual(points.slice(0, 5));
  });
});

testRecorded(
  "57 symbols of a month: below 1.5 MB, every shown trade with its cause",
  "market/m5-wide-2025-10",
  async (dir) => {
    const folder = mkdtempSync(join(tmpdir(), "penstock-html-"));
    try {
      const { settings } = loadSettings({ DATA_DIR: folder });
      const { report: month, scenes: shot } = await backtest(settings, { dir, without: [] });
      const shown = shot();
      const page = reportPage(month, shown);
      expect(Buffer.byteLength(page)).toBeLessThan(1_500_000);
      expect(shown.length).toBe(40);
      for (const { zones } of shown) expect(zones.filter((zone) => zone.cause)).toHaveLength(1);
      expect(page.includes(month.tradesHash)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

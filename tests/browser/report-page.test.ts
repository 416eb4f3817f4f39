import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { reportPage } from "../../src/report/html/report-page.ts";
import { withSmallRun } from "../report/small-run.ts";
import { findChromium, launch } from "./chromium.ts";

const executable = findChromium();
if (executable === undefined) {
  console.warn("tests/browser: skipped, no Chromium was found (apt-get install chromium, or set CHROMIUM to its path)");
}

describe.skipIf(executable === undefined)("the report's page in Chromium", () => {
  let folder = "";
  let url = "";
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "penstock-page-"));
    const file = join(folder, "report.html");
    writeFileSync(file, await withSmallRun(({ report, scenes }) => reportPage(report, scenes())));
    url = pathToFileURL(file).href;
    browser = await launch(executable!);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the page; whatever the browser complains about, or asks the network for, ends up in `trouble`. */
  async function open(
    width: number,
    colorScheme: "light" | "dark" = "light",
  ): Promise<{ page: Page; trouble: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const trouble: string[] = [];
    page.on("console", (message) => trouble.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => trouble.push(error.message));
    page.on("request", (request) => {
      if (request.url() !== url) trouble.push(`asks for ${request.url()}`);
    });
    await page.goto(url);
    return { page, trouble };
  }

  test("opens without a complaint and asks for nothing", async () => {
    const { page, trouble } = await open(1280);
    expect(await page.title()).toContain("simulated");
    expect(await page.locator("svg.candles .candle").count()).toBeGreaterThan(40);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test.each([
    [1280, "light"],
    [390, "light"],
    [320, "dark"],
  ] as const)("at %d px nothing is wider than the page", async (width, scheme) => {
    const { page, trouble } = await open(width, scheme);
    await page.locator("details.all summary").click();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    // Nor is anything cut off that cannot be scrolled to.
    const outside = await page.evaluate(`[...document.querySelectorAll("main *")]
      .filter((element) => !element.closest(".scroll, svg, .unseen, .picks, .stamp"))
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.tagName + "." + element.className)`);
    expect(outside).toEqual([]);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test("the results of every signal are filled by their share of the setup", async () => {
    const { page, trouble } = await open(1280);
    const cells = await page.evaluate<{ text: string; size: string; tone: string }[]>(`[
      ...document.querySelectorAll("#virtual tbody tr:first-child td[style]")
    ].map((cell) => ({
      text: cell.textContent,
      size: getComputedStyle(cell).backgroundSize,
      tone: getComputedStyle(cell).getPropertyValue("--tone"),
    }))`);
    const counts = cells.map(({ text }) => Number(text));
    const total = counts.reduce((sum, count) => sum + count, 0);
    expect(total).toBeGreaterThan(0);
    for (const [i, { size }] of cells.entries()) expect(size).toEndWith(` ${Math.round((counts[i]! / total) * 100)}%`);
    expect(new Set(cells.map(({ tone }) => tone)).size).toBe(2);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test("another trade is chosen by mouse, by keyboard and from the table", async () => {
    const { page, trouble } = await open(1280);
    const heading = () => page.locator(".detail:not([hidden]) h3").textContent();
    const drawing = () => page.locator("svg.candles").innerHTML();
    const [first, firstDrawing] = [await heading(), await drawing()];

    await page.locator(".picker label:not(:has(input:checked))").first().click();
    const [second, secondDrawing] = [await heading(), await drawing()];
    expect(second).not.toBe(first);
    expect(secondDrawing === firstDrawing).toBe(false);

    await page.keyboard.press("ArrowDown");
    const third = await heading();
    expect(third).not.toBe(second);

    await page.locator("details.all summary").click();
    const link = page.locator("a[data-show]").last();
    const symbol = await link.textContent();
    await link.click();
    expect(await heading()).toStartWith(symbol!);
    expect(await page.locator(".detail:not([hidden])").count()).toBe(1);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test("cursors follow the mouse and the arrow keys", async () => {
    const { page, trouble } = await open(1280);
    const readout = (figure: string) => page.locator(`${figure} .readout`).textContent();
    const atEnd = await readout(".curve");
    await page.locator(".plot-equity").hover({ position: { x: 200, y: 100 } });
    const hovered = await readout(".curve");
    expect(hovered).not.toBe(atEnd);
    await page.locator(".curve").focus();
    await page.keyboard.press("End");
    expect(await readout(".curve")).toBe(atEnd);
    await page.keyboard.press("Home");
    expect(await readout(".curve")).toContain("drawdown 0.0");

    await page.locator(".scene").focus();
    await page.keyboard.press("ArrowLeft");
    const bar = await readout(".scene");
    expect(bar).toMatch(/open [\d.]+ · high [\d.]+ · low [\d.]+ · close [\d.]+/);
    await page.keyboard.press("ArrowLeft");
    expect(await readout(".scene")).not.toBe(bar);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test("tables are sorted by a column, both ways", async () => {
    const { page, trouble } = await open(1280);
    const table = page.locator("#symbols table").first();
    const column = () => table.locator("tbody tr td:nth-child(2)").allTextContents();
    const sorted = (await column()).map(Number).sort((a, b) => b - a);
    await table.getByRole("button", { name: "Trades" }).click();
    expect((await column()).map(Number)).toEqual(sorted);
    await table.getByRole("button", { name: "Trades" }).click();
    expect((await column()).map(Number)).toEqual(sorted.reverse());
    expect(await table.locator("th[aria-sort]").count()).toBe(1);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test("the button changes light to dark and back", async () => {
    const { page, trouble } = await open(1280, "dark");
    const paper = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const dark = await paper();
    await page.getByRole("button", { name: "Switch to light colours" }).click();
    expect(await paper()).not.toBe(dark);
    await page.getByRole("button", { name: "Switch to dark colours" }).click();
    expect(await paper()).toBe(dark);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test("on paper it is light and holds the chosen trade", async () => {
    const { page, trouble } = await open(794, "dark");
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(255, 255, 255)");
    expect(await page.locator("svg.candles").isVisible()).toBe(true);
    expect(await page.locator("nav").isVisible()).toBe(false);
    expect(trouble).toEqual([]);
    await page.close();
  });

  test("without scripts everything but the candles is there", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(url);
    const text = await page.locator("main").textContent();
    for (const part of [
      "Equity and drawdown",
      "By symbol",
      "Refusals by guard",
      "Costs",
      "SIMULATED",
      "switched off",
    ]) {
      expect(text).toContain(part);
    }
    expect(await page.locator(".plot-equity path.equity").count()).toBe(1);
    await context.close();
  });
});

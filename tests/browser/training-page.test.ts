import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { trainingPage } from "../../src/report/html/training-page.ts";
import { trained } from "../learning/trained.ts";
import { findChromium, launch } from "./chromium.ts";

const executable = findChromium();

describe.skipIf(executable === undefined)("the page of a training in Chromium", () => {
  let folder = "";
  let browser: Browser;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "penstock-training-page-"));
    browser = await launch(executable!);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([
    ["signal", 1280, "light"],
    ["noise", 390, "dark"],
  ] as const)(
    "%s at %p pixels: every curve is there, nothing is wider than the screen, nothing is asked for",
    async (what, width, colorScheme) => {
      const { manifest, details } = trained(what, 1).result;
      const file = join(folder, `${what}.html`);
      writeFileSync(file, trainingPage(manifest, details));
      const url = pathToFileURL(file).href;
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      const trouble: string[] = [];
      page.on("console", (message) => trouble.push(`${message.type()}: ${message.text()}`));
      page.on("request", (request) => {
        if (request.url() !== url) trouble.push(`asks for ${request.url()}`);
      });
      await page.goto(url);
      expect(await page.title()).toContain(manifest.passed ? "passed the gate" : "refused");
      expect(await page.locator("#gate tbody tr").count()).toBe(manifest.gate.length);
      expect(await page.locator("#walk-forward svg path.equity").count()).toBe(1);
      expect(await page.locator("#paths svg path.bar").count()).toBe(5);
      expect(await page.locator("#reliability svg .dot").count()).toBe(details.reliability.length);
      expect(await page.locator("#learning svg path.equity").count()).toBe(1);
      expect(await page.locator("#importance tbody tr").count()).toBe(15);
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
      expect(await page.content()).not.toMatch(/NaN|undefined|Infinity/);
      expect(trouble).toEqual([]);
      await page.close();
    },
  );
});

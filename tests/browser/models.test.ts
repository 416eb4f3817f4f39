import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { type ModelRun, startModelRun, VIEWER } from "../admin/model-run.ts";
import { temporaryFolder } from "../end-to-end/penstock.ts";
import { findChromium, launch } from "./chromium.ts";

const chromium = findChromium();

describe.skipIf(chromium === undefined)("the view of the models", () => {
  const problems: string[] = [];
  let run: ModelRun;
  let browser: Browser;

  beforeAll(async () => {
    run = await startModelRun(temporaryFolder());
    browser = await launch(chromium!);
  });

  afterAll(async () => {
    await browser?.close();
    run?.child.kill("SIGKILL");
    await run?.child.exited;
  });

  async function visit(token: string, size = { width: 1280, height: 900 }): Promise<Page> {
    const page = await (await browser.newContext({ viewport: size, locale: "en-US" })).newPage();
    page.setDefaultTimeout(120_000);
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(`${run.base}/#token=${token}`);
    await page.getByRole("link", { name: "Penstock" }).waitFor();
    await page.evaluate("location.hash = '#/models'");
    return page;
  }

  async function expectAccessible(page: Page): Promise<void> {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(", ")}`)).toEqual([]);
  }

  const decides = (page: Page, id: string) => page.locator(".tile dd", { hasText: id }).first().waitFor();

  test("shows who decides, the gate of each, and lets an operator change it who types that he means it", async () => {
    const [champion, former, refused] = run.ids;
    const page = await visit(run.token);
    await page.getByRole("row", { name: champion }).waitFor();
    await page.getByRole("row", { name: "trees (walker)" }).first().waitFor();
    await page.locator(".tile dd", { hasText: "tree walker (" }).waitFor();
    await expectAccessible(page);
    await page.getByRole("row", { name: refused }).click();
    await page.getByRole("heading", { name: `Model ${refused}, refused` }).waitFor();
    expect(await page.locator("ol.checks li.failed").count()).toBeGreaterThan(0);
    expect(await page.getByRole("button", { name: "Let it decide" }).count()).toBe(0);

    await page.getByRole("row", { name: former }).click();
    await page.getByRole("heading", { name: `Model ${former}, retired` }).waitFor();
    await page.locator('svg[role="img"] circle').first().waitFor();
    await expectAccessible(page);
    if (process.env.PENSTOCK_SHOTS !== undefined) {
      await page.screenshot({ path: `${process.env.PENSTOCK_SHOTS}/models.png`, fullPage: true });
    }
    await page.getByRole("button", { name: "Let it decide" }).click();
    const dialog = page.getByRole("dialog");
    const go = dialog.getByRole("button", { name: "Let it decide" });
    expect(await go.isDisabled()).toBe(true);
    await dialog.getByRole("textbox").fill("PROMOTE");
    await go.click();
    await dialog.waitFor({ state: "detached" });
    await decides(page, former);
    expect(problems.splice(0)).toEqual([]);
    await page.close();
  });

  test("viewers see it and change nothing; a phone has room for it", async () => {
    const page = await visit(VIEWER, { width: 390, height: 844 });
    await page.getByText(run.ids[0]).first().waitFor();
    expect(await page.getByRole("button", { name: "Train now" }).count()).toBe(0);
    const wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
    expect(wide).toBe(false);
    expect(problems.splice(0)).toEqual([]);
    await page.close();
  });
});

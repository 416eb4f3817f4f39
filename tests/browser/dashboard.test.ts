import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { MAIN, temporaryFolder } from "../end-to-end/penstock.ts";
import { findChromium, launch } from "./chromium.ts";

const chromium = findChromium();
const BINARY = process.env.PENSTOCK_BINARY;

/** A real run, watched in a real browser. The seed is one with signals and refusals within the first minutes. */
describe.skipIf(chromium === undefined)("the dashboard", () => {
  const folder = temporaryFolder();
  const data = join(folder, "data");
  const problems: string[] = [];
  let child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  let browser: Browser;
  let link = "";
  let base = "";

  beforeAll(async () => {
    const command = BINARY === undefined ? [process.execPath, MAIN] : [join(process.cwd(), BINARY)];
    child = Bun.spawn([...command, "run", "--speed", "1200x"], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", DATA_DIR: data, ADMIN_PORT: "0" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const reader = child.stderr.getReader();
    let text = "";
    while (!text.includes("#token=") || !text.endsWith("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the run ended: ${text}`);
      text += new TextDecoder().decode(value);
    }
    link = /http\S+/.exec(text)![0];
    base = link.split("#")[0]!;
    browser = await launch(chromium!);
  });

  afterAll(async () => {
    await browser?.close();
    child?.kill("SIGKILL");
    await child?.exited;
  });

  /** A page of a new visitor; whatever the console complains of fails the test that is at it. */
  async function visit(size = { width: 1280, height: 900 }, language = "en-US"): Promise<Page> {
    const context = await browser.newContext({ viewport: size, locale: language, colorScheme: "light" });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      // Chromium logs every answer above 399, and being asked to sign in is one.
      if (message.type() === "error" && !message.text().includes("401")) problems.push(message.text());
    });
    await page.goto(link);
    await page.getByRole("link", { name: "Penstock" }).waitFor();
    return page;
  }

  async function expectAccessible(page: Page): Promise<void> {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(", ")}`);
    expect(found).toEqual([]);
  }

  const nothingWrong = () => expect(problems.splice(0)).toEqual([]);

  test("asks for the token, says when it is wrong, and lets in with the right one", async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(base);
    await page.getByLabel("Token").fill("x".repeat(32));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("the token is wrong").waitFor();
    await page.getByLabel("Token").fill(readFileSync(join(data, "admin-token"), "utf8").trim());
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("SIMULATED").waitFor();
    await page.reload();
    await page.getByText("SIMULATED").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await page.context().close();
  });

  test("shows a run that goes on, and no token in the address", async () => {
    const page = await visit();
    expect(page.url()).not.toContain("token");
    const time = page.locator("dt", { hasText: "Market time" }).locator("xpath=following-sibling::dd");
    const before = await time.textContent();
    await page.locator(".states div:last-child dd").filter({ hasNotText: before! }).waitFor();
    await page.locator("canvas").first().waitFor();
    await expectAccessible(page);
    nothingWrong();
    await page.context().close();
  });

  test("explains a refused signal: who refused it, the numbers, and what the strategy asked", async () => {
    const page = await visit();
    await page.getByRole("link", { name: "Signals" }).click();
    // One by a guard that has numbers to show; a regime, for one, is no number.
    const refused = page.locator("tr.link", { has: page.locator("span.tag", { hasText: "volatility" }) }).first();
    await refused.waitFor({ timeout: 60_000 });
    await refused.click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Refused by").first().waitFor();
    await dialog.getByText("What the strategy asked").waitFor();
    expect(await dialog.locator("li.passed").count()).toBeGreaterThan(3);
    expect(await dialog.locator("dl.states dd").count()).toBeGreaterThan(0);
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    expect(await page.getByRole("dialog").count()).toBe(0);
    nothingWrong();
    await page.context().close();
  });

  test("draws the chart of a symbol in each timeframe", async () => {
    const page = await visit();
    await page.getByRole("link", { name: "Chart" }).click();
    for (const name of ["1h", "15m", "5m"]) {
      await page.getByRole("button", { name, exact: true }).click();
      await page.locator(`button[aria-pressed="true"]`, { hasText: name }).waitFor();
    }
    expect(await page.locator("canvas").count()).toBeGreaterThan(0);
    await expectAccessible(page);
    nothingWrong();
    await page.context().close();
  });

  test("changes a setting, refuses a bold one, and the audit has both", async () => {
    const page = await visit();
    await page.getByRole("link", { name: "Settings" }).click();
    const setting = page.locator(".setting", { hasText: "MAX_SIGNALS" });
    await setting.getByRole("textbox").fill("4");
    await setting.getByRole("button", { name: "Save" }).click();
    await setting.getByText("MAX_SIGNALS is 4, it was 10").waitFor();
    await setting.getByRole("textbox").fill("400");
    await setting.getByRole("button", { name: "Save" }).click();
    await setting.getByText("would risk more").waitFor();
    await expectAccessible(page);
    await page.getByRole("link", { name: "Log" }).click();
    const audit = page.getByRole("region", { name: "Operators" });
    await audit.getByText("set MAX_SIGNALS").first().waitFor();
    expect(await audit.getByText("would risk more").count()).toBe(1);
    // The browser reports the refusal, and nothing else.
    expect(problems.splice(0)).toEqual([expect.stringContaining("409")]);
    await page.context().close();
  });

  test("pauses, resumes and flattens; what closes positions wants its name typed", async () => {
    const page = await visit();
    const act = async (name: string) => {
      await page.getByRole("button", { name: "Actions" }).click();
      await page
        .locator(".menu")
        .getByRole("button", { name: new RegExp(`^${name}`) })
        .click();
    };
    await act("Pause");
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await page.locator("header .pill", { hasText: "reduce-only" }).waitFor();
    await act("Resume");
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await page.locator("header .pill", { hasText: "normal" }).waitFor();
    await act("Flatten");
    const dialog = page.getByRole("dialog");
    expect(await dialog.getByRole("button", { name: "Flatten" }).isDisabled()).toBe(true);
    await dialog.getByRole("textbox").fill("FLATTEN");
    await dialog.getByRole("button", { name: "Flatten" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Log" }).click();
    await page.getByRole("region", { name: "Operators" }).getByText("flatten", { exact: true }).waitFor();
    nothingWrong();
    await page.context().close();
  });

  test("speaks three languages and has two themes, and remembers both", async () => {
    const page = await visit();
    const background = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    await page.getByLabel("Language").selectOption("zh-Hant");
    await page.getByRole("link", { name: "總覽" }).waitFor();
    await page.getByLabel("語言").selectOption("zh-Hans");
    await page.getByRole("link", { name: "总览" }).waitFor();
    const light = await background();
    await page.getByRole("button", { name: "主题" }).click();
    expect(await background()).not.toBe(light);
    await expectAccessible(page);
    await page.reload();
    await page.getByRole("link", { name: "总览" }).waitFor();
    expect(await background()).not.toBe(light);
    expect(await page.evaluate("document.documentElement.lang")).toBe("zh-Hans");
    nothingWrong();
    await page.context().close();
  });

  test("shows which bars there are, and the trends of trades and latency", async () => {
    const page = await visit();
    await page.getByRole("link", { name: "Data", exact: true }).click();
    const data = page.getByRole("region", { name: "Symbol" });
    await data.locator("tbody tr").first().waitFor();
    expect(await data.locator("tbody tr").count()).toBe(24);
    await expectAccessible(page);
    await page.getByRole("link", { name: "Trades" }).click();
    await page.getByRole("region", { name: "By day" }).waitFor();
    await page.getByRole("region", { name: "Latency" }).waitFor();
    await expectAccessible(page);
    nothingWrong();
    await page.context().close();
  });

  test("two browsers at once: what one does the other sees", async () => {
    const [one, other] = await Promise.all([visit(), visit({ width: 800, height: 700 })]);
    await one.getByRole("button", { name: "Actions" }).click();
    await one
      .locator(".menu")
      .getByRole("button", { name: /^Pause/ })
      .click();
    await one.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await other.locator("header .pill", { hasText: "reduce-only" }).waitFor();
    // Signing out of one leaves the other signed in.
    await one.getByRole("button", { name: "Sign out" }).click();
    await one.getByRole("button", { name: "Sign in" }).waitFor();
    await other.getByRole("button", { name: "Actions" }).click();
    await other
      .locator(".menu")
      .getByRole("button", { name: /^Resume/ })
      .click();
    await other.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await other.locator("header .pill", { hasText: "normal" }).waitFor();
    nothingWrong();
    await one.context().close();
    await other.context().close();
  });

  test("signing out in one tab leads to the door in the other", async () => {
    const page = await visit();
    const other = await page.context().newPage();
    await other.goto(base);
    await other.getByText("SIMULATED").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await other.getByRole("button", { name: "Sign in" }).waitFor();
    await page.context().close();
    problems.length = 0;
  });

  test("fits a phone: nothing is wider than the screen on any page", async () => {
    const page = await visit({ width: 360, height: 780 });
    for (const name of [
      "overview",
      "chart",
      "positions",
      "signals",
      "trades",
      "models",
      "data",
      "settings",
      "incidents",
      "log",
    ]) {
      await page.goto(`${base}#/${name}`);
      await page.locator(`nav a[aria-current="page"][href="#/${name}"]`).waitFor();
      await page.locator("main .card").first().waitFor();
      expect([name, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([name, 360]);
    }
    await expectAccessible(page);
    // The library of the plots lays them out as tables, which are not to become cards.
    await page.goto(`${base}#/overview`);
    await page.locator(".plot tr").first().waitFor();
    expect(await page.evaluate("getComputedStyle(document.querySelector('.plot tr')).display")).toBe("table-row");
    nothingWrong();
    await page.context().close();
  });

  test("can be used with the keyboard alone", async () => {
    const page = await visit();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("content");
    await page.getByRole("link", { name: "Signals" }).focus();
    await page.keyboard.press("Enter");
    const row = page.locator("tr.link").first();
    await row.waitFor();
    await row.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    nothingWrong();
    await page.context().close();
  });

  test("describes its REST interface offline", async () => {
    const page = await visit();
    await page.goto(`${base}docs`);
    await page.getByText("PUT /api/settings/{name}").waitFor();
    await expectAccessible(page);
    nothingWrong();
    await page.context().close();
  });
});

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { page } from "../../src/admin/pages.ts";

const FOLDER = join(import.meta.dir, "..", "..", "src", "admin", "dashboard");

describe("the files of the dashboard", () => {
  test("are all handed out, and nothing else is", async () => {
    for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".js"))) {
      expect(page(`/assets/${name}`, false)?.headers.get("content-type"), name).toStartWith("text/javascript");
    }
    expect(await page("/", false)!.text()).toStartWith("<!doctype html>");
    for (const path of ["/assets/", "/assets/nothing.js", "/assets/../pages.ts", "/index.html", ""]) {
      expect(page(path, false), path).toBeUndefined();
    }
  });

  test("import only each other", async () => {
    for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".js"))) {
      const text = await page(`/assets/${name}`, false)!.text();
      for (const [, from] of text.matchAll(/^import .*? from "(.+?)";$/gm)) {
        expect(page(`/assets/${from!.replace("./", "")}`, false), `${name} imports ${from}`).toBeDefined();
      }
      expect(text).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|eval\(/);
    }
  });

  test("are the same compressed", async () => {
    const plain = await page("/assets/app.js", false)!.text();
    const packed = page("/assets/app.js", true)!;
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(new TextDecoder().decode(Bun.gunzipSync(await packed.arrayBuffer()))).toBe(plain);
  });
});

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The system's Chromium: CHROMIUM if set, else the first on PATH; undefined when there is none. Installs nothing. */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const folders = (env.PATH ?? "").split(delimiter);
  const candidates = env.CHROMIUM
    ? [env.CHROMIUM]
    : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Without a sandbox only for root, which Chromium refuses otherwise; the other switches keep it from the network. */
export function launch(executablePath: string): Promise<Browser> {
  const args = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
  args.push("--disable-component-update", "--disable-sync");
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath, args });
}

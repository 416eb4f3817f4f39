import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settingsPage } from "../src/config/document.ts";
import { loadSettings } from "../src/config/load.ts";
import { featuresPage } from "../src/features/document.ts";
import { metricsPage } from "../src/telemetry/document.ts";
import { definitionDrawings } from "./drawings/definitions.ts";
import { signalDrawings } from "./drawings/signals.ts";

/** Writes every generated file; with `--check` it only says which ones are out of date and ends with code 1. */
const GENERATED: Readonly<Record<string, () => string>> = {
  "docs/settings.md": () => settingsPage(loadSettings({})),
  "docs/features.md": featuresPage,
  "docs/metrics.md": metricsPage,
  ...drawings({ ...definitionDrawings(), ...signalDrawings() }),
};

function drawings(svg: Readonly<Record<string, string>>): Record<string, () => string> {
  return Object.fromEntries(Object.entries(svg).map(([name, text]) => [`docs/structure/${name}.svg`, () => text]));
}

const check = process.argv.includes("--check");
for (const [file, generate] of Object.entries(GENERATED)) {
  const path = join(import.meta.dir, "..", file);
  const text = generate();
  if (!check) {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`${file} is out of date: run "bun run generate"`);
    process.exitCode = 1;
  }
}

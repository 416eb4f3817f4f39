import type { Command } from "commander";
import { settingRows, settingsTable } from "../config/document.ts";
import { effectiveStrategy } from "../config/settings.ts";
import { type JsonTarget, jsonOption, print, setOption, settingsFrom, writeJson } from "./options.ts";

interface ConfigOptions {
  readonly set: readonly string[];
  readonly json?: JsonTarget;
}

/** `penstock config`: the settings in force and where each comes from. */
export function configCommand(program: Command): void {
  program
    .command("config")
    .description("show all settings: value, source, default, unit, meaning")
    .addOption(setOption())
    .addOption(jsonOption("the settings"))
    .action(async (options: ConfigOptions) => {
      const loaded = settingsFrom(options.set, true);
      if (options.json !== undefined) {
        return writeJson(options.json, [...settingRows(loaded).values()].flat());
      }
      const { note } = effectiveStrategy(loaded.settings);
      await print(
        settingsTable(loaded, process.stdout.columns ?? Number.POSITIVE_INFINITY) + (note ? `\n${note}\n` : ""),
      );
    });
}

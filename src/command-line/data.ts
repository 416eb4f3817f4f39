import type { Command } from "commander";
import { timeframeName, timeText } from "../market/timeframe.ts";
import { importFolder } from "../service/data.ts";
import { repairGaps } from "../service/data-repair.ts";
import { rebuild } from "../service/rebuild.ts";
import { findGaps, type Gap, seriesStatus } from "../store/klines.ts";
import { downloadCommand } from "./data-download.ts";
import { exportCommand } from "./data-export.ts";
import { addDataCommand, type DataOptions, imported, restBars, withProgress, withStore } from "./data-options.ts";
import { print, settingsFrom, writeJson } from "./options.ts";

/** `penstock data …`: what the store has, how it gets there, and how it leaves. */
export function dataCommand(program: Command): void {
  const data = program
    .command("data")
    .description("bars in files and in the store: download, import, export, status, gaps; runs: rebuild");
  downloadCommand(data);

  addDataCommand(data, "import", "store all bars of a folder; can be repeated")
    .argument("<dir>", "folder of <anything->SYMBOL-<timeframe>[-dates].csv[.gz], or of freqtrade's futures files")
    .action(async (dir: string, options: DataOptions) => {
      const result = await withStore(options, (store) =>
        withProgress((show) => importFolder(store, dir, (share, file) => show(file, share))),
      );
      if (options.json !== undefined) return writeJson(options.json, result);
      await print(imported(result));
    });

  exportCommand(data);

  addDataCommand(data, "rebuild", "record runs again from their journals: what the store lacks is added")
    .argument("[journals...]", "journals; all those of `penstock run` under DATA_DIR when none is named")
    .action(async (journals: string[], options: DataOptions) => {
      const { settings } = settingsFrom(options.set);
      const result = await withStore(options, (store) =>
        withProgress((show) => rebuild(store, settings, journals, (share, file) => show(file, share))),
      );
      if (options.json !== undefined) return writeJson(options.json, result);
      await print(`${result.journals} journals, ${result.rows} rows: ${result.added} added\n`);
    });

  addDataCommand(data, "status", "what there is of each series").action(async (options: DataOptions) => {
    const series = await withStore(options, (store) => seriesStatus(store.sql));
    const shown = series.map((each) => ({ ...each, timeframe: timeframeName(each.timeframe) }));
    if (options.json !== undefined) return writeJson(options.json, shown);
    if (shown.length === 0) return print("the store holds no bars yet; penstock data import DIR\n");
    const lines = shown.map(
      ({ symbol, timeframe, bars, first, last, gaps }) =>
        `${symbol.padEnd(16)} ${timeframe.padEnd(4)} ${String(bars).padStart(9)} bars  ${timeText(first)} to ${timeText(last)}` +
        (gaps > 0 ? `  ${gaps} gaps` : ""),
    );
    await print(`${lines.join("\n")}\n`);
  });

  addDataCommand(data, "gaps", "every place where bars are missing")
    .option("--repair", "ask the exchange for them; what it does not have stays a gap")
    .action(async (options: DataOptions & { readonly repair?: true }) => {
      const gaps: readonly (Gap & { readonly repaired?: number })[] = await withStore(options, (store) =>
        options.repair === undefined
          ? findGaps(store.sql)
          : withProgress((show) =>
              repairGaps(store, restBars(settingsFrom(options.set).settings), (share, symbol) => show(symbol, share)),
            ),
      );
      const shown = gaps.map((gap) => ({ ...gap, timeframe: timeframeName(gap.timeframe) }));
      if (options.json !== undefined) return writeJson(options.json, shown);
      if (shown.length === 0) return print("no gaps\n");
      const lines = shown.map(
        ({ symbol, timeframe, from, to, missing, repaired }) =>
          `${symbol.padEnd(16)} ${timeframe.padEnd(4)} ${timeText(from)} to ${timeText(to)}: ${missing} bars` +
          (repaired === undefined ? "" : `, ${repaired} repaired`),
      );
      await print(`${lines.join("\n")}\n`);
    });
}

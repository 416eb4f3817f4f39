import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import { FILE_FORMATS, type FileFormat } from "../market/month-file.ts";
import { type TimeframeName, timeText } from "../market/timeframe.ts";
import { exportBars, seriesOfFolder, seriesOfStore } from "../service/data-export.ts";
import { addDataCommand, type DataOptions, timeframesOption, withProgress, withStore, words } from "./data-options.ts";
import { time } from "./market-options.ts";
import { print, writeJson } from "./options.ts";

interface ExportOptions extends DataOptions {
  readonly data?: string;
  readonly format: FileFormat;
  readonly symbols?: readonly string[];
  readonly timeframe?: readonly TimeframeName[];
  readonly from?: number;
  readonly to?: number;
}

/** `penstock data export`: bars of the store, or of a folder, as csv or Parquet. */
export function exportCommand(data: Command): void {
  addDataCommand(data, "export", "write bars to files, one per series and month; can be repeated")
    .argument("<dir>", "folder for the files")
    .option("--data <dir>", "bars of this folder and not of the store")
    .addOption(new Option("--format <format>", "kind of file").choices([...FILE_FORMATS]).default("csv"))
    .addOption(new Option("--symbols <A,B>", "only these symbols").argParser(words))
    .addOption(timeframesOption("only these timeframes"))
    .addOption(new Option("--from <time>", "first open time (UTC)").argParser(time("--from")))
    .addOption(new Option("--to <time>", "end, exclusive (UTC)").argParser(time("--to")))
    .action(async (dir: string, options: ExportOptions) => {
      const { from, to, format, symbols, timeframe } = options;
      if (from !== undefined && to !== undefined && from >= to) {
        throw new InputError(`--from ${timeText(from)} is not before --to ${timeText(to)}`, 2);
      }
      const write = (series: Parameters<typeof exportBars>[0]) =>
        withProgress((show) => {
          const onProgress = (share: number, file: string) => show(file, share);
          return exportBars(series, { dir, format, symbols, timeframes: timeframe, from, to, onProgress });
        });
      const result =
        options.data === undefined
          ? await withStore(options, async (store) => write(await seriesOfStore(store)))
          : await write(seriesOfFolder(options.data));
      if (options.json !== undefined) return writeJson(options.json, result);
      const { files, bars, seconds } = result;
      await print(`${dir}: ${bars} bars in ${files} files, ${seconds.toFixed(1)} s\n`);
    });
}

import { join } from "node:path";
import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import { type TimeframeName, timeText } from "../market/timeframe.ts";
import { type Imported, importFolder } from "../service/data.ts";
import { download } from "../service/data-download.ts";
import { baseUrl } from "../service/public-http.ts";
import {
  addDataCommand,
  type DataOptions,
  imported,
  restBars,
  timeframesOption,
  withProgress,
  withStore,
} from "./data-options.ts";
import { time } from "./market-options.ts";
import { print, settingsFrom, writeJson } from "./options.ts";

interface DownloadOptions extends DataOptions {
  readonly timeframe: readonly TimeframeName[];
  readonly from?: number;
  readonly to?: number;
  readonly out?: string;
  readonly source: "both" | "archive" | "rest";
  readonly import?: true;
}

const DAY = 86_400_000;
const DEFAULT_DAYS = 30;

/** `penstock data download`: bars of the exchange as a folder of csv files. */
export function downloadCommand(data: Command): void {
  addDataCommand(data, "download", "download the exchange's bars as csv files; can be interrupted and repeated")
    .argument("<symbols...>", "such as BTCUSDT ETHUSDT")
    .addOption(timeframesOption("timeframes").default(["5m"], "5m"))
    .addOption(
      new Option("--from <time>", `first open time (UTC; default ${DEFAULT_DAYS} days ago)`).argParser(time("--from")),
    )
    .addOption(new Option("--to <time>", "end, exclusive (UTC; default now)").argParser(time("--to")))
    .option("--out <dir>", "folder for the files (default DATA_DIR/bars)")
    .addOption(
      new Option("--source <which>", "public archive files, REST for what they do not have yet, or both")
        .choices(["both", "archive", "rest"])
        .default("both"),
    )
    .option("--import", "store the bars of the folder afterwards")
    .action(async (symbols: string[], options: DownloadOptions) => {
      const { settings } = settingsFrom(options.set);
      const now = Date.now();
      const { from = now - DEFAULT_DAYS * DAY, to = now, source, out } = options;
      if (from >= to) throw new InputError(`--from ${timeText(from)} is not before --to ${timeText(to)}`, 2);
      const wrong = symbols.find((symbol) => !/^[\p{Lu}\p{Lo}\p{N}_]+$/u.test(symbol));
      if (wrong !== undefined) throw new InputError(`${JSON.stringify(wrong)} is no symbol; write BTCUSDT`, 2);
      const dir = out ?? join(settings.DATA_DIR, "bars");
      const result = await withProgress((show) =>
        download({
          symbols: [...new Set(symbols)],
          timeframes: options.timeframe,
          from,
          to,
          dir,
          archive: source === "rest" ? undefined : baseUrl("BINANCE_ARCHIVE_URL", settings.BINANCE_ARCHIVE_URL),
          rest: source === "archive" ? undefined : restBars(settings),
          now,
          onProgress: (share, file) => show(file, share),
        }),
      );
      let stored: Imported | undefined;
      if (options.import) {
        stored = await withStore(options, (store) =>
          withProgress((show) => importFolder(store, dir, (share, file) => show(file, share))),
        );
      }
      if (options.json !== undefined) return writeJson(options.json, { dir, ...result, imported: stored });
      const lacking = result.missing.reduce((sum, { bars }) => sum + bars, 0);
      await print(
        `${dir}: ${result.bars} bars in ${result.files} files written, ${result.complete} were complete, ` +
          `${result.seconds.toFixed(1)} s\n${lacking > 0 ? `${lacking} bars could not be had, see --json\n` : ""}` +
          (stored === undefined ? "" : imported(stored)),
      );
    });
}

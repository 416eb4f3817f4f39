import type { Command } from "commander";
import { timeframeName, timeText } from "../market/timeframe.ts";
import { importFolder, rebuild, storeOf } from "../service/data.ts";
import { findGaps, seriesStatus } from "../store/klines.ts";
import type { Store } from "../store/store.ts";
import { type JsonTarget, jsonOption, print, setOption, settingsFrom, writeJson } from "./options.ts";
import { Progress } from "./progress.ts";

interface DataOptions {
  readonly set: readonly string[];
  readonly json?: JsonTarget;
}

/** `penstock data …`: what the store has, and how it gets there. */
export function dataCommand(program: Command): void {
  const data = program.command("data").description("the store: import, status and gaps of bars, rebuild of runs");
  const subcommand = (name: string, what: string) =>
    data.command(name).description(what).addOption(setOption()).addOption(jsonOption("the result"));

  subcommand("import", "store all bars of a folder; can be repeated")
    .argument("<dir>", "folder of <anything->SYMBOL-<timeframe>[-dates].csv[.gz]")
    .action(async (dir: string, options: DataOptions) => {
      const progress = new Progress();
      const result = await withStore(options, (store) =>
        importFolder(store, dir, (share, file) => progress.show(file, share)),
      );
      progress.end();
      if (options.json !== undefined) return writeJson(options.json, result);
      const { files, bars, added, corrected, seconds } = result;
      const rate = Math.round(bars / seconds).toLocaleString("en");
      await print(
        `${files} files, ${bars} bars: ${added} added, ${corrected} corrected, ${seconds.toFixed(1)} s (${rate} bars/s)\n`,
      );
    });

  subcommand("rebuild", "record runs again from their journals: what the store lacks is added, nothing is changed")
    .argument("[journals...]", "journals; all those of `penstock run` under DATA_DIR when none is named")
    .action(async (journals: string[], options: DataOptions) => {
      const { settings } = settingsFrom(options.set);
      const progress = new Progress();
      const result = await withStore(options, (store) =>
        rebuild(store, settings, journals, (share, file) => progress.show(file, share)),
      );
      progress.end();
      if (options.json !== undefined) return writeJson(options.json, result);
      await print(`${result.journals} journals, ${result.rows} rows: ${result.added} added\n`);
    });

  subcommand("status", "what there is of each series").action(async (options: DataOptions) => {
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

  subcommand("gaps", "every place where bars are missing").action(async (options: DataOptions) => {
    const gaps = await withStore(options, (store) => findGaps(store.sql));
    const shown = gaps.map((gap) => ({ ...gap, timeframe: timeframeName(gap.timeframe) }));
    if (options.json !== undefined) return writeJson(options.json, shown);
    if (shown.length === 0) return print("no gaps\n");
    const lines = shown.map(
      ({ symbol, timeframe, from, to, missing }) =>
        `${symbol.padEnd(16)} ${timeframe.padEnd(4)} ${timeText(from)} to ${timeText(to)}: ${missing} bars`,
    );
    await print(`${lines.join("\n")}\n`);
  });
}

async function withStore<T>(options: DataOptions, use: (store: Store) => Promise<T>): Promise<T> {
  const { settings } = settingsFrom(options.set);
  const store = await storeOf(settings);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

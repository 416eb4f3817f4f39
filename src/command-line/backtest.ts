import type { Command } from "commander";
import { InputError } from "../input-error.ts";
import { reportPage } from "../report/html/report-page.ts";
import { printReport } from "../report/print.ts";
import { backtest } from "../service/backtest.ts";
import { addMarketOptions, type MarketOptions, recordedChoice } from "./market-options.ts";
import {
  htmlOption,
  type JsonTarget,
  jsonOption,
  print,
  setOption,
  settingsFrom,
  writeJson,
  writeWhole,
} from "./options.ts";
import { Progress } from "./progress.ts";

interface BacktestCommandOptions extends MarketOptions {
  readonly set: readonly string[];
  readonly json?: JsonTarget;
  readonly html?: string;
  readonly model?: string;
  readonly unpromoted?: boolean;
}

/** `penstock backtest`: trades recorded bars and reports, with costs and a hash that anyone can reproduce. */
export function backtestCommand(program: Command): void {
  const command = program
    .command("backtest")
    .description("trade recorded bars from end to end and report")
    .requiredOption("--data <dir>", "folder of <anything->SYMBOL-<timeframe>[-dates].csv[.gz]");
  addMarketOptions(command)
    .option("--model <id>", "let this model decide; without it the rules do")
    .option("--unpromoted", "allow a model that did not pass the gate; the report is stamped")
    .addOption(setOption())
    .addOption(jsonOption("the report"))
    .addOption(htmlOption())
    .action(async (options: BacktestCommandOptions) => {
      const { settings } = settingsFrom(options.set);
      const dir = options.data;
      if (dir === undefined) throw new InputError("--data is missing", 2);
      const progress = new Progress();
      const { report, scenes, journal } = await backtest(settings, {
        ...recordedChoice(dir, options),
        without: options.without,
        model: options.model,
        unpromoted: options.unpromoted === true,
        onProgress: (phase, share) => progress.show(phase, share),
        onFault: (text) => {
          progress.end();
          process.stderr.write(`penstock: ${text}\n`);
        },
      });
      progress.end();
      if (options.html !== undefined) writeWhole(options.html, reportPage(report, scenes()));
      if (options.json !== undefined) await writeJson(options.json, report);
      if (options.json === true) return;
      printReport(report);
      await print(`journal ${journal}\n`);
    });
}

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { InputError } from "../input-error.ts";
import type { BacktestReport } from "../report/backtest-report.ts";
import { divergence, divergenceText } from "../report/divergence.ts";
import { type JsonTarget, jsonOption, print, writeJson } from "./options.ts";

/** `penstock divergence RUN BACKTEST`: trade by trade, how a run differs from a backtest of the same time. */
export function divergenceCommand(program: Command): void {
  program
    .command("divergence")
    .description("compare the trades of a run with those of a backtest of the same symbols and time")
    .argument("<run>", "what `penstock run --json FILE` wrote")
    .argument("<backtest>", "what `penstock backtest --json FILE` wrote")
    .addOption(jsonOption("the comparison"))
    .action(async (run: string, backtest: string, { json }: { readonly json?: JsonTarget }) => {
      const found = divergence(readReport(run), readReport(backtest));
      if (json !== undefined) await writeJson(json, found);
      if (json !== true) await print(divergenceText(found));
    });
}

/** A report, or the result of a run with its report in it. */
function readReport(file: string): BacktestReport {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new InputError(`${file}: no report can be read from it (${(error as Error).message})`);
  }
  const within = (value as { report?: unknown } | null)?.report ?? value;
  const { trades, from, to, tradesHash } = (within ?? {}) as Partial<BacktestReport>;
  if (!Array.isArray(trades) || typeof from !== "number" || typeof to !== "number" || tradesHash === undefined) {
    throw new InputError(`${file}: this is no report of a run or a backtest (--json FILE writes one)`);
  }
  return within as BacktestReport;
}

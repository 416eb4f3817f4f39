import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import { parseTime } from "../market/ohlcv-csv.ts";
import { COSTS, type Cost } from "../service/assembly.ts";
import type { MarketChoice } from "../service/backtest.ts";

/** Options of all commands that trade on recorded bars, as commander gives them. */
export interface MarketOptions {
  readonly data?: string;
  readonly symbols?: readonly string[];
  readonly timeframe?: string;
  readonly from?: number;
  readonly to?: number;
  readonly funding?: string;
  readonly rules?: string;
  readonly brackets?: string;
  readonly without: readonly Cost[];
}

/** Adds the options that choose recorded bars and what is simulated on them. `from` may go by another name. */
export function addMarketOptions(command: Command, from = "--from"): Command {
  return command
    .addOption(
      new Option("--symbols <A,B>", "only these symbols").argParser((text: string) =>
        text
          .split(",")
          .map((symbol) => symbol.trim())
          .filter((symbol) => symbol !== ""),
      ),
    )
    .option("--timeframe <1m|5m|15m|1h>", "base timeframe, where the folder mixes several")
    .addOption(new Option(`${from} <time>`, "start of trading; earlier bars warm up (UTC)").argParser(time(from)))
    .addOption(new Option("--to <time>", "end of the run (UTC)").argParser(time("--to")))
    .option("--funding <file>", "funding rates: symbol,funding_time,funding_rate")
    .option("--rules <file>", "instrument rules: a reply of the exchange's exchangeInfo")
    .option("--brackets <file>", "leverage brackets: a reply of the exchange's leverageBracket")
    .addOption(
      new Option("--without <costs>", `leave out costs (${COSTS.join(",")}); the report is stamped`)
        .default([] as Cost[], "none")
        .argParser(costs),
    );
}

/** Which recorded bars these options choose. */
export function recordedChoice(dir: string, options: MarketOptions): MarketChoice {
  return {
    dir,
    symbols: options.symbols,
    timeframe: options.timeframe,
    from: options.from,
    to: options.to,
    fundingFile: options.funding,
    rulesFile: options.rules,
    bracketsFile: options.brackets,
  };
}

/** A time as people write it, such as 2025-10-10, 2025-10-10T12:30 or milliseconds; UTC where no zone is given. */
export function time(option: string): (text: string) => number {
  return (text) => {
    const parsed = parseTime(text);
    if (parsed === undefined) throw new InputError(`${option} ${text}: write 2025-10-10 or 2025-10-10T12:30 (UTC)`, 2);
    return parsed;
  };
}

function costs(text: string): Cost[] {
  return text.split(",").map((name) => {
    const cost = COSTS.find((known) => known === name.trim());
    if (cost === undefined) throw new InputError(`--without ${name}: one or more of ${COSTS.join(", ")}`, 2);
    return cost;
  });
}

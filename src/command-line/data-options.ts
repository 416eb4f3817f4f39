import { type Command, Option } from "commander";
import type { Settings } from "../config/settings.ts";
import { Bans, bansFile } from "../exchange/binance/bans.ts";
import { InputError } from "../input-error.ts";
import { isTimeframeName, TIMEFRAME_NAMES, type TimeframeName } from "../market/timeframe.ts";
import { type Imported, storeOf } from "../service/data.ts";
import { baseUrl } from "../service/public-http.ts";
import { RestBars } from "../service/rest-bars.ts";
import type { Store } from "../store/store.ts";
import { type JsonTarget, jsonOption, setOption, settingsFrom } from "./options.ts";
import { Progress } from "./progress.ts";

/** Options that all commands of `penstock data` have. */
export interface DataOptions {
  readonly set: readonly string[];
  readonly json?: JsonTarget;
}

/** Adds a command below `penstock data`. */
export function addDataCommand(data: Command, name: string, what: string): Command {
  return data.command(name).description(what).addOption(setOption()).addOption(jsonOption("the result"));
}

/** Opens the store that the settings choose, and closes it whatever happens. */
export async function withStore<T>(options: DataOptions, use: (store: Store) => Promise<T>): Promise<T> {
  const { settings } = settingsFrom(options.set);
  const store = await storeOf(settings);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Shows a progress bar while something goes on. */
export async function withProgress<T>(work: (show: (what: string, share: number) => void) => Promise<T>): Promise<T> {
  const progress = new Progress();
  try {
    return await work((what, share) => progress.show(what, share));
  } finally {
    progress.end();
  }
}

/** The exchange's REST interface as the settings have it. */
export function restBars(settings: Settings): RestBars {
  return new RestBars({
    url: baseUrl("BINANCE_REST_URL", settings.BINANCE_REST_URL),
    weightPerMinute: settings.RATE_LIMIT_REQUESTS,
    bans: new Bans(bansFile(settings.DATA_DIR)),
  });
}

/** One line about an import. */
export function imported({ files, bars, added, corrected, passedOver, seconds }: Imported): string {
  const rate = Math.round(bars / seconds).toLocaleString("en");
  const others = passedOver.length > 0 ? `${passedOver.length} files passed over, such as ${passedOver[0]}\n` : "";
  return `${files} files, ${bars} bars: ${added} added, ${corrected} corrected, ${seconds.toFixed(1)} s (${rate} bars/s)\n${others}`;
}

/** `--timeframe 5m` or `--timeframe 1h,15m,5m`. */
export function timeframesOption(what: string): Option {
  return new Option("--timeframe <LIST>", `${what}; one or more of ${TIMEFRAME_NAMES.join(",")}`).argParser(
    (text: string): TimeframeName[] =>
      words(text).map((name) => {
        if (isTimeframeName(name)) return name;
        throw new InputError(`--timeframe ${text}: ${name} is none of ${TIMEFRAME_NAMES.join(", ")}`, 2);
      }),
  );
}

/** The words of a list that commas separate. */
export function words(text: string): string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

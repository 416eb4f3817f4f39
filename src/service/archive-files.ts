import { createHash } from "node:crypto";
import { unzipSync } from "fflate";
import { InputError } from "../input-error.ts";
import { parseKlines } from "../market/kline-csv.ts";
import type { KlineArrays } from "../market/kline-rules.ts";
import { TIMEFRAMES, type TimeframeName } from "../market/timeframe.ts";
import { get, type HttpOptions } from "./public-http.ts";

/** Columns of a file that has no header: those before 2022. */
const HEADER =
  "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";

/**
 * The bars of one of Binance's public archive files, `data/futures/um/monthly|daily/klines/…zip`, checked against the
 * file's CHECKSUM (SHA-256), or undefined where the archive has no such file.
 *
 * @param period "2025-10" for a month or "2025-10-31" for a day, UTC
 * @throws InputError for a file that is damaged or holds something else
 */
export async function archiveFile(
  base: string,
  symbol: string,
  timeframe: TimeframeName,
  period: string,
  options: HttpOptions,
): Promise<KlineArrays | undefined> {
  const name = `${symbol}-${timeframe}-${period}.zip`;
  const folder = period.length === "2025-10".length ? "monthly" : "daily";
  const path = [symbol, timeframe, name].map(encodeURIComponent).join("/");
  const url = `${base}/data/futures/um/${folder}/klines/${path}`;
  const sum = await getFile(`${url}.CHECKSUM`, options);
  if (sum === undefined) return undefined;
  const zip = await getFile(url, options);
  if (zip === undefined) return undefined;
  const [expected] = new TextDecoder().decode(sum).trim().split(/\s+/);
  const found = createHash("sha256").update(zip).digest("hex");
  if (found !== expected?.toLowerCase()) {
    throw new InputError(`${url}: its SHA-256 is ${found}, its CHECKSUM file says ${expected}; try again`);
  }
  return parseKlines(unpack(zip, url), url, TIMEFRAMES[timeframe]);
}

async function getFile(url: string, options: HttpOptions): Promise<Uint8Array | undefined> {
  const { status, body } = await get(url, options);
  if (status === 404) return undefined;
  if (status !== 200) throw new InputError(`${url}: HTTP ${status}`);
  return body;
}

/** The one csv file in a zip file, with a header. */
function unpack(zip: Uint8Array, url: string): Uint8Array {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(zip);
  } catch (error) {
    throw new InputError(`${url}: is no zip file, or a damaged one (${(error as Error).message})`);
  }
  const names = Object.keys(files).filter((name) => name.endsWith(".csv"));
  if (names.length !== 1) throw new InputError(`${url}: holds ${names.length} csv files, one is expected`);
  const csv = files[names[0]!]!;
  // A header begins with a letter.
  return csv[0]! > "9".charCodeAt(0) ? csv : Buffer.concat([Buffer.from(HEADER), csv]);
}

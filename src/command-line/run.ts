import { type Command, Option } from "commander";
import type { AdminAddress } from "../admin/admin-thread.ts";
import type { Settings } from "../config/settings.ts";
import { isLoopback } from "../exchange/binance/addresses.ts";
import { InputError } from "../input-error.ts";
import { MOST_GENERATED } from "../market/generated-market.ts";
import { timeText } from "../market/timeframe.ts";
import { reportPage } from "../report/html/report-page.ts";
import { printReport } from "../report/print.ts";
import { StoppedEarly } from "../service/aborted.ts";
import { GENERATED_START } from "../service/generated.ts";
import { runLive } from "../service/live.ts";
import type { LiveMarket } from "../service/live-market.ts";
import { programHash } from "../this-program.ts";
import { type Display, LineDisplay, SILENT, TerminalDisplay } from "./live-view.ts";
import { addMarketOptions, type MarketOptions, recordedChoice } from "./market-options.ts";
import {
  htmlOption,
  type JsonTarget,
  jsonOption,
  print,
  setOption,
  settingsFrom,
  speedOf,
  whole,
  writeJson,
  writeWhole,
} from "./options.ts";
import { Progress } from "./progress.ts";

interface RunOptions extends MarketOptions {
  readonly set: readonly string[];
  readonly json?: JsonTarget;
  readonly html?: string;
  readonly for: number;
  readonly speed: number;
  readonly seed: number;
  readonly generated: number;
}

/** Ten bars of one minute each second: signals come within seconds, and a person can still follow. */
const DEFAULT_SPEED = 600;

/** A second Ctrl-C within this time is the same one: both npm and bun pass the signal on. */
const REPEATED_SIGNAL = 1000;

/** `penstock run`: the paper trader on a generated market or on recorded bars. */
export function runCommand(program: Command): void {
  const command = program
    .command("run")
    .description("trade a simulated market, live: generated from a seed, or recorded bars with --data")
    .option("--data <dir>", "folder of recorded bars; without it the market is generated");
  addMarketOptions(command)
    .addOption(
      new Option("--for <time>", "end after this wall time, such as 20s, 5m, 1h")
        .argParser(duration)
        .default(Number.POSITIVE_INFINITY, "until the market ends or Ctrl-C"),
    )
    .addOption(
      new Option("--speed <speed>", "60x, max or real").argParser(speedOf).default(DEFAULT_SPEED, `${DEFAULT_SPEED}x`),
    )
    .addOption(
      new Option("--seed <number>", "seed of the generated market")
        .argParser(whole("--seed", 0, Number.MAX_SAFE_INTEGER))
        .default(1),
    )
    .addOption(
      new Option("--generated <count>", "symbols of the generated market")
        .argParser(whole("--generated", 1, MOST_GENERATED))
        .default(24),
    )
    .addOption(setOption())
    .addOption(jsonOption("the result"))
    .addOption(htmlOption())
    .action(async (options: RunOptions) => {
      const loaded = settingsFrom(options.set, true);
      const { settings } = loaded;
      // Checkpoints are known by the program that runs, which an update may replace while the market is being opened.
      if (settings.TRADING_ENABLED) programHash();
      const market = marketOf(options, settings);
      if (market.kind === "binance") process.stderr.write(banner(settings));
      const asLog = settings.LOG_FORMAT === "json" && options.json !== true && process.stdout.isTTY !== true;
      const display = asLog ? SILENT : displayOf(options, market);
      const progress = new Progress();
      const stop = stopOnSignals();
      const run = runLive(settings, {
        market,
        without: options.without,
        speed: options.speed,
        duration: options.for,
        signal: stop,
        onRecord: (record, live) => display.record(record, live),
        onNotice: (level, text) => display.notice(level, text),
        onTick: (live) => {
          progress.end();
          display.tick(live);
        },
        admin: settings.ADMIN_ENABLED ? { loaded, onAddress: (address) => sayAddress(address, display) } : undefined,
        supervision: {
          settings,
          environment: process.env,
          print: asLog ? (text) => process.stdout.write(text) : undefined,
        },
        onWarmUp: (share) => progress.show("warm-up", share),
      });
      const ended = await run.catch((error: unknown) => {
        if (error instanceof StoppedEarly) return error;
        throw error;
      });
      display.end();
      if (ended instanceof StoppedEarly) {
        process.stderr.write(`penstock: ${ended.message}\n`);
        return;
      }
      const { report, scenes, journal, recording, takenOverBy } = ended;
      const result = {
        mode: report.mode,
        equity: report.summary.endEquity,
        signals: report.signals,
        trades: report.summary.trades,
        openPositions: report.openPositions.length,
        tradesHash: report.tradesHash,
        virtualTradesHash: report.virtualTradesHash,
        journal,
        recording: recording ?? null,
        report,
      };
      // Whoever started us may start us again: as the one who waits.
      if (takenOverBy !== undefined) process.exitCode = 1;
      if (options.html !== undefined) writeWhole(options.html, reportPage(report, scenes()));
      if (options.json !== undefined) await writeJson(options.json, result);
      if (options.json === true || asLog) return;
      printReport(report);
      await print(`journal ${journal}\n`);
    });
}

/** Says where the dashboard is. The token is in the address at the very first start, and never again. */
function sayAddress({ url, link, note }: AdminAddress, display: Display): void {
  const also = note === undefined ? "" : ` (${note})`;
  if (link !== undefined) process.stderr.write(`penstock: dashboard, this link is shown once: ${link}${also}\n`);
  else display.notice("info", `dashboard at ${url}${also}`);
}

/** How real the money is, for whoever only looks once. */
function banner(settings: Settings): string {
  const { BINANCE_REST_URL: address } = settings;
  const place = settings.BINANCE_TESTNET
    ? "LIVE orders on the exchange's TEST network"
    : address !== "" && isLoopback(URL.parse(address)?.hostname ?? "")
      ? "LIVE orders on an exchange of this machine, simulated money"
      : "LIVE: real orders, real money";
  const text = settings.TRADING_ENABLED ? place : "PAPER: live market data, simulated fills, no orders";
  const line = "=".repeat(text.length + 8);
  return `${line}\n=== ${text} ===\n${line}\n`;
}

function marketOf(options: RunOptions, settings: Settings): LiveMarket {
  const { data } = options;
  if (data === undefined && settings.EXCHANGE === "binance") {
    for (const name of ["timeframe", "from", "to", "funding", "rules", "brackets"] as const) {
      if (options[name] !== undefined) throw new InputError(`--${name} is not for EXCHANGE=binance`, 2);
    }
    if (options.without.length > 0) throw new InputError("--without is for simulated markets", 2);
    return { kind: "binance", symbols: options.symbols };
  }
  if (settings.TRADING_ENABLED) {
    throw new InputError("TRADING_ENABLED=true needs EXCHANGE=binance, and no --data", 2);
  }
  if (data !== undefined) return { kind: "recorded", ...recordedChoice(data, options) };
  for (const name of ["symbols", "timeframe", "from", "funding", "rules", "brackets"] as const) {
    if (options[name] !== undefined) throw new InputError(`--${name} needs --data: it chooses recorded bars`, 2);
  }
  if (options.to !== undefined && options.to <= GENERATED_START) {
    throw new InputError(`--to: the generated market trades from ${timeText(GENERATED_START)} on`, 2);
  }
  return { kind: "generated", seed: options.seed, symbols: options.generated, to: options.to };
}

function displayOf(options: RunOptions, market: LiveMarket): Display {
  if (options.json === true) return SILENT;
  if (process.stdout.isTTY !== true) return new LineDisplay();
  if (market.kind === "binance") return new TerminalDisplay("Binance USDⓈ-M futures");
  const what = market.kind === "recorded" ? `recorded bars of ${market.dir}` : `generated market, seed ${market.seed}`;
  const speed = options.speed === Number.POSITIVE_INFINITY ? "at full speed" : `at ${options.speed}x`;
  return new TerminalDisplay(`${what}, ${speed}`);
}

/** Aborts on the first interrupt; one that comes later than a repetition of the first would ends the process at once. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  let first = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (!stop.signal.aborted) {
        first = now;
        stop.abort();
      } else if (now - first > REPEATED_SIGNAL) {
        process.exit(130);
      }
    });
  }
  return stop.signal;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function duration(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const milliseconds = Number(amount) * (UNITS[unit ?? ""] ?? Number.NaN);
  if (!(milliseconds > 0)) throw new InputError(`--for ${text}: write 20s, 5m, 1h or 2d`, 2);
  return milliseconds;
}

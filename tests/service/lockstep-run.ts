import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { listenControl } from "../../src/exchange/simulated/server/control.ts";
import { Door } from "../../src/exchange/simulated/server/door.ts";
import { listen } from "../../src/exchange/simulated/server/listen.ts";
import { Lockstep } from "../../src/exchange/simulated/server/lockstep.ts";
import { encodeImage } from "../../src/journal/image.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { checkpointPath } from "../../src/service/checkpoint.ts";
import { type LiveResult, runLive } from "../../src/service/live.ts";
import { recoverBook } from "../../src/service/live-book.ts";
import type { LiveMarket } from "../../src/service/live-market.ts";
import { openVenue, type VenueMarket } from "../../src/service/simulated-venue.ts";

export interface LockstepRun extends LiveResult {
  /** The exchange's own wallet in the end, 1e-8 USDT. */
  readonly wallet: bigint;
  readonly notices: readonly string[];
  /** What the next process would begin with: brought back from the checkpoint of the run, and from its journal alone. */
  readonly restarts: readonly { readonly replayed: number; readonly book: Buffer }[];
}

/** Runs the live path over sockets against an exchange of this process in lockstep, until its market ends. */
export async function runInLockstep(
  market: VenueMarket,
  symbols: readonly string[] | undefined,
  environment: Readonly<Record<string, string>>,
): Promise<LockstepRun> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-lockstep-"));
  const { settings } = loadSettings(environment, []);
  const venue = openVenue(settings, { market, without: [], lockstep: true, apiKey: "key", secret: "secret" });
  const door = new Door(venue);
  const port = listen(door, 0);
  const control = listenControl({ venue, door, lockstep: new Lockstep(venue) }, 0);
  const host = `127.0.0.1:${port.port}`;
  try {
    const notices: string[] = [];
    const result = await live(
      { kind: "binance", symbols },
      {
        ...environment,
        DATA_DIR: folder,
        EXCHANGE: "binance",
        TRADING_ENABLED: "true",
        BINANCE_REST_URL: `http://${host}`,
        BINANCE_WS_URL: `ws://${host}`,
        BINANCE_WS_API_URL: `ws://${host}/ws-fapi/v1`,
        BINANCE_API_KEY: "key",
        BINANCE_API_SECRET: "secret",
        BINANCE_LOCKSTEP_URL: `http://127.0.0.1:${control.port}`,
        RATE_LIMIT_REQUESTS: "100000",
      },
      (level, text) => notices.push(`${level} ${text}`),
    );
    return { ...result, wallet: venue.exchange.wallet, notices, restarts: restartsOf(result.journal) };
  } finally {
    await Promise.all([port.stop(), control.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function restartsOf(journal: string): LockstepRun["restarts"] {
  const { instruments, settings } = readJournal(journal).header;
  const restart = () => {
    const { book, replayed } = recoverBook(journal, instruments, settings.POSITION_MODE === "hedge", (_, text) => {
      throw new Error(text);
    })!;
    return { replayed, book: Buffer.from(encodeImage([book.image(), book.recovered()])) };
  };
  const fromCheckpoint = restart();
  rmSync(checkpointPath(journal));
  return [fromCheckpoint, restart()];
}

/** A run without database and dashboard as fast as it goes. */
export async function live(
  market: LiveMarket,
  environment: Readonly<Record<string, string>>,
  onNotice: (level: string, text: string) => void = () => {},
): Promise<LiveResult> {
  const { settings } = loadSettings({ ENABLE_STORE: "false", ADMIN_ENABLED: "false", ...environment }, []);
  return runLive(settings, {
    market,
    without: [],
    speed: Number.POSITIVE_INFINITY,
    duration: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
    onRecord: () => {},
    onNotice,
    onTick: () => {},
  });
}

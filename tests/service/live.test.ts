import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import { Door } from "../../src/exchange/simulated/server/door.ts";
import { listen } from "../../src/exchange/simulated/server/listen.ts";
import { Pace } from "../../src/exchange/simulated/server/pace.ts";
import { readJournal } from "../../src/journal/reader.ts";
import { StoppedEarly } from "../../src/service/aborted.ts";
import { runLive } from "../../src/service/live.ts";
import { openVenue } from "../../src/service/simulated-venue.ts";

test("a run that is stopped while it warms up ends at once, with a journal that is whole and without a trade", async () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-live-"));
  try {
    const { settings } = loadSettings({ DATA_DIR: folder });
    const stop = new AbortController();
    const shares: number[] = [];
    const { report, journal } = await runLive(settings, {
      market: { kind: "generated", seed: 1, symbols: 2 },
      without: [],
      speed: Number.POSITIVE_INFINITY,
      duration: Number.POSITIVE_INFINITY,
      signal: stop.signal,
      onRecord: () => {},
      onNotice: () => {},
      onTick: () => {},
      onWarmUp: (share) => {
        shares.push(share);
        stop.abort();
      },
    });
    expect(shares).toHaveLength(1);
    expect(report.summary.trades).toBe(0);
    expect([...readJournal(journal).records()].at(-1)?.record.kind).toBe("end");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each(["contracts", "history"])(
  "one that is stopped while it waits for leave to read a real market ends before it has begun: at its %s",
  async (stopAt) => {
    const folder = mkdtempSync(join(tmpdir(), "penstock-live-"));
    const venue = openVenue(loadSettings({}, []).settings, {
      market: { kind: "generated", seed: 4, symbols: 2, from: Date.UTC(2026, 0, 5) },
      without: [],
      lockstep: false,
      apiKey: "key",
      secret: "secret",
    });
    // Others of this machine use up what it may ask for, so that the history comes a minute later, or never.
    const stop = new AbortController();
    let phase = "contracts";
    venue.limits.usedWeight = () => {
      if (phase === stopAt) setImmediate(() => stop.abort());
      return 2000;
    };
    venue.hub.filter = (connection, _, message) => {
      phase = "history";
      if (phase === stopAt) setImmediate(() => stop.abort());
      connection.sink.send(message);
    };
    const port = listen(new Door(venue), 0);
    const pace = new Pace(venue, 1);
    const host = `127.0.0.1:${port.port}`;
    try {
      const { settings } = loadSettings({
        ...{ DATA_DIR: folder, ENABLE_STORE: "false", EXCHANGE: "binance" },
        ...{ BINANCE_REST_URL: `http://${host}`, BINANCE_WS_URL: `ws://${host}` },
        BINANCE_WS_API_URL: `ws://${host}/ws-fapi/v1`,
      });
      const run = runLive(settings, {
        market: { kind: "binance", symbols: undefined },
        without: [],
        speed: 1,
        duration: Number.POSITIVE_INFINITY,
        signal: stop.signal,
        onRecord: () => {},
        onNotice: () => {},
        onTick: () => {},
      });
      await expect(run).rejects.toBeInstanceOf(StoppedEarly);
    } finally {
      pace.stop();
      await port.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

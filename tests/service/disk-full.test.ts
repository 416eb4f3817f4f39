import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { loadSettings } from "../../src/config/load.ts";
import type { CoreRecord } from "../../src/core/effects.ts";
import { runLive } from "../../src/service/live.ts";
import { rebuild } from "../../src/service/rebuild.ts";
import { replayJournal } from "../../src/service/replay.ts";
import { drainLeft, spoolRoot } from "../../src/store/run-spool.ts";
import { openStore } from "../../src/store/store.ts";
import { smallDisk } from "../small-disk.ts";
import { temporaryFolder } from "../store/database.ts";

const disk = smallDisk(temporaryFolder(), 3);

test.skipIf(disk === undefined)(
  "a full disk stops entries and no exit; with room again everything that was kept back is written",
  async () => {
    const { folder, fill, remove } = disk!;
    const ballast = join(folder, "ballast");
    try {
      // Nobody answers there, so that records need the disk too.
      const { settings } = loadSettings({
        DATA_DIR: join(folder, "data"),
        DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
        LEASE_SECONDS: "0",
        ENABLE_MEMORY_MAPPED_STORAGE: "false",
      });
      const stop = new AbortController();
      const said: string[] = [];
      let stage: "room" | "full" | "held" | "closed" | "room again" = "room";
      const follow = ({ kind, ...record }: CoreRecord & { guard?: string; reason?: string }) => {
        if (stage === "room" && kind === "opened") {
          stage = "full";
          fill("ballast");
        } else if (stage === "full" && kind === "refusal" && record.guard === "storage") {
          stage = "held";
        } else if (kind === "opened") {
          expect(stage).toBe("room again");
          stop.abort();
        } else if (stage === "held" && kind === "closed") {
          stage = "closed";
          rmSync(ballast);
          stage = "room again";
        }
      };
      const { journal } = await runLive(settings, {
        market: { kind: "generated", seed: 1, symbols: 24 },
        without: [],
        speed: 20_000,
        duration: 30_000,
        signal: stop.signal,
        onRecord: follow as (record: CoreRecord) => void,
        onNotice: (level, text) => said.push(`${level} ${text}`),
        onTick: () => {},
      });
      expect(stop.signal.aborted).toBe(true);
      const written = said.findIndex((text) => text.includes("the journal can be written again"));
      const failed = said.findIndex((text) => /^alarm cannot write the journal .*: no entries until it can/.test(text));
      expect(failed).toBeGreaterThanOrEqual(0);
      expect(written).toBeGreaterThan(failed);
      expect(replayJournal(journal).result).toMatchObject({ identical: true, torn: false });

      const dataDir = temporaryFolder();
      const store = await openStore({ databaseUrl: "", dataDir });
      try {
        await drainLeft(store, spoolRoot(settings.DATA_DIR), (text) => said.push(text));
        expect((await rebuild(store, { ...settings, DATA_DIR: dataDir }, [journal])).added).toBe(0);
      } finally {
        await store.close();
      }
    } finally {
      remove();
    }
  },
);

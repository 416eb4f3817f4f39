import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { InputError } from "../input-error.ts";
import type { JournalHeader } from "../journal/format.ts";
import { RunRecorder } from "../store/recorder.ts";
import { spoolRoot, takeSpool } from "../store/run-spool.ts";
import type { Store } from "../store/store.ts";
import { StoreWriter } from "../store/writer.ts";
import { replayJournal } from "./replay.ts";

export interface Rebuilt {
  readonly journals: number;
  /** Rows that the journals make, and those of them that the store did not have. */
  readonly rows: number;
  readonly added: number;
}

/**
 * Records runs once more from their journals: the truth about a run when the store has lost something of it. Each
 * journal is first replayed as a whole; one that this build does not repeat exactly would make other rows.
 * @param journals files; all journals of `penstock run` in the data folder when empty
 * @throws InputError for a damaged journal, or one that does not replay.
 */
export async function rebuild(
  store: Store,
  settings: Settings,
  journals: readonly string[],
  onProgress?: (share: number, file: string) => void,
): Promise<Rebuilt> {
  const paths = journals.length > 0 ? journals : journalsOf(settings);
  const spool = takeSpool(spoolRoot(settings.DATA_DIR), `rebuild-${process.pid}`);
  const writer = new StoreWriter(store, {
    spoolFolder: spool.folder,
    onChange: (text) => process.stderr.write(`penstock: store: ${text}\n`),
  });
  try {
    for (const [index, path] of paths.entries()) {
      onProgress?.(index / paths.length, basename(path));
      const { result, journal } = replayJournal(path);
      if (!result.identical) {
        throw new InputError(
          `${journal}: record ${result.sequence} does not replay on this build, so its rows cannot be made again`,
        );
      }
      let recorder: RunRecorder | undefined;
      replayJournal(path, {}, (header, state) => {
        const made = new RunRecorder(header, state, { journal: path, ...barsOf(header) });
        recorder = made;
        return {
          stepped(event, effects, after) {
            made.stepped(event, effects, after);
            for (const row of made.take()) writer.add(row);
          },
        };
      });
      if (result.end !== undefined) recorder?.end(result.end);
      for (const row of recorder?.take() ?? []) writer.add(row);
      await writer.drained();
    }
  } finally {
    await writer.close();
    spool.release();
  }
  return { journals: paths.length, rows: writer.written, added: writer.added };
}

function journalsOf(settings: Settings): string[] {
  const folder = join(settings.DATA_DIR, "journal");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith("-run.journal"))
    .sort()
    .map((name) => join(folder, name));
}

/** As when the run was recorded: bars are kept of a real market only. */
function barsOf({ mode, data }: JournalHeader): { bars?: number } {
  return mode === "simulated" ? {} : { bars: data.timeframe };
}

import type { HoldEvent } from "../core/events.ts";
import type { State } from "../core/state.ts";
import type { VenueRequest } from "../exchange/exchange.ts";
import { opens } from "../exchange/gated.ts";
import { JournalWriteError, type JournalWriter } from "../journal/writer.ts";
import type { Recording } from "./recording.ts";

/**
 * Keeps orders back while the service itself is not fit for them: another service has the right to trade, or nothing
 * can be written down. The core hears of it by events; the gate stands besides, for the time in between.
 *
 * - Without the right to trade nothing leaves, protective orders neither: they are for whoever has it.
 * - Where the right has run out and nobody can be asked for it, no entry leaves; stops, exits and cancellations do, for
 *   a position must not be left alone by an outage, and they do no harm to another who does the same.
 * - Without a disk no entry leaves; stops, exits and cancellations do, and are journaled when there is room again.
 */
export class Holds {
  readonly #journal: JournalWriter;
  readonly #recording: Pick<Recording, "lease" | "full"> | undefined;
  readonly #onNotice: (level: "warning" | "alarm" | "info", text: string) => void;
  #unwritten = false;
  #epoch = 0;

  constructor(
    journal: JournalWriter,
    recording: Pick<Recording, "lease" | "full"> | undefined,
    onNotice: (level: "warning" | "alarm" | "info", text: string) => void,
  ) {
    this.#journal = journal;
    this.#recording = recording;
    this.#onNotice = onNotice;
  }

  /** Why a request may not leave at this moment. */
  refuses(request: VenueRequest): string | undefined {
    const lease = this.#recording?.lease;
    if (!opens(request)) return lease === undefined || lease.mayProtect() ? undefined : "no right to trade";
    // Under a new epoch only when the core has heard of it.
    if (lease !== undefined && (!lease.mayAct() || lease.epoch !== this.#epoch)) return "no right to trade";
    return this.#unwritten ? "the journal cannot be written" : undefined;
  }

  journalFailed(error: JournalWriteError): void {
    if (!this.#unwritten) this.#onNotice("alarm", `${error.message}: no entries until it can`);
    this.#unwritten = true;
  }

  /** Flushes the journal. @returns false when the disk does not take it, which is no reason to stop. */
  flushed(): boolean {
    try {
      this.#journal.flush();
    } catch (error) {
      if (!(error instanceof JournalWriteError)) throw error;
      this.journalFailed(error);
      return false;
    }
    if (this.#unwritten) this.#onNotice("warning", "the journal can be written again");
    this.#unwritten = false;
    return true;
  }

  /** The event that the core has to hear of what has changed, if anything. */
  next(state: State, marketTime: number): HoldEvent | undefined {
    // A clock between two events may have a fraction.
    const time = Math.floor(state.now > marketTime ? state.now : marketTime);
    const head = { kind: "hold", time, symbol: -1 } as const;
    const lease = this.#recording?.lease;
    if (lease !== undefined) {
      const { epoch } = lease;
      const on = epoch === 0;
      if (state.holds.has("lease") !== on || (!on && epoch !== this.#epoch)) {
        this.#epoch = epoch;
        return { ...head, hold: "lease", on, epoch };
      }
    } else if (state.holds.has("lease")) {
      // A book that was brought back remembers it, and nobody shares the right with this process.
      return { ...head, hold: "lease", on: false, epoch: 0 };
    }
    const storage = this.#unwritten || this.#recording?.full === true;
    if (state.holds.has("storage") === storage) return undefined;
    return { ...head, hold: "storage", on: storage, epoch: this.#epoch };
  }
}

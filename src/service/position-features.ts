import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import type { CoreRecord } from "../core/effects.ts";
import { LEGS, type Leg } from "../core/events.ts";
import { FeatureStore, openingText } from "../features/store.ts";
import { lockFile } from "../native.ts";

type Notice = (level: "info" | "warning" | "alarm", text: string) => void;

/**
 * Keeps the feature row that every open position was entered on, where other threads and processes can read it: in
 * DATA_DIR/features.store when ENABLE_MEMORY_MAPPED_STORAGE, else in shared memory.
 */
export class PositionFeatures {
  readonly store: FeatureStore;
  readonly #onNotice: Notice;
  readonly #unlock: () => void;
  /** Row of the last signal per symbol. */
  readonly #signals = new Map<number, Float32Array>();
  #refused = false;

  private constructor(store: FeatureStore, onNotice: Notice, unlock: () => void) {
    this.store = store;
    this.#onNotice = onNotice;
    this.#unlock = unlock;
  }

  /** @param open owners of the positions that are open at the start; rows of all others are given up */
  static open(settings: Settings, open: readonly number[], onNotice: Notice): PositionFeatures {
    const { store, unlock } = openStore(settings, onNotice);
    for (const owner of store.owners()) if (!open.includes(owner)) store.release(owner);
    return new PositionFeatures(store, onNotice, unlock);
  }

  add(record: CoreRecord): void {
    switch (record.kind) {
      case "signal": {
        const { symbol, features } = record.candidate;
        if (features === undefined) this.#signals.delete(symbol);
        else this.#signals.set(symbol, features);
        return;
      }
      case "opened": {
        const row = this.#signals.get(record.symbol);
        if (row === undefined || this.store.put(ownerOf(record.symbol, record.leg), row) || this.#refused) return;
        this.#refused = true;
        return this.#onNotice(
          "warning",
          `the feature store is full: ${this.store.capacity} positions have their rows in it`,
        );
      }
      case "closed":
        return this.store.release(ownerOf(record.trade.symbol, record.trade.leg));
      default:
    }
  }

  close(): void {
    this.store.close();
    this.#unlock();
  }
}

/** The store's name for a leg of a symbol. */
export function ownerOf(symbol: number, leg: Leg): number {
  return symbol * LEGS.length + LEGS.indexOf(leg);
}

function openStore(settings: Settings, onNotice: Notice): { store: FeatureStore; unlock: () => void } {
  const none = () => {};
  if (!settings.ENABLE_MEMORY_MAPPED_STORAGE) return { store: FeatureStore.inMemory(), unlock: none };
  const path = join(settings.DATA_DIR, "features.store");
  mkdirSync(settings.DATA_DIR, { recursive: true });
  const lock = lockFile(`${path}.lock`);
  if (lock?.kind === "busy") {
    const who = lock.pid === undefined ? "another process" : `process ${lock.pid}`;
    onNotice("info", `features are kept in memory: ${who} has ${path}`);
    return { store: FeatureStore.inMemory(), unlock: none };
  }
  const store = FeatureStore.open(path);
  const { opening } = store;
  const ordinary =
    opening.kind === "created" ? opening.replaced === undefined : opening.kind === "reopened" && !opening.crashed;
  if (!ordinary) onNotice("warning", `${path}: ${openingText(opening)}`);
  return { store, unlock: lock === undefined ? none : lock.release };
}

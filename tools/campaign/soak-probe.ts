import { heapStats } from "bun:jsc";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/** What the probe says of the process that it sits in, once a second. */
export interface ProbeReading {
  /** Readings so far, so that a stale one is seen. */
  readonly reading: number;
  /** Timeouts and intervals that were set and have neither fired nor been cleared. */
  readonly timeouts: number;
  readonly intervals: number;
  /** How late the probe's own interval came at worst since the last reading, ms: nothing else ran in that time. */
  readonly blocked: number;
  /** How often the heap was counted, and its objects by type the last time. */
  readonly counted: number;
  readonly objects: Readonly<Record<string, number>>;
}

/** Environment variable that names the file the readings are written to. */
export const PROBE_FILE = "SOAK_PROBE_FILE";
const EVERY = 1000;
const BEAT = 50;

/** File whose existence asks for the heap to be counted, after a collection: it goes when that is done. */
export const countFile = (probe: string): string => `${probe}.count`;

const file = process.env[PROBE_FILE];
if (file !== undefined && isMainThread) install(file);

/** Loaded before the program (`bun --preload`): counts its timers by standing in for the functions that set them. */
function install(path: string): void {
  const { setTimeout: timeout, setInterval: interval, clearTimeout: clear } = globalThis;
  const timeouts = new Set<unknown>();
  const intervals = new Set<unknown>();
  const forget = (timer: unknown) => {
    timeouts.delete(timer);
    intervals.delete(timer);
  };
  const standIn = {
    setTimeout: (callback: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) => {
      const timer = timeout(() => {
        timeouts.delete(timer);
        callback(...values);
      }, ms);
      timeouts.add(timer);
      return timer;
    },
    setInterval: (callback: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) => {
      const timer = interval(callback, ms, ...values);
      intervals.add(timer);
      return timer;
    },
    clearTimeout: (timer: unknown) => {
      forget(timer);
      clear(timer as Timer);
    },
    clearInterval: (timer: unknown) => {
      forget(timer);
      clear(timer as Timer);
    },
  };
  Object.assign(globalThis, standIn);

  let reading = 0;
  let counted = 0;
  let blocked = 0;
  let last = performance.now();
  let objects: Record<string, number> = {};
  interval(() => {
    const now = performance.now();
    if (now - last - BEAT > blocked) blocked = now - last - BEAT;
    last = now;
  }, BEAT).unref();
  interval(() => {
    reading++;
    if (existsSync(countFile(path))) {
      rmSync(countFile(path));
      Bun.gc(true);
      objects = heapStats().objectTypeCounts;
      counted++;
      // What the count itself took is nobody's blocking.
      last = performance.now();
    }
    const said: ProbeReading = {
      ...{ reading, timeouts: timeouts.size, intervals: intervals.size, blocked },
      ...{ counted, objects },
    };
    blocked = 0;
    writeFileSync(path, JSON.stringify(said));
  }, EVERY).unref();
}
